//! Reading whole messages off a raw stream, and telling how it ended.

use bytes::{Buf, Bytes, BytesMut};
use moq_relay::{
    transport::{ReadError, RecvStream, SendStream},
    wire::{Codec, Decoder, Dialect, Encoder, integer::Form},
};

/// How a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Cleanly, between two messages or frames.
    Fin,
    /// Cleanly, but inside a message or frame: nobody may ever do that.
    FinInside,
    /// Cut short with a stream code.
    Reset(u32),
    /// With the whole session.
    Closed,
}

/// Reads messages and frames.
#[derive(Debug)]
pub struct Reader {
    stream: RecvStream,
    buffer: BytesMut,
    form: Form,
}

impl Reader {
    pub fn new(stream: RecvStream, dialect: &Dialect) -> Self {
        Self { stream, buffer: BytesMut::new(), form: dialect.integers() }
    }

    /// An integer; [`End::Fin`] only if nothing of it has come.
    pub async fn varint(&mut self) -> Result<u64, End> {
        loop {
            if let Some((value, size)) = self.form.get(&self.buffer) {
                self.buffer.advance(size);
                return Ok(value);
            }
            self.more().await.map_err(|end| if self.buffer.is_empty() { end } else { inside(end) })?;
        }
    }

    /// Exactly as many bytes.
    pub async fn bytes(&mut self, size: usize) -> Result<Bytes, End> {
        while self.buffer.len() < size {
            self.more().await.map_err(inside)?;
        }
        Ok(self.buffer.split_to(size).freeze())
    }

    /// A length and as many bytes.
    pub async fn block(&mut self) -> Result<Bytes, End> {
        let size = self.varint().await?;
        self.bytes(usize::try_from(size).unwrap()).await
    }

    /// A whole message, which must be well-formed.
    pub async fn message<T>(&mut self, codec: &Codec<T>) -> Result<T, End> {
        let tag = if codec.tagged { self.varint().await? } else { 0 };
        let body = self.block().await.map_err(|end| if codec.tagged { inside(end) } else { end })?;
        Ok(codec.decode(tag, Decoder::new(&body, self.form)).expect("the relay sends well-formed messages"))
    }

    /// Reads to the end, which must come without another byte.
    pub async fn end(&mut self) -> End {
        match self.varint().await {
            Ok(byte) => panic!("{byte:#x} where the stream should end"),
            Err(end) => end,
        }
    }

    pub fn stop(&mut self, code: u32) {
        self.stream.stop(code);
    }

    async fn more(&mut self) -> Result<(), End> {
        match self.stream.read().await {
            Ok(Some(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(None) => Err(End::Fin),
            Err(ReadError::Reset(code)) => Err(End::Reset(code)),
            Err(ReadError::Closed) => Err(End::Closed),
        }
    }
}

fn inside(end: End) -> End {
    if end == End::Fin { End::FinInside } else { end }
}

/// Writes a message, behind its stream type if it opens the stream. Whether the peer takes it is seen elsewhere.
pub async fn send<T>(
    stream: &mut SendStream,
    dialect: &Dialect,
    stream_type: Option<u64>,
    codec: &Codec<T>,
    message: &T,
) {
    let mut out = Encoder::new(dialect.integers());
    if let Some(stream_type) = stream_type {
        out.varint(stream_type);
    }
    codec.encode(message, &mut out);
    let _ = stream.write(out.into_bytes()).await;
}
