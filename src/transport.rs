//! How bytes come and go: one connection type over a closed set of doors.
//!
//! `quic` is raw QUIC and WebTransport, `memory` an in-process pair for tests. Streams are polled in place: a send that
//! the peer does not take leaves its bytes with the caller, so nothing queues here. A send stream that is dropped
//! without [`SendStream::finish`] is reset, so an interruption never looks like an end.

pub mod config;
pub mod incoming;
pub mod memory;
pub mod quic;
pub mod tls;
pub mod udp;

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;

pub use config::Config;
pub use incoming::{Greeting, Incoming, Listener};

/// An established connection, ready for streams. Cheap to clone; it lives until [`Connection::close`] or the peer ends.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Raw QUIC or WebTransport.
    Quic(quic::Connection),
    /// In this process.
    Memory(memory::Connection),
}

/// The sending half of a stream.
#[derive(Debug)]
pub struct SendStream {
    inner: SendKind,
    ended: bool,
}

#[derive(Debug)]
enum SendKind {
    Quic(quic::SendStream),
    Memory(memory::SendStream),
}

/// The receiving half of a stream. Dropped before its end, the peer is told to stop.
#[derive(Debug)]
pub enum RecvStream {
    /// Raw QUIC or WebTransport.
    Quic(quic::RecvStream),
    /// In this process.
    Memory(memory::RecvStream),
}

/// The connection is over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Closed {
    /// The code of an application's close.
    pub code: Option<u32>,
    /// What the peer or the transport said.
    pub reason: String,
}

/// Why nothing can be sent on a stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WriteError {
    /// The peer does not want it, with a stream code.
    #[error("stopped by the peer with code {0:#x}")]
    Stopped(u32),
    /// The connection is over.
    #[error("connection closed")]
    Closed,
}

/// Why nothing more comes on a stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The peer cut it short, with a stream code.
    #[error("reset by the peer with code {0:#x}")]
    Reset(u32),
    /// The connection is over.
    #[error("connection closed")]
    Closed,
}

/// A unidirectional stream that waits for the peer's permission to open.
pub struct Opening(Pin<Box<dyn Future<Output = Result<SendStream, Closed>> + Send>>);

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening")
    }
}

impl Connection {
    /// The next bidirectional stream the peer opens.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match self {
            Self::Quic(c) => c.accept_bi().await,
            Self::Memory(c) => c.accept_bi().await,
        }
    }

    /// The next unidirectional stream the peer opens.
    pub async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        match self {
            Self::Quic(c) => c.accept_uni().await,
            Self::Memory(c) => c.accept_uni().await,
        }
    }

    /// Opens a bidirectional stream at the highest priority.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match self {
            Self::Quic(c) => c.open_bi().await,
            Self::Memory(c) => c.open_bi().await,
        }
    }

    /// Opens a unidirectional stream. Without permission from the peer, `opening` keeps the place in the queue.
    pub fn poll_open_uni(
        &self,
        cx: &mut Context<'_>,
        opening: &mut Option<Opening>,
    ) -> Poll<Result<SendStream, Closed>> {
        if let Some(Opening(future)) = opening {
            let result = std::task::ready!(future.as_mut().poll(cx));
            *opening = None;
            return Poll::Ready(result);
        }
        match self {
            Self::Quic(c) => c.poll_open_uni(cx, opening),
            Self::Memory(c) => Poll::Ready(c.open_uni()),
        }
    }

    /// Opens a unidirectional stream.
    pub async fn open_uni(&self) -> Result<SendStream, Closed> {
        let mut opening = None;
        poll_fn(|cx| self.poll_open_uni(cx, &mut opening)).await
    }

    /// Closes the session with a session code.
    pub fn close(&self, code: u32, reason: &str) {
        match self {
            Self::Quic(c) => c.close(code, reason),
            Self::Memory(c) => c.close(code, reason),
        }
    }

    /// Waits for the end, whoever ends it.
    pub async fn closed(&self) -> Closed {
        match self {
            Self::Quic(c) => c.closed().await,
            Self::Memory(c) => c.closed().await,
        }
    }

    /// How many unidirectional streams the peer may have open at a time.
    pub fn allow_uni(&self, streams: u32) {
        if let Self::Quic(c) = self {
            c.allow_uni(streams);
        }
    }

    /// How many bidirectional streams the peer may have open at a time.
    pub fn allow_bi(&self, streams: u32) {
        if let Self::Quic(c) = self {
            c.allow_bi(streams);
        }
    }

    /// Raises the receive window and the send window, in bytes, once the peer is trusted with them.
    pub fn set_windows(&self, receive: u32, send: u64) {
        if let Self::Quic(c) = self {
            c.set_windows(receive, send);
        }
    }

    /// The peer's address, where there is one.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Quic(c) => Some(c.remote_address()),
            Self::Memory(_) => None,
        }
    }
}

