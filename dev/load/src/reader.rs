//! Reads whole length-prefixed messages off a stream.

use anyhow::{Context, Result};
use bytes::{Buf, Bytes, BytesMut};

use crate::{door::RecvStream, wire};

pub(crate) struct Reader {
    stream: RecvStream,
    buf: BytesMut,
}

impl Reader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, buf: BytesMut::new() }
    }

    pub(crate) async fn varint(&mut self) -> Result<u64> {
        loop {
            let mut peek = &self.buf[..];
            let before = peek.len();
            if let Some(v) = wire::get_varint(&mut peek) {
                let used = before - peek.len();
                self.buf.advance(used);
                return Ok(v);
            }
            self.more().await?;
        }
    }

    pub(crate) async fn message(&mut self) -> Result<Bytes> {
        let n = self.varint().await? as usize;
        while self.buf.len() < n {
            self.more().await?;
        }
        Ok(self.buf.split_to(n).freeze())
    }

    /// Waits for further bytes.
    pub(crate) async fn more(&mut self) -> Result<()> {
        let chunk = self.stream.chunk().await?.context("stream ended")?;
        self.buf.extend_from_slice(&chunk);
        Ok(())
    }
}
