//! A viewer's subscription.
//!
//! ```text
//!  SUBSCRIBE        source accepts          first group           source ends
//!  ─────────► asked ───────────────► joined ────────────► serving ───────────► done (05+: SUBSCRIBE_END, FIN)
//!               │    (03, 04: SUBSCRIBE_OK)  (05+: SUBSCRIBE_START)   │
//!               └──────────── source refuses or is lost: reset ◄──────┘        viewer FINs: done (FIN)
//! ```

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    session::{
        Bi, Shared,
        egress::{Egress, Event},
        lite::request,
        typed,
    },
    types::{Preferences, code},
    wire::lite::subscribe::Reply,
};

/// Serves one SUBSCRIBE until either side ends it.
pub(in crate::session::lite) async fn serve(session: &Arc<Shared>, bi: &mut Bi) {
    let Some(request) = request(bi, &session.dialect.subscribe).await else { return };
    let (send, reader) = bi;
    let interest = match session.view.track(&request.broadcast, &request.track, session.peer_hop()) {
        Ok(interest) => interest,
        Err(refusal) => return send.reset(refusal.code()),
    };
    let broadcast = interest.broadcast.clone();
    let subscription = interest.subscribe(request.preferences.clone());
    drop(interest);
    let mut egress = Egress::new(session.clone(), request.id, subscription, request.preferences.clone());
    let mut viewer = Viewer::new(session, reader);
    loop {
        let step = poll_fn(|cx| match viewer.poll(cx) {
            Poll::Ready(step) => Poll::Ready(step),
            Poll::Pending => egress.poll(cx).map(Step::Egress),
        });
        // What a dialect has no message for is not said: SUBSCRIBE_OK comes once and alone, START and END are newer.
        let reply = match step.await {
            Step::Update(preferences) => {
                egress.update(preferences);
                continue;
            }
            // The end of the viewer's half is a clean unsubscribe; groups in flight are cut with the egress.
            Step::Left => return send.finish(),
            Step::Malformed => return send.reset(code::MALFORMED),
            // As other relays do, it echoes the priority and leaves the rest open.
            Step::Egress(Event::Accepted) => {
                Reply::Ok { priority: request.preferences.priority, max_age: Duration::ZERO, start: None, end: None }
            }
            Step::Egress(Event::Started(group)) => Reply::Start(group),
            Step::Egress(Event::Ended(group)) => Reply::End { group, streams: Some(egress.streams()) },
            Step::Egress(Event::Failed(code)) => return send.reset(code),
            Step::Egress(Event::Replaced) => {
                send.reset(code::OLD);
                return session.renewed(&broadcast);
            }
        };
        if typed::send(send, session.form(), None, &session.dialect.subscribe_reply, &reply).await.is_err() {
            return;
        }
        // moq-lite "End of a track": the end is named before the stream ends.
        if matches!(reply, Reply::End { .. }) {
            return send.finish();
        }
    }
}

/// What happens next to a subscription.
enum Step {
    Update(Preferences),
    Left,
    Malformed,
    Egress(Event),
}

/// The viewer's half of the stream. It is looked at only when it was woken, not whenever a frame arrives.
struct Viewer<'a>(FuturesUnordered<BoxFuture<'a, (Step, Option<&'a mut typed::Reader>)>>, &'a Shared);

impl<'a> Viewer<'a> {
    fn new(session: &'a Shared, reader: &'a mut typed::Reader) -> Self {
        let viewer = Self(FuturesUnordered::new(), session);
        viewer.listen(reader);
        viewer
    }

    fn listen(&self, reader: &'a mut typed::Reader) {
        let codec = self.1.dialect.subscribe_update;
        self.0.push(Box::pin(async move {
            let Some(codec) = codec else {
                reader.ended().await;
                return (Step::Left, None);
            };
            match reader.message(&codec, typed::MAX_MESSAGE).await {
                Ok(preferences) => (Step::Update(preferences), Some(reader)),
                Err(typed::Error::Decode(_)) => (Step::Malformed, None),
                Err(typed::Error::Ended | typed::Error::Stream(_)) => (Step::Left, None),
            }
        }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        match self.0.poll_next_unpin(cx) {
            Poll::Ready(Some((step, reader))) => {
                if let Some(reader) = reader {
                    self.listen(reader);
                }
                Poll::Ready(step)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
