//! One broadcast that runs, and viewers of it that come.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::timeout;

use crate::{
    cli::Shape,
    client::Client,
    door::{Connection, SendStream},
    frames::{Frames, first},
    handshake::{SessionStream, handshake},
    payload,
    publish::Publisher,
    subscribe::subscribe,
    wire::Version,
};

/// How long a first frame may take.
const PATIENCE: Duration = Duration::from_secs(20);

const NAME: &str = "bench/live";

/// Starts the broadcast, and returns its first viewer once that has a frame: it keeps the broadcast with the server.
pub(crate) async fn start(client: &Client, version: &'static Version, shape: Shape) -> Result<Viewer> {
    let publisher = Publisher { version, shape, name: NAME.into(), filler: payload::filler(0), tracks: Vec::new() };
    let conn = client.connect().await.context("publisher")?;
    tokio::spawn(async move {
        if let Err(e) = publisher.run(conn).await {
            eprintln!("publisher: {e:#}");
        }
    });
    // Until the broadcast is known.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Viewer::come(client, version).await.context("the first viewer")
}

/// A viewer that has its first frame.
pub(crate) struct Viewer {
    conn: Connection,
    /// From the first packet until the session can be used.
    pub(crate) handshake: Duration,
    /// From then until the first frame.
    pub(crate) frame: Duration,
    _kept: (SessionStream, SendStream, crate::door::RecvStream, Frames),
}

impl Viewer {
    pub(crate) async fn come(client: &Client, version: &'static Version) -> Result<Self> {
        let started = Instant::now();
        let conn = client.connect().await?;
        let connected = Instant::now();
        let session = handshake(&conn, version).await?;
        let (send, recv) = subscribe(&conn, version, 0, NAME).await?;
        let frames = timeout(PATIENCE, first(&conn, version)).await.context("no first frame")??;
        Ok(Self {
            conn,
            handshake: connected - started,
            frame: connected.elapsed(),
            _kept: (session, send, recv, frames),
        })
    }

    pub(crate) fn leave(self) {
        if let Connection::Quic(conn) = &self.conn {
            conn.close(0u32.into(), b"");
        }
    }
}
