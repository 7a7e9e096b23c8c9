//! How bytes come and go: one connection type over a closed set of doors.
//!
//! `quic` is raw QUIC and WebTransport, `stream` a WebSocket, TCP or a Unix socket, `memory` an in-process pair for tests. Streams are polled in place: a send that
//! the peer does not take leaves its bytes with the caller, so nothing queues here. A send stream that is dropped
//! without [`SendStream::finish`] is reset, so an interruption never looks like an end.

mod burst;
pub mod config;
mod congestion;
pub mod dialer;
pub mod incoming;
mod last_words;
pub mod listener;
pub mod memory;
pub mod port;
pub mod quic;
pub mod socket;
pub mod stream;
pub mod target;
pub mod tls;
pub mod websocket;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;

pub use burst::Driver;
pub use config::Config;
pub use dialer::{Dialed, Dialer};
pub use incoming::{Greeting, Incoming};
pub use listener::Listener;
pub use target::Target;

/// An established connection, ready for streams. Cheap to clone; it lives until [`Connection::close`] or the peer ends.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Raw QUIC or WebTransport.
    Quic(quic::Connection),
    /// QMux over a WebSocket, TCP or a Unix socket.
    Stream(stream::Connection),
    /// In this process.
    Memory(memory::Connection),
}

/// What is known of the way to the peer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Link {
    /// Bits per second that can be sent.
    pub bitrate: Option<u64>,
    /// Round-trip time, smoothed.
    pub rtt: Option<Duration>,
}

/// Bytes so far, with all that the door adds to them, where it counts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)]
pub struct Traffic {
    pub sent: u64,
    pub received: u64,
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
    Stream(stream::SendStream),
    Memory(memory::SendStream),
}

/// The receiving half of a stream. Dropped before its end, the peer is told to stop.
#[derive(Debug)]
pub enum RecvStream {
    /// Raw QUIC or WebTransport.
    Quic(quic::RecvStream),
    /// QMux.
    Stream(stream::RecvStream),
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
    /// Whether nothing had come for so long that the peer counts as gone, if that is known.
    pub silent: Option<bool>,
}

impl Closed {
    /// By somebody, with a code.
    pub fn with_code(code: u32, reason: impl Into<String>) -> Self {
        Self { code: Some(code), reason: reason.into(), silent: Some(false) }
    }

