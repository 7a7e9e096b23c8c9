//! GOAWAY: one side is about to leave and asks the other to move.
//!
//! From a peer it means that nothing new is asked of it and that its routes are the last choice; a client's session then
//! ends with the client's own close. To a peer it is said once, before this relay shuts down.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tracing::debug;

use crate::{
    session::{Outcome, Shared, Violation, typed},
    wire::lite::{goaway::Goaway, stream},
};

/// Reads the peer's GOAWAY. One that cannot be read is no reason to end the session.
pub(super) async fn serve(session: &Shared, reader: &mut typed::Reader) -> Outcome {
    let Some(codec) = &session.dialect.goaway else { return Ok(()) };
    match reader.message(codec, typed::MAX_MESSAGE).await {
        Ok(goaway) => {
            // moq-lite "GOAWAY": at most one per direction.
            if session.peer_leaving.swap(true, Relaxed) {
                return Err(Violation::SecondGoaway);
            }
            debug!(session = %session.view.session(), uri = ?goaway.uri, "peer is going away");
            session.moved.update(|uri| *uri = Some(goaway.uri));
            session.demote();
        }
        Err(error) => debug!(session = %session.view.session(), %error, "unreadable GOAWAY"),
    }
    Ok(())
}

/// Says GOAWAY, to the same place again, where the dialect has it.
pub(in crate::session) async fn send(session: Arc<Shared>) -> Outcome {
    let Some(codec) = &session.dialect.goaway else { return Ok(()) };
    let Ok((mut send, _recv)) = session.conn.open_bi().await else { return Ok(()) };
    if typed::send(&mut send, session.form(), Some(stream::GOAWAY), codec, &Goaway::default()).await.is_ok() {
        send.finish();
        // Dropped before it is acknowledged, the stream would stop a peer that reads slowly.
        let _ = send.stopped().await;
    }
    Ok(())
}