impl From<quic::SendStream> for SendStream {
    fn from(stream: quic::SendStream) -> Self {
        Self { inner: SendKind::Quic(stream), ended: false }
    }
}

impl From<memory::SendStream> for SendStream {
    fn from(stream: memory::SendStream) -> Self {
        Self { inner: SendKind::Memory(stream), ended: false }
    }
}

impl SendStream {
    /// Hands over what the peer has room for and removes it from `chunks`; ready once `chunks` is empty.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, chunks: &mut Vec<Bytes>) -> Poll<Result<(), WriteError>> {
        match &mut self.inner {
            SendKind::Quic(s) => s.poll_write(cx, chunks),
            SendKind::Memory(s) => s.poll_write(cx, chunks),
        }
    }

    /// Sends all of `bytes`.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        let mut chunks = vec![bytes];
        poll_fn(|cx| self.poll_write(cx, &mut chunks)).await
    }

    /// Nothing more follows. What was written is delivered even if the stream is dropped now.
    pub fn finish(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            match &mut self.inner {
                SendKind::Quic(s) => s.finish(),
                SendKind::Memory(s) => s.finish(),
            }
        }
    }

    /// Cuts the stream short with a stream code; after [`SendStream::finish`] this does nothing.
    pub fn reset(&mut self, code: u32) {
        if !std::mem::replace(&mut self.ended, true) {
            match &mut self.inner {
                SendKind::Quic(s) => s.reset(code),
                SendKind::Memory(s) => s.reset(code),
            }
        }
    }

    /// Higher is sent first.
    pub fn set_priority(&mut self, priority: i32) {
        if let SendKind::Quic(s) = &mut self.inner {
            s.set_priority(priority);
        }
    }

    /// Waits until the peer has everything, or does not want it: then with its code.
    pub async fn stopped(&mut self) -> Result<Option<u32>, Closed> {
        match &mut self.inner {
            SendKind::Quic(s) => s.stopped().await,
            SendKind::Memory(s) => s.stopped().await,
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        self.reset(crate::types::code::CANCELLED);
    }
}

impl RecvStream {
    /// Takes what has arrived, as many chunks as fit; `None` is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut [Bytes]) -> Poll<Result<Option<usize>, ReadError>> {
        match self {
            Self::Quic(s) => s.poll_read(cx, out),
            Self::Memory(s) => s.poll_read(cx, out),
        }
    }

    /// Takes one chunk; `None` is the end.
    pub async fn read(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut out = [Bytes::new()];
        let read = poll_fn(|cx| self.poll_read(cx, &mut out)).await?;
        let [chunk] = out;
        Ok(read.map(|_| chunk))
    }

    /// Asks the peer to stop, with a stream code.
    pub fn stop(&mut self, code: u32) {
        match self {
            Self::Quic(s) => s.stop(code),
            Self::Memory(s) => s.stop(code),
        }
    }
}
