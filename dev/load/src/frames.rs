//! The frames of one group stream, each with the time of its making.

use anyhow::{Context, Result, ensure};
use bytes::Buf;

use crate::{
    door::{Connection, RecvStream},
    reader::Reader,
    wire::Version,
};

pub(crate) struct Frames {
    version: &'static Version,
    recv: Reader,
    /// Whose group it is.
    pub(crate) subscribe: u64,
}

impl Frames {
    /// None: the stream is something else.
    pub(crate) async fn new(stream: RecvStream, version: &'static Version) -> Result<Option<Self>> {
        let mut recv = Reader::new(stream, version.varint);
        if recv.varint().await? != 0x0 {
            return Ok(None);
        }
        let header = recv.message().await?;
        let subscribe = version.varint.get(&mut &header[..]).context("GROUP ends before its subscribe id")?;
        Ok(Some(Self { version, recv, subscribe }))
    }

    /// When the next frame was made, once it is here whole; an error when there is none.
    pub(crate) async fn next(&mut self) -> Result<u64> {
        if self.version.timestamps {
            self.recv.varint().await?;
        }
        let size = self.recv.varint().await? as usize;
        let mut payload = self.recv.bytes(size).await?;
        ensure!(payload.len() >= 8, "a frame of {size} bytes");
        Ok(payload.get_u64())
    }
}

/// Waits for a group to begin and for its first frame.
pub(crate) async fn first(conn: &Connection, version: &'static Version) -> Result<Frames> {
    loop {
        if let Some(mut frames) = Frames::new(conn.accept_uni().await?, version).await? {
            frames.next().await?;
            return Ok(frames);
        }
    }
}
