//! QMux: QUIC's streams over one reliable byte stream or WebSocket (draft-ietf-quic-qmux), and the older `webtransport`
//! framing, all through the `qmux` crate.
//!
//! Its streams are futures that must be polled to their end to keep their place in a queue, unlike QUIC's: a write that
//! has to wait moves into a future of its own here and the stream comes back with its result.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use qmux::{Error, Protocol, Session, SharedSocketStats, TcpStats, Version, transport::Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
};
use web_transport_trait::{Error as _, RecvStream as _, SendStream as _, Session as _, Stats as _};

use super::{Closed, Link, Opening, ReadError, Traffic, WriteError, last_words::LastWords};
use crate::types::code;

/// Bidirectional streams that a peer may have open, as many as on QUIC in the end.
const BI_STREAMS: u64 = 288;
/// Unidirectional ones.
const UNI_STREAMS: u64 = 256;
/// What a peer may have in flight on one stream. Halved, distant publishers of fat tracks wait for credit; doubled, a
/// stranger can make the relay hold that much more.
const STREAM_WINDOW: u64 = 256 << 10;
/// What it may have in flight in all.
const WINDOW: u64 = 1 << 20;
/// Between measurements of the round trip. Halved, idle sessions cost twice the packets; doubled, PROBE tells older news.
const MEASURE: Duration = Duration::from_secs(5);
/// Silence after which a peer is gone. A WebSocket has its own pings.
const IDLE: Duration = Duration::from_secs(15);
/// How long a peer may take to its transport parameters.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How sessions in this framing are served, whatever carries them.
pub(super) fn config(version: Version) -> qmux::Config {
    let mut config = qmux::Config::new(version);
    config.max_streams_bidi = BI_STREAMS;
    config.max_streams_uni = UNI_STREAMS;
    config.rtt_interval = MEASURE;
    config.max_data = WINDOW;
    config.max_stream_data_bidi_local = STREAM_WINDOW;
    config.max_stream_data_bidi_remote = STREAM_WINDOW;
    config.max_stream_data_uni = STREAM_WINDOW;
    config.max_idle_timeout = IDLE.as_millis() as u64;
    config.handshake_timeout = HANDSHAKE;
    config
}

/// The framing of sockets, where nothing is negotiated before it.
pub(super) const FRAMING: Version = Version::QMux01;

/// Who has asked for the connection of a socket.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Client,
    Server,
}

/// Starts a session on a socket. The kernel knows the round trips of some of them (`stats`).
pub(super) async fn start<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    side: Side,
    io: T,
    stats: Option<SharedSocketStats>,
    protocols: &[&str],
) -> Result<Session, Error> {
    let mut config = config(FRAMING);
    config.protocol = Protocol::Negotiate(protocols.iter().copied().map(Into::into).collect());
    let mut socket = Stream::new(LastWords::new(io), FRAMING, config.max_record_size);
    if let Some(stats) = stats {
        socket = socket.with_socket_stats(stats);
    }
    match side {
        Side::Client => Session::connect(socket, config).await,
        Side::Server => Session::accept(socket, config).await,
    }
}

/// What the kernel knows of a TCP connection.
pub(super) fn stats(socket: &TcpStream) -> Option<SharedSocketStats> {
    TcpStats::new(socket).ok().map(|stats| Arc::new(stats) as SharedSocketStats)
}

/// A QMux session.
#[derive(Clone)]
pub struct Connection {
    session: Arc<Session>,
    /// Lifts the limit of what a stranger may send, where the door has one.
    trust: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// A session that is established.
    pub fn new(session: Session) -> Self {
        Self { session: Arc::new(session), trust: None }
    }

    /// The same, with the flag that is raised once the peer is trusted.
    pub(super) fn with_trust(session: Session, trust: Arc<AtomicBool>) -> Self {
        Self { session: Arc::new(session), trust: Some(trust) }
    }

    pub(super) fn trust(&self) {
        if let Some(trust) = &self.trust {
            trust.store(true, Relaxed);
        }
    }

