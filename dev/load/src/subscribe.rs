//! A viewer: finds its broadcasts, subscribes, and reads every group it is sent.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::time::timeout;

use crate::{
    door::{Connection, RecvStream, SendStream},
    group::{self, Expect},
    publish::setup,
    reader::Reader,
    stats::Stats,
    wire::{self, Version},
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
        // Dropping a request would end it.
        let _requests = match self.version {
            Some(version) => self.ask(&conn, version).await?,
            None => Vec::new(),
        };
        let expect = Arc::new(self.expect);
        loop {
            let stream = conn.accept_uni().await?;
            let reader = group::Reader::new(self.version, expect.clone(), stats.clone(), seen.clone());
            tokio::spawn(reader.run(stream));
        }
    }

    async fn ask(&self, conn: &Connection, version: &Version) -> Result<Vec<(SendStream, Reader)>> {
        setup(conn, version).await?;
        let mut requests = vec![self.discover(conn, version).await?];
        for (id, name) in self.names.iter().enumerate() {
            let (send, recv) = subscribe(conn, version, id as u64, name).await?;
            requests.push((send, Reader::new(recv)));
        }
        Ok(requests)
    }

    /// A real player finds its broadcasts before it subscribes.
    async fn discover(&self, conn: &Connection, version: &Version) -> Result<(SendStream, Reader)> {
        let (mut send, recv) = conn.open_bi().await?;
        send.write_all(&wire::announce_request(version, "")).await?;
        let mut recv = Reader::new(recv);
        let mut wanted: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        let all = async {
            if version.announce_ok {
                recv.message().await?;
            }
            while !wanted.is_empty() {
                let kind = if version.typed_announce { Some(recv.varint().await?) } else { None };
                if let Some(name) = wire::announced(version, kind, recv.message().await?) {
                    wanted.remove(name.as_str());
                }
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, all).await.context("not announced in time")??;
        Ok((send, recv))
    }
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
