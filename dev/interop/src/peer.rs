//! The published client library in its two roles: a publisher and a viewer, each on a session of its own.

mod publisher;
mod reading;
mod viewer;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use moq_tokio::{Connection, connect, quic};
use tokio::time::timeout;
use url::Url;

pub use self::publisher::{Broadcast, Publisher, write};
pub use self::reading::{Group, Watching};
pub use self::viewer::Viewer;
use crate::dialect::Seat;

/// A client that offers exactly one dialect, trusts any certificate and dials once.
fn client(seat: Seat, quic: quic::Config) -> Result<moq_tokio::Client> {
    let mut config = connect::Config::default();
    config.version = vec![seat.dialect.name().parse().ok().context("the library knows this dialect")?];
    config.tls.insecure = Some(true);
    config.once = Some(true);
    Ok(config.init(quic)?)
}

/// Dial and check that the relay agreed to the dialect.
async fn dial(client: moq_tokio::Client, relay: SocketAddr, seat: Seat, path: &str) -> Result<Connection> {
    let url: Url = format!("{}://localhost:{}{path}", seat.door.scheme(), relay.port()).parse()?;
    let addr = connect::Addr::pinned(url, [relay])?;
    let session = client.connect(addr).established().await?;
    let spoken = session.version().context("session has a version")?;
    ensure!(spoken.as_str() == seat.dialect.name(), "{} answered with {spoken}", seat.dialect.name());
    Ok(session)
}

/// How long any single thing may be waited for. Longer than a killed publisher stays unnoticed, shorter than a case's
/// deadline, so that a failure says what it waited for.
const STEP: Duration = Duration::from_secs(6);

/// Wait for `what`, but not forever.
async fn step<T, E>(what: impl Fn() -> String, wait: impl Future<Output = Result<T, E>>) -> Result<T>
where
    Result<T, E>: Context<T, E>,
{
    match timeout(STEP, wait).await {
        Ok(result) => result.with_context(what),
        Err(_) => bail!("{}: nothing for {} s", what(), STEP.as_secs()),
    }
}
