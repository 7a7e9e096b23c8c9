//! TRACK: what a track's source says of it once and for all.

use std::time::Duration;

use tokio::time::timeout;

use super::request;
use crate::{
    model::track::Closed,
    session::{Bi, Shared, typed},
    types::code,
};

/// Clients give up on a TRACK after this long.
const DEADLINE: Duration = Duration::from_secs(10);

/// Answers once the source has told; never with something invented.
pub(super) async fn serve(session: &Shared, bi: &mut Bi) {
    let Some(codecs) = &session.dialect.track else { return };
    let Some(request) = request(bi, &codecs.request).await else { return };
    let (send, asked) = bi;
    let interest = match session.view.track(&request.broadcast, &request.track, session.peer_hop()) {
        Ok(interest) => interest,
        Err(refusal) => return send.reset(refusal.code()),
    };
    let mut reader = interest.reader();
    let told = reader.wait(|log| match (log.info(), log.closed()) {
        (Some(info), _) => Some(Ok(info)),
        (None, Some(Closed::Failed(code))) => Some(Err(code)),
        (None, Some(Closed::Ended)) => Some(Err(code::NOT_FOUND)),
        (None, None) => None,
    });
    // Whatever else is said on the stream must not pile up; its end is no reason not to answer.
    let silence = async {
        asked.ended().await;
        std::future::pending().await
    };
    let told = tokio::select! {
        told = timeout(DEADLINE, told) => told,
        () = silence => return,
    };
    match told {
        Ok(Ok(info)) => {
            if typed::send(send, session.form(), None, &codecs.info, &info).await.is_ok() {
                send.finish();
            }
        }
        Ok(Err(code)) => send.reset(code),
        Err(_) => send.reset(code::TIMEOUT),
    }
}
