//! A viewer: finds its broadcasts, subscribes, and reads every group it is sent.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::time::timeout;

use crate::{
    door::{Connection, RecvStream, SendStream},
    group::{self, Expect},
    handshake::{SessionStream, handshake},
    reader::Reader,
    stats::Stats,
    wire::{self, Accept, Announcements, First, Version},
};

/// How long a broadcast may take to be announced.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to watch over one connection.
pub(crate) struct Viewer {
    /// None: the server is the floor, which sends groups unasked.
    pub(crate) version: Option<&'static Version>,
    /// Broadcasts; their place is the subscribe id.
    pub(crate) names: Vec<String>,
    pub(crate) expect: Expect,
}

impl Viewer {
    pub(crate) async fn run(self, conn: Connection, stats: Arc<Stats>) -> Result<()> {
        // Registered first: a viewer that gets no further has starved too.
        let seen = stats.subscriber(self.names.len());
        let _kept = match self.version {
            Some(version) => Some(self.ask(&conn, version, &stats).await?),
            None => None,
        };
        let expect = Arc::new(self.expect);
        loop {
            let stream = conn.accept_uni().await?;
            let reader = group::Reader::new(self.version, expect.clone(), stats.clone(), seen.clone());
            tokio::spawn(reader.run(stream));
        }
    }

    async fn ask(&self, conn: &Connection, version: &'static Version, stats: &Arc<Stats>) -> Result<Kept> {
        let session = handshake(conn, version).await?;
        let announcements = self.discover(conn, version).await?;
        for (id, name) in self.names.iter().enumerate() {
            let (send, recv) = subscribe(conn, version, id as u64, name).await?;
            tokio::spawn(answers(version, send, Reader::new(recv, version.varint), stats.clone()));
        }
        Ok((session, announcements))
    }

    /// A real player finds its broadcasts before it subscribes.
    async fn discover(&self, conn: &Connection, version: &'static Version) -> Result<(SendStream, Reader)> {
        let (mut send, recv) = conn.open_bi().await?;
        send.write_all(&wire::request(version, "")).await?;
        let mut recv = Reader::new(recv, version.varint);
        let mut announcements = Announcements::new(version);
        let mut wanted: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        let all = async {
            if version.first != First::Announcement {
                for name in announcements.first(&recv.message().await?)? {
                    wanted.remove(name.as_str());
                }
            }
            while !wanted.is_empty() {
                let kind = if version.typed_announce { Some(recv.varint().await?) } else { None };
                if let Some(name) = announcements.next(kind, &recv.message().await?)? {
                    wanted.remove(name.as_str());
                }
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, all).await.context("not announced in time")??;
        Ok((send, recv))
    }
}

/// Streams that have to stay open: dropping a request would end it.
type Kept = (SessionStream, (SendStream, Reader));

/// Reads the answers to one subscription, and keeps it up meanwhile.
async fn answers(version: &'static Version, _send: SendStream, mut recv: Reader, stats: Arc<Stats>) {
    // The end of the stream is not judged: what it takes away from a viewer is counted there.
    while recv.peek().await.is_ok() {
        if let Err(e) = answer(version, &mut recv).await {
            stats.corrupt.fetch_add(1, Relaxed);
            return eprintln!("subscriber: an answer to SUBSCRIBE: {e:#}");
        }
    }
}

async fn answer(version: &Version, recv: &mut Reader) -> Result<()> {
    let typed = matches!(version.accept, Accept::Preferences | Accept::Start);
    let kind = if typed { Some(recv.varint().await?) } else { None };
    wire::check_reply(version, kind, &recv.message().await?)?;
    if version.accept != Accept::Start {
        ensure!(recv.peek().await.is_err(), "more than SUBSCRIBE_OK");
    }
    Ok(())
}

pub(crate) async fn subscribe(
    conn: &Connection,
    version: &Version,
    id: u64,
    name: &str,
) -> Result<(SendStream, RecvStream)> {
    let (mut send, recv) = conn.open_bi().await?;
    send.write_all(&wire::subscribe(version, id, name, "video", 128)).await?;
    Ok((send, recv))
}
