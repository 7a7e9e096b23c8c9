//! A raw stream and codecs make whole messages, each read once its length is known and within its limit.

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    transport::{ReadError, RecvStream, SendStream, WriteError},
    wire::{Codec, DecodeError, Decoder, Encoder, integer::Form},
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
    form: Form,
}

impl Reader {
    /// Nothing read yet; integers have this form.
    pub(super) fn new(stream: RecvStream, form: Form) -> Self {
        Self { stream, buffer: BytesMut::new(), form }
    }

    /// A varint: a stream type.
    pub(super) async fn varint(&mut self) -> Result<u64, Error> {
        loop {
            if let Some((value, size)) = self.form.get(&self.buffer) {
                self.buffer.advance(size);
                return Ok(value);
            }
            self.more().await?;
        }
    }

    /// A message of at most `limit` bytes. Nothing is consumed before it is whole, so the wait may be given up.
    pub(super) async fn message<T>(&mut self, codec: &Codec<T>, limit: usize) -> Result<T, Error> {
        let tagged = codec.tagged;
        let (tag, body) = self.whole(tagged, limit).await?;
        Ok(codec.decode(tag, Decoder::new(&body, self.form))?)
    }

    /// The body of a message without a tag.
    pub(super) async fn body(&mut self, limit: usize) -> Result<Bytes, Error> {
        self.whole(false, limit).await.map(|(_, body)| body)
    }

    /// A body behind a length of 16 bits.
    pub(super) async fn wide_body(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(length) = self.buffer.first_chunk() {
                let end = 2 + usize::from(u16::from_be_bytes(*length));
                if self.buffer.len() >= end {
                    return Ok(self.buffer.split_to(end).freeze().slice(2..));
                }
            }
            self.more().await?;
        }
    }

    async fn whole(&mut self, tagged: bool, limit: usize) -> Result<(u64, Bytes), Error> {
        loop {
            let (tag, at) = if tagged { self.form.get(&self.buffer).unzip() } else { (Some(0), Some(0)) };
            let size = at.and_then(|at| self.form.get(self.buffer.get(at..)?));
            if let (Some(tag), Some(at), Some((size, length))) = (tag, at, size) {
                if size > limit as u64 {
                    return Err(DecodeError::TooLarge { limit: limit as u64, size }.into());
                }
                let (start, end) = (at + length, at + length + size as usize);
                if self.buffer.len() >= end {
                    let body = self.buffer.split_to(end).freeze().slice(start..);
                    return Ok((tag, body));
                }
            }
            self.more().await?;
        }
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

    /// Waits for more bytes. A stream that ends inside of a message was cut short.
    async fn more(&mut self) -> Result<(), Error> {
        match self.stream.read().await? {
            Some(chunk) => {
                self.buffer.extend_from_slice(&chunk);
                Ok(())
            }
            None if self.buffer.is_empty() => Err(Error::Ended),
            None => Err(DecodeError::Short { field: "message" }.into()),
        }
    }
}

/// Writes one message, in front of it its stream type if it opens the stream. A value that the dialect has no message
/// for writes nothing.
pub(super) async fn send<T>(
    stream: &mut SendStream,
    form: Form,
    stream_type: Option<u64>,
    codec: &Codec<T>,
    message: &T,
) -> Result<(), WriteError> {
    let mut out = Encoder::new(form);
    if let Some(stream_type) = stream_type {
        out.varint(stream_type);
    }
    codec.encode(message, &mut out);
    if out.is_empty() { Ok(()) } else { stream.write(out.into_bytes()).await }
}
