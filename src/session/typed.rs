//! A raw stream and codecs make whole messages, each read once its length is known and within its limit.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    transport::{ReadError, RecvStream, SendStream, WriteError},
    wire::{Codec, DecodeError, Encoder, integer},
};

/// The most bytes of one control message. Longest legal ones are two names of a kilobyte and 32 hops.
pub(super) const MAX_MESSAGE: usize = 16 << 10;

/// Why no message could be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Error {
    /// The stream ended between messages.
    #[error("stream ended")]
    Ended,
    /// The stream was cut short.
    #[error(transparent)]
    Stream(#[from] ReadError),
    /// The bytes are not what the dialect has.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Reads messages off a stream, keeping what has arrived of the next.
#[derive(Debug)]
pub(super) struct Reader {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Reader {
    /// Nothing read yet.
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// A varint: a stream type or the tag of a message.
    pub(super) async fn varint(&mut self) -> Result<u64, Error> {
        poll_fn(|cx| self.poll_varint(cx)).await
    }

    /// An untagged message of at most `limit` bytes.
    pub(super) async fn message<T>(&mut self, codec: &Codec<T>, limit: usize) -> Result<T, Error> {
        let tag = if codec.tagged { self.varint().await? } else { 0 };
        let body = self.body(limit).await?;
        Ok(codec.decode(tag, &body)?)
    }

    /// The length-prefixed bytes of a message.
    pub(super) async fn body(&mut self, limit: usize) -> Result<Bytes, Error> {
        // A stream that ends inside a message was cut short.
        let short = |error| if error == Error::Ended { DecodeError::Short { field: "length" }.into() } else { error };
        let size = self.varint().await?;
        if size > limit as u64 {
            return Err(DecodeError::TooLarge { limit: limit as u64, size }.into());
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        while self.buffer.len() < size {
            self.more().await.map_err(short)?;
        }
        Ok(self.buffer.split_to(size).freeze())
    }

    /// The stream, and what was read of it beyond the last message.
    pub(super) fn into_parts(self) -> (RecvStream, Bytes) {
        (self.stream, self.buffer.freeze())
    }

    /// Tells the peer to stop, with a stream code.
    pub(super) fn stop(&mut self, code: u32) {
        self.stream.stop(code);
    }

    /// Waits for the peer to end its half; bytes it sends are dropped.
    pub(super) async fn ended(&mut self) {
        loop {
            self.buffer.clear();
            if self.more().await.is_err() {
                return;
            }
        }
    }

    fn poll_varint(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        loop {
            if let Some((value, size)) = integer::get(&self.buffer) {
                self.buffer.advance(size);
                return Poll::Ready(Ok(value));
            }
            match std::task::ready!(self.poll_more(cx)) {
                Err(Error::Ended) if !self.buffer.is_empty() => {
                    return Poll::Ready(Err(DecodeError::Short { field: "integer" }.into()));
                }
                result => result?,
            }
        }
    }

    async fn more(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_more(cx)).await
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut out = [Bytes::new()];
        match std::task::ready!(self.stream.poll_read(cx, &mut out))? {
            Some(_) => {
                self.buffer.extend_from_slice(&out[0]);
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(Error::Ended)),
        }
    }
}

/// Writes one message, in front of it its stream type if it opens the stream. A value that the dialect has no message
/// for writes nothing.
pub(super) async fn send<T>(
    stream: &mut SendStream,
    stream_type: Option<u64>,
    codec: &Codec<T>,
    message: &T,
) -> Result<(), WriteError> {
    let mut out = Encoder::new();
    if let Some(stream_type) = stream_type {
        out.varint(stream_type);
    }
    codec.encode(message, &mut out);
    if out.is_empty() { Ok(()) } else { stream.write(out.into_bytes()).await }
}
