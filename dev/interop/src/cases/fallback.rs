//! Who is told to dial QUIC gets QUIC or nothing, so that no failure of QUIC hides behind a WebSocket.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::dialect::{Dialect, Door, Seat};
use crate::doors::Doors;
use crate::peer::Viewer;
use crate::report::Case;

/// How long a client may take to think of TCP. One that falls back does it in a fifth of this.
const SECOND_THOUGHTS: Duration = Duration::from_secs(1);
/// How long one that was told to dial it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The last one is there to show that the others could fail.
pub fn cases() -> Vec<Case> {
    let case = |door: Door, tcp| Case::new(format!("no fallback    {}", door.name()), dials_tcp(door, tcp));
    vec![case(Door::WebTransport, false), case(Door::Quic, false), case(Door::WebSocket, true)]
}

/// Where only TCP answers, a client dials that or does not, as `expected`.
async fn dials_tcp(door: Door, expected: bool) -> Result<()> {
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let doors = Doors { main: trap.local_addr()?, ..Doors::free()? };
    let dials = tokio::select! {
        accepted = trap.accept() => accepted.map(|_| true)?,
        connected = Viewer::connect(&doors, Seat { dialect: Dialect::Lite06, door }) => match connected {
            Ok(_) => bail!("a client connects where nobody listens"),
            Err(_) => false,
        },
        () = sleep(if expected { PATIENCE } else { SECOND_THOUGHTS }) => false,
    };
    ensure!(dials == expected, "dials TCP: {dials}");
    Ok(())
}