    /// By whatever lies between.
    pub fn broken(reason: impl ToString) -> Self {
        Self { code: None, reason: reason.to_string(), silent: Some(false) }
    }
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
            Self::Stream(c) => poll_fn(|cx| c.poll_accept_bi(cx)).await,
            // In a box: larger than that of QUIC, for which no session needs to hold a place.
            Self::Memory(c) => Box::pin(c.accept_bi()).await,
        }
    }

    /// The next unidirectional stream the peer opens.
    pub async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        match self {
            Self::Quic(c) => c.accept_uni().await,
            Self::Stream(c) => poll_fn(|cx| c.poll_accept_uni(cx)).await,
            Self::Memory(c) => Box::pin(c.accept_uni()).await,
        }
    }

    /// Opens a bidirectional stream at the highest priority.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match self {
            Self::Quic(c) => c.open_bi().await,
            Self::Stream(c) => Box::pin(c.open_bi()).await,
            Self::Memory(c) => Box::pin(c.open_bi()).await,
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
            Self::Stream(c) => c.poll_open_uni(cx, opening),
            Self::Memory(c) => Poll::Ready(c.open_uni()),
        }
    }

    /// Opens a unidirectional stream.
    pub async fn open_uni(&self) -> Result<SendStream, Closed> {
        let mut opening = None;
        poll_fn(|cx| self.poll_open_uni(cx, &mut opening)).await
    }

    /// The next datagram of the peer; never, where the door has none.
    pub async fn read_datagram(&self) -> Result<Bytes, Closed> {
        match self {
            Self::Quic(c) => c.read_datagram().await,
            Self::Stream(c) => poll_fn(|cx| c.poll_read_datagram(cx)).await,
            Self::Memory(c) => c.read_datagram().await,
        }
    }

    /// Sends a datagram of at most [`Connection::max_datagram_size`] bytes, or loses it.
    pub fn send_datagram(&self, datagram: Bytes) {
        match self {
            Self::Quic(c) => c.send_datagram(datagram),
            Self::Stream(c) => c.send_datagram(datagram),
            Self::Memory(c) => c.send_datagram(datagram),
        }
    }

    /// The most bytes of a datagram to this peer; `None` when it takes none.
    pub fn max_datagram_size(&self) -> Option<usize> {
        match self {
            Self::Quic(c) => c.max_datagram_size(),
            Self::Stream(c) => c.max_datagram_size(),
            Self::Memory(_) => Some(memory::MAX_DATAGRAM),
        }
    }

    /// What is known of the way to the peer now.
    pub fn link(&self) -> Link {
        match self {
            Self::Quic(c) => c.link(),
            Self::Stream(c) => c.link(),
            Self::Memory(_) => Link { bitrate: None, rtt: Some(Duration::ZERO) },
        }
    }

    /// How much has gone over the connection.
    pub fn traffic(&self) -> Traffic {
        match self {
            Self::Quic(c) => c.traffic(),
            Self::Stream(c) => c.traffic(),
            Self::Memory(_) => Traffic::default(),
        }
    }

    /// Closes the session with a session code.
    pub fn close(&self, code: u32, reason: &str) {
        match self {
            Self::Quic(c) => c.close(code, reason),
            Self::Stream(c) => c.close(code, reason),
            Self::Memory(c) => c.close(code, reason),
        }
    }

    /// Waits for the end, whoever ends it.
    pub async fn closed(&self) -> Closed {
        match self {
            Self::Quic(c) => c.closed().await,
            Self::Stream(c) => c.closed().await,
            Self::Memory(c) => c.closed().await,
        }
    }

    /// How many unidirectional streams the peer may have open at a time. Only QUIC pays for streams that may be opened,
    /// so elsewhere the limit is fixed.
    pub fn allow_uni(&self, streams: u32) {
        if let Self::Quic(c) = self {
            c.allow_uni(streams);
        }
    }

    /// The same for bidirectional streams.
    pub fn allow_bi(&self, streams: u32) {
        if let Self::Quic(c) = self {
            c.allow_bi(streams);
        }
    }

    /// Raises the receive window and the send window, in bytes, once the peer is trusted with them. Where windows are fixed
    /// or there are none, the limit of what a stranger may send is lifted.
    pub fn set_windows(&self, receive: u32, send: u64) {
        match self {
            Self::Quic(c) => c.set_windows(receive, send),
            Self::Stream(c) => c.trust(),
            Self::Memory(_) => {}
        }
    }
}

impl From<quic::SendStream> for SendStream {
    fn from(stream: quic::SendStream) -> Self {
        Self { inner: SendKind::Quic(stream), ended: false }
    }
}

impl From<stream::SendStream> for SendStream {
    fn from(stream: stream::SendStream) -> Self {
        Self { inner: SendKind::Stream(stream), ended: false }
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
            SendKind::Stream(s) => s.poll_write(cx, chunks),
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
                SendKind::Stream(s) => s.finish(),
                SendKind::Memory(s) => s.finish(),
            }
        }
    }

    /// Cuts the stream short with a stream code; after [`SendStream::finish`] this does nothing.
    pub fn reset(&mut self, code: u32) {
        if !std::mem::replace(&mut self.ended, true) {
            match &mut self.inner {
                SendKind::Quic(s) => s.reset(code),
                SendKind::Stream(s) => s.reset(code),
                SendKind::Memory(s) => s.reset(code),
            }
        }
    }

    /// Higher is sent first.
    pub fn set_priority(&mut self, priority: i32) {
        match &mut self.inner {
            SendKind::Quic(s) => s.set_priority(priority),
            SendKind::Stream(s) => s.set_priority(priority),
            SendKind::Memory(_) => {}
        }
    }

    /// Waits until the peer has everything, or does not want it: then with its code.
    pub async fn stopped(&mut self) -> Result<Option<u32>, Closed> {
        match &mut self.inner {
            SendKind::Quic(s) => s.stopped().await,
            SendKind::Stream(s) => s.stopped().await,
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
            Self::Stream(s) => s.poll_read(cx, out),
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
            Self::Stream(s) => s.stop(code),
            Self::Memory(s) => s.stop(code),
        }
    }
}