    // Looked for anew each time: a future of the crate would hold a place for what it returns for as long as it waits.
    // Who waits stays known without one, and the crate says why a session is over before it says that nothing more comes.
    pub(super) fn poll_accept_bi(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(super::SendStream, super::RecvStream), Closed>> {
        pin!(self.session.accept_bi()).poll(cx).map(|accepted| accepted.map(bi).map_err(|error| closed(&error)))
    }

    pub(super) fn poll_accept_uni(&self, cx: &mut Context<'_>) -> Poll<Result<super::RecvStream, Closed>> {
        pin!(self.session.accept_uni()).poll(cx).map(|accepted| accepted.map(uni).map_err(|error| closed(&error)))
    }

    pub(super) async fn open_bi(&self) -> Result<(super::SendStream, super::RecvStream), Closed> {
        self.session.open_bi().await.map(bi).map_err(|error| closed(&error))
    }

    pub(super) fn poll_open_uni(
        &self,
        cx: &mut Context<'_>,
        opening: &mut Option<Opening>,
    ) -> Poll<Result<super::SendStream, Closed>> {
        let open = |session: Arc<Session>| async move {
            let stream = session.open_uni().await.map_err(|error| closed(&error))?;
            Ok(SendStream::new(stream).into())
        };
        if let Poll::Ready(result) = pin!(open(self.session.clone())).poll(cx) {
            return Poll::Ready(result);
        }
        let Opening(future) = opening.insert(Opening(Box::pin(open(self.session.clone()))));
        let result = ready!(future.as_mut().poll(cx));
        *opening = None;
        Poll::Ready(result)
    }

    pub(super) fn poll_read_datagram(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        pin!(self.session.recv_datagram()).poll(cx).map_err(|error| closed(&error))
    }

    pub(super) fn send_datagram(&self, datagram: Bytes) {
        // What cannot be sent is lost, as datagrams may be.
        drop(self.session.send_datagram(datagram));
    }

    pub(super) fn max_datagram_size(&self) -> Option<usize> {
        Some(self.session.max_datagram_size()).filter(|size| *size > 0)
    }

    pub(super) fn link(&self) -> Link {
        let stats = self.session.stats();
        Link { bitrate: stats.estimated_send_rate(), rtt: stats.rtt() }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let stats = self.session.stats();
        Traffic { sent: stats.bytes_sent().unwrap_or_default(), received: stats.bytes_received().unwrap_or_default() }
    }

    pub(super) fn close(&self, code: u32, reason: &str) {
        self.session.close(code, reason);
    }

    pub(super) async fn closed(&self) -> Closed {
        closed(&self.session.closed().await)
    }
}

fn bi((send, recv): (qmux::SendStream, qmux::RecvStream)) -> (super::SendStream, super::RecvStream) {
    let mut send = SendStream::new(send);
    send.set_priority(i32::MAX);
    (send.into(), uni(recv))
}

const fn uni(recv: qmux::RecvStream) -> super::RecvStream {
    super::RecvStream::Stream(RecvStream { stream: recv, ended: false })
}

/// The sending half of a stream.
pub struct SendStream {
    state: State,
    priority: i32,
}

enum State {
    /// Nothing is being written.
    Idle(qmux::SendStream),
    /// The first chunk waits for room. The crate lets eight writes of a session wait, which hold up all others: the
    /// session's own control streams then wait for the slowest of its groups.
    Writing {
        write: BoxFuture<'static, Written>,
        /// Resets the stream under it.
        reset: oneshot::Sender<u32>,
    },
    /// Reset while it was written to.
    Over,
}

/// The stream, what is left of the chunk, and how it went.
type Written = (qmux::SendStream, Bytes, Result<(), WriteError>);

impl std::fmt::Debug for SendStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SendStream")
    }
}

impl SendStream {
    const fn new(stream: qmux::SendStream) -> Self {
        Self { state: State::Idle(stream), priority: 0 }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, chunks: &mut Vec<Bytes>) -> Poll<Result<(), WriteError>> {
        let mut done = 0;
        let result = loop {
            let Some(chunk) = chunks.get_mut(done) else { break Poll::Ready(Ok(())) };
            match self.poll_chunk(cx, chunk) {
                Poll::Ready(Ok(())) => done += 1,
                other => break other,
            }
        };
        chunks.drain(..done);
        result
    }

