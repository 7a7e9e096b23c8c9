//! GOAWAY from a peer: it is about to leave. A client needs no answer; its session ends with its own close.

use tracing::debug;

use crate::session::{Shared, typed};

pub(super) async fn serve(session: &Shared, mut reader: typed::Reader) {
    let Some(codec) = &session.dialect.goaway else { return };
    match reader.message(codec, typed::MAX_MESSAGE).await {
        Ok(goaway) => debug!(session = %session.view.session(), uri = ?goaway.uri, "peer is going away"),
        Err(error) => debug!(session = %session.view.session(), %error, "unreadable GOAWAY"),
    }
}
