//! The connection under a publisher or a viewer.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use moq_tokio::{Connection, Restart, connect, quic};

use super::step;
use crate::dialect::{Door, Seat};
use crate::doors::Doors;

/// An established session. Dropping it closes it.
pub struct Session(Connection);

impl Session {
    /// Dial and check that the relay agreed to the dialect.
    pub async fn dial(client: moq_tokio::Client, relay: &Doors, seat: Seat, path: &str) -> Result<Self> {
        let session = client.connect(relay.addr(seat.door, path)?).established().await?;
        let spoken = session.version().context("session has a version")?;
        ensure!(spoken.as_str() == seat.dialect.name(), "{} answered with {spoken}", seat.dialect.name());
        Ok(Self(session))
    }

    /// Wait until the relay says that it is about to leave.
    pub async fn told_to_move(&self) -> Result<()> {
        let session = self.0.draining().context("the session has ended")?;
        let goaway = async { session.recv().await.context("the session ends instead") };
        let goaway = step(|| "GOAWAY arrives".into(), goaway).await?;
        ensure!(goaway.uri().is_empty(), "GOAWAY sends to {:?}", goaway.uri());
        Ok(())
    }

    /// Wait until the relay closes the session. Returns why it did.
    pub async fn closed(&self) -> Result<moq_net::Error> {
        let end = async { Ok::<_, Infallible>(self.0.closed().await) };
        match step(|| "the session is closed".into(), end).await? {
            Err(moq_tokio::Error::MoqNet(reason)) => Ok(reason),
            Err(other) => Err(anyhow!(other)),
            Ok(()) => bail!("the client closes the session itself"),
        }
    }

    /// Close it after what is queued has been delivered.
    pub async fn close(self) -> Result<()> {
        step(|| "the session is closed".into(), self.0.close()).await
    }

    /// Close it at once with an application error, whatever is in flight.
    pub fn abort(self) {
        self.0.abort(moq_net::Error::App(7));
    }
}

/// A client that offers exactly one dialect through one door, trusts any certificate, dials once and stays as long as
/// it is served.
pub fn client(seat: Seat, quic: quic::Config) -> Result<moq_tokio::Client> {
    let mut config = connect::Config::default();
    config.version = vec![seat.dialect.name().parse().ok().context("the library knows this dialect")?];
    config.tls.insecure = Some(true);
    config.once = Some(true);
    // Or an `https://` that fails would quietly become a WebSocket.
    config.websocket.enabled = Some(seat.door == Door::WebSocket);
    config.websocket.delay = Duration::ZERO;
    Ok(config.init(quic)?.with_restart(Restart::Wait))
}