    /// Writes a chunk to its end. While that takes, it is called again with the same chunk.
    fn poll_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<Result<(), WriteError>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Idle(mut stream) => {
                    let written = pin!(stream.write_buf(chunk)).poll(cx);
                    if let Poll::Ready(result) = written {
                        self.state = State::Idle(stream);
                        return Poll::Ready(result.map(drop).map_err(|error| write_error(&error)));
                    }
                    let (reset, code) = oneshot::channel();
                    self.state = State::Writing { write: Box::pin(write(stream, chunk.clone(), code)), reset };
                }
                State::Writing { mut write, reset } => match write.as_mut().poll(cx) {
                    Poll::Ready((mut stream, rest, result)) => {
                        *chunk = rest;
                        stream.set_priority(self.priority);
                        self.state = State::Idle(stream);
                        return Poll::Ready(result);
                    }
                    Poll::Pending => {
                        self.state = State::Writing { write, reset };
                        return Poll::Pending;
                    }
                },
                State::Over => return Poll::Ready(Err(WriteError::Closed)),
            }
        }
    }

    pub(super) fn finish(&mut self) {
        match &mut self.state {
            // A stream the peer has stopped is reset by this look at it, and need not be finished: old peers have forgotten
            // it, and take its end for a new stream.
            State::Idle(stream) => {
                if pin!(stream.closed()).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                    drop(stream.finish());
                }
            }
            // Half a chunk is no end.
            State::Writing { .. } => self.reset(code::CANCELLED),
            State::Over => {}
        }
    }

    pub(super) fn reset(&mut self, code: u32) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Idle(mut stream) => stream.reset(code),
            State::Writing { mut write, reset } => {
                if reset.send(code).is_ok() {
                    let _ = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                }
            }
            State::Over => {}
        }
    }

    pub(super) fn set_priority(&mut self, priority: i32) {
        self.priority = priority;
        if let State::Idle(stream) = &mut self.state {
            stream.set_priority(priority);
        }
    }

    /// Here, the peer has everything once the socket has.
    pub(super) async fn stopped(&mut self) -> Result<Option<u32>, Closed> {
        let State::Idle(stream) = &mut self.state else { return Ok(None) };
        match stream.closed().await {
            Ok(()) => Ok(None),
            Err(Error::StreamStop(code)) => Ok(Some(stream_code(code.into_inner()))),
            Err(error) => Err(closed(&error)),
        }
    }
}

async fn write(mut stream: qmux::SendStream, mut chunk: Bytes, reset: oneshot::Receiver<u32>) -> Written {
    let result = tokio::select! {
        biased;
        code = reset => {
            stream.reset(code.unwrap_or(code::CANCELLED));
            Err(WriteError::Closed)
        }
        result = stream.write_buf(&mut chunk) => result.map(drop).map_err(|error| write_error(&error)),
    };
    (stream, chunk, result)
}

/// The receiving half of a stream.
pub struct RecvStream {
    stream: qmux::RecvStream,
    /// There is nothing more to stop.
    ended: bool,
}

impl std::fmt::Debug for RecvStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecvStream")
    }
}

impl RecvStream {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        let mut read = 0;
        // What ends the stream is found again by the next call, after everything before it was taken.
        while let Some(slot) = out.get_mut(read) {
            match pin!(self.stream.read_chunk(usize::MAX)).poll(cx) {
                Poll::Ready(Ok(Some(chunk))) => {
                    *slot = chunk;
                    read += 1;
                }
                _ if read > 0 => break,
                Poll::Ready(Ok(None)) => {
                    self.ended = true;
                    return Poll::Ready(Ok(None));
                }
                Poll::Ready(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Err(match error {
                        Error::StreamReset(code) => ReadError::Reset(stream_code(code.into_inner())),
                        _ => ReadError::Closed,
                    }));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(Some(read)))
    }

    pub(super) fn stop(&mut self, code: u32) {
        if !std::mem::replace(&mut self.ended, true) {
            self.stream.stop(code);
        }
    }
}

fn write_error(error: &Error) -> WriteError {
    match error {
        Error::StreamStop(code) => WriteError::Stopped(stream_code(code.into_inner())),
        _ => WriteError::Closed,
    }
}

fn stream_code(code: u64) -> u32 {
    u32::try_from(code).unwrap_or(code::INTERNAL)
}

fn closed(error: &Error) -> Closed {
    match error.session_error() {
        Some((code, reason)) => Closed::with_code(code, reason),
        None => Closed { silent: Some(matches!(error, Error::IdleTimeout)), ..Closed::broken(error) },
    }
}
