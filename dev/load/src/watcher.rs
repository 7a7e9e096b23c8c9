//! Somebody who watches what is announced below a prefix.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};

use crate::{
    client::Client,
    door::{Connection, SendStream},
    handshake::{SessionStream, handshake},
    reader::Reader,
    wire::{self, Announcements, First, News, Version},
};

/// Knows what is announced.
pub(crate) struct Watcher {
    version: &'static Version,
    told: Announcements,
    recv: Reader,
    pub(crate) there: HashSet<String>,
    _held: (Connection, SessionStream, SendStream),
}

impl Watcher {
    pub(crate) async fn new(client: &Client, version: &'static Version, prefix: &str) -> Result<Self> {
        let conn = client.connect().await.context("watcher")?;
        let session = handshake(&conn, version).await?;
        let (mut send, recv) = conn.open_bi().await?;
        send.write_all(&wire::request(version, prefix)).await?;
        let (mut recv, told) = (Reader::new(recv, version.varint), Announcements::new(version));
        let mut there = HashSet::new();
        if version.first != First::Announcement {
            there.extend(told.first(&recv.message().await?)?);
        }
        Ok(Self { version, told, recv, there, _held: (conn, session, send) })
    }

    /// Reads until so many are there.
    pub(crate) async fn until(&mut self, count: usize) -> Result<()> {
        while self.there.len() != count {
            self.news().await?;
        }
        Ok(())
    }

    /// Reads one announcement.
    pub(crate) async fn news(&mut self) -> Result<()> {
        let kind = if self.version.typed_announce { Some(self.recv.varint().await?) } else { None };
        match self.told.news(kind, &self.recv.message().await?)? {
            News::There(name) => ensure!(self.there.insert(name.clone()), "{name} came twice"),
            News::Gone(name) => ensure!(self.there.remove(&name), "{name} went without having been there"),
            News::Other => {}
        }
        Ok(())
    }
}
