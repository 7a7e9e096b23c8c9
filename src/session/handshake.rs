//! What both sides say before anything else, where the dialect has it.

use std::time::Duration;

use tokio::time::timeout;

use super::{Violation, typed};
use crate::{
    transport::Connection,
    types::{HopId, code},
    wire::{
        Dialect,
        lite::{setup, stream},
    },
};

/// How long a peer may take from its first packet to SETUP.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Sends our SETUP and reads the peer's. Dialects without SETUP are ready at once.
///
/// Other unidirectional streams that overtake SETUP are refused, as nobody has been asked for anything yet.
pub async fn accept(conn: &Connection, dialect: &'static Dialect, hop: HopId) -> Result<setup::Setup, Violation> {
    let Some(codec) = &dialect.setup else { return Ok(setup::Setup::default()) };
    let exchange = async {
        let ours = setup::Setup { hop, ..Default::default() };
        let mut send = conn.open_uni().await.map_err(|_| Violation::NoSetup)?;
        send.set_priority(i32::MAX);
        typed::send(&mut send, Some(stream::SETUP), codec, &ours).await.map_err(|_| Violation::NoSetup)?;
        send.finish();
        loop {
            let recv = conn.accept_uni().await.map_err(|_| Violation::NoSetup)?;
            let mut reader = typed::Reader::new(recv);
            match reader.varint().await {
                Ok(stream::SETUP) => {
                    return match reader.message(codec, setup::MAX_BYTES).await {
                        Ok(setup) => Ok(setup),
                        Err(typed::Error::Decode(error)) => Err(Violation::Malformed { what: "SETUP", error }),
                        Err(_) => Err(Violation::NoSetup),
                    };
                }
                _ => reader.stop(code::INTERNAL),
            }
        }
    };
    timeout(DEADLINE, exchange).await.unwrap_or(Err(Violation::NoSetup))
}
