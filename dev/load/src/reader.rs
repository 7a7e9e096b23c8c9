//! Reads whole length-prefixed messages off a stream.

use anyhow::{Context, Result};
use bytes::{Buf, Bytes, BytesMut};

use crate::{door::RecvStream, wire::Varint};

pub(crate) struct Reader {
    stream: RecvStream,
    varint: Varint,
    buf: BytesMut,
}

impl Reader {
    pub(crate) fn new(stream: RecvStream, varint: Varint) -> Self {
        Self { stream, varint, buf: BytesMut::new() }
    }

    pub(crate) async fn varint(&mut self) -> Result<u64> {
        loop {
            let mut peek = &self.buf[..];
            let before = peek.len();
            if let Some(v) = self.varint.get(&mut peek) {
                let used = before - peek.len();
                self.buf.advance(used);
                return Ok(v);
            }
            self.more().await?;
        }
    }

    pub(crate) async fn message(&mut self) -> Result<Bytes> {
        let n = self.varint().await? as usize;
        self.bytes(n).await
    }

    /// Exactly so many bytes.
    pub(crate) async fn bytes(&mut self, n: usize) -> Result<Bytes> {
        while self.buf.len() < n {
            self.more().await?;
        }
        Ok(self.buf.split_to(n).freeze())
    }

    /// Resolves when there are bytes that have not been taken yet.
    pub(crate) async fn peek(&mut self) -> Result<()> {
        if self.buf.is_empty() { self.more().await } else { Ok(()) }
    }

    /// Waits for further bytes.
    async fn more(&mut self) -> Result<()> {
        let chunk = self.stream.chunk().await?.context("stream ended")?;
        self.buf.extend_from_slice(&chunk);
        Ok(())
    }
}
