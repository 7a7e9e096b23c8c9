//! FETCH: one group by number, from the cache or else from the source.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;

use super::request;
use crate::{
    model::{
        group::{Cursor, More, State},
        origin,
        track::Interest,
    },
    session::{
        Bi, Shared,
        egress::{Headers, MOST},
        ingest,
        lite::subscribe,
        typed,
    },
    transport::SendStream,
    types::{FrameRange, code},
    wire::lite::{fetch::Fetch, stream},
};

/// How long a source may take to come up with a group.
const DEADLINE: Duration = Duration::from_secs(10);

/// Answers with the group's frames, back to back.
pub(super) async fn serve(session: &Shared, bi: &mut Bi) {
    let Some(codec) = &session.dialect.fetch else { return };
    let Some(request) = request(bi, codec).await else { return };
    let (send, reader) = bi;
    let interest = match session.view.track(&request.broadcast, &request.track, session.peer_hop()) {
        Ok(interest) => interest,
        Err(refusal) => return send.reset(refusal.code()),
    };
    let work = async {
        match timeout(DEADLINE, session.view.fetch(&interest, request.group, request.priority)).await {
            Ok(Ok(ordinal)) => frames(session, &interest, ordinal, request.frames, send).await,
            Ok(Err(code)) => send.reset(code),
            Err(_) => send.reset(code::TIMEOUT),
        }
    };
    tokio::select! {
        () = work => {}
        () = reader.ended() => {}
    }
}

async fn frames(session: &Shared, interest: &Interest, ordinal: u64, frames: FrameRange, send: &mut SendStream) {
    let FrameRange { start, end } = frames;
    let mut headers = Headers::new(session.dialect.framing);
    let (mut cursor, mut previous) = (Cursor::at_frame(start), 0);
    let mut pending: Vec<Bytes> = Vec::new();
    let mut reader = interest.reader();
    loop {
        let state = reader.wait(|log| {
            let Some(group) = log.group(ordinal) else { return Some(State::Aborted(code::EVICTED)) };
            let header = |frame: &_| Some(headers.next_frame(frame, &mut previous));
            let state = match cursor.frames(group, end, MOST, header, &mut pending) {
                More(true) => State::Open,
                More(false) if cursor.is_past(end) => State::Finished,
                More(false) => group.state(),
            };
            (state != State::Open || !pending.is_empty()).then_some(state)
        });
        let state = state.await;
        if let State::Aborted(code) = state {
            return send.reset(code);
        }
        if poll_fn(|cx| send.poll_write(cx, &mut pending)).await.is_err() {
            return;
        }
        if state == State::Finished {
            return send.finish();
        }
    }
}

/// Asks the peer for a group that somebody waits for.
pub(super) async fn ask(session: &Arc<Shared>, fetch: origin::Fetch) {
    let sequence = fetch.sequence;
    let feed = session.feeds().values().find(|feed| Arc::ptr_eq(feed.track(), &fetch.interest)).cloned();
    let Some(feed) = feed else { return fetch.interest.refuse(sequence, code::NOT_FOUND) };
    let Some(codec) = &session.dialect.fetch else { return feed.missing(sequence, code::NOT_FOUND) };
    if session.peer_leaving.load(Relaxed) {
        return feed.missing(sequence, code::GOING_AWAY);
    }
    let Some(broadcast) = feed.track().broadcast.strip_prefix(session.view.root()) else { return };
    let request = Fetch {
        broadcast,
        track: feed.track().name.clone(),
        priority: fetch.priority,
        group: sequence,
        frames: FrameRange::default(),
    };
    let Ok((mut send, mut recv)) = session.conn.open_bi().await else {
        return feed.missing(sequence, code::SESSION_CLOSED);
    };
    if typed::send(&mut send, session.form(), Some(stream::FETCH), codec, &request).await.is_err() {
        return feed.missing(sequence, code::SESSION_CLOSED);
    }
    // The first bytes, or the end of an empty group, show that the peer has it.
    let mut first = [Bytes::new()];
    match poll_fn(|cx| recv.poll_read(cx, &mut first)).await {
        Err(error) => feed.missing(sequence, subscribe::refusal(error.into())),
        Ok(read) => match feed.fetched(sequence) {
            Err(_) => {
                recv.stop(code::CANCELLED);
                feed.missing(sequence, code::NOT_FOUND);
            }
            Ok(writer) if read.is_none() => writer.finish(),
            Ok(writer) => {
                let [rest] = first;
                ingest::frames(session, recv, rest, writer).await;
            }
        },
    }
    send.finish();
}
