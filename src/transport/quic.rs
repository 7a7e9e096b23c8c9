//! Raw QUIC and WebTransport, both behind a `web_transport_quinn::Session`.
//!
//! Group streams are opened on the QUIC connection itself: the session would write its header alone and at top
//! priority. On WebTransport the header is then the first chunk of the first write.
//!
//! Stream codes are sent in HTTP/3's range (draft-ietf-webtrans-http3, "session error codes") on raw QUIC too: most
//! published raw clients read no others, and those that read plain ones read both.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use quinn::{VarInt, crypto::rustls::HandshakeData};
use web_transport_quinn::{self as web, Session, proto};

use super::{Closed, Link, Opening, ReadError, Traffic, WriteError};

/// Unidirectional stream of WebTransport session 0, the first bidirectional stream.
const UNI_HEADER: Bytes = Bytes::from_static(&[0x40, 0x54, 0x00]);

/// A QUIC connection with or without WebTransport on top.
#[derive(Clone, Debug)]
pub struct Connection {
    session: Arc<Session>,
    web: bool,
}

impl Connection {
    /// A raw QUIC connection.
    pub fn raw(conn: quinn::Connection) -> Self {
        Self { session: Arc::new(Session::raw(conn)), web: false }
    }

    /// A WebTransport session that has been accepted.
    pub fn web(session: Session) -> Self {
        Self { session: Arc::new(session), web: true }
    }

    /// What raw QUIC has agreed on.
    pub(super) fn protocol(&self) -> Option<String> {
        let data = self.quic().handshake_data()?.downcast::<HandshakeData>().ok()?;
        String::from_utf8(data.protocol?).ok()
    }

    fn quic(&self) -> &quinn::Connection {
        &self.session
    }

    pub(super) async fn accept_bi(&self) -> Result<(super::SendStream, super::RecvStream), Closed> {
        let (send, recv) = if self.web {
            let (send, recv) = self.session.accept_bi().await.map_err(closed)?;
            (SendStream::Web(send), RecvStream::Web(recv))
        } else {
            let (send, recv) = self.quic().accept_bi().await.map_err(lost)?;
            (SendStream::plain(send), RecvStream::Raw(recv))
        };
        send.set_priority(i32::MAX);
        Ok((send.into(), super::RecvStream::Quic(recv)))
    }

    pub(super) async fn accept_uni(&self) -> Result<super::RecvStream, Closed> {
        let recv = if self.web {
            RecvStream::Web(self.session.accept_uni().await.map_err(closed)?)
        } else {
            RecvStream::Raw(self.quic().accept_uni().await.map_err(lost)?)
        };
        Ok(super::RecvStream::Quic(recv))
    }

    pub(super) async fn open_bi(&self) -> Result<(super::SendStream, super::RecvStream), Closed> {
        let (send, recv) = if self.web {
            let (send, recv) = self.session.open_bi().await.map_err(closed)?;
            (SendStream::Web(send), RecvStream::Web(recv))
        } else {
            let (send, recv) = self.quic().open_bi().await.map_err(lost)?;
            (SendStream::plain(send), RecvStream::Raw(recv))
        };
        send.set_priority(i32::MAX);
        Ok((send.into(), super::RecvStream::Quic(recv)))
    }

    pub(super) fn poll_open_uni(
        &self,
        cx: &mut Context<'_>,
        opening: &mut Option<Opening>,
    ) -> Poll<Result<super::SendStream, Closed>> {
        let web = self.web;
        if let Poll::Ready(result) = pin!(self.quic().open_uni()).poll(cx) {
            return Poll::Ready(result.map(|stream| SendStream::group(stream, web).into()).map_err(lost));
        }
        let quic = self.quic().clone();
        let Opening(future) = opening.insert(Opening(Box::pin(async move {
            let stream = quic.open_uni().await.map_err(lost)?;
            Ok(SendStream::group(stream, web).into())
        })));
        let result = ready!(future.as_mut().poll(cx));
        *opening = None;
        Poll::Ready(result)
    }

    /// The next datagram, without what WebTransport puts in front.
    pub(super) async fn read_datagram(&self) -> Result<Bytes, Closed> {
        loop {
            match self.session.read_datagram().await {
                Ok(datagram) => return Ok(datagram),
                // Of another WebTransport session, or of none: nobody's.
                Err(web::SessionError::WebTransportError(web::WebTransportError::UnknownSession)) => {}
                Err(error) => return Err(closed(error)),
            }
        }
    }

    pub(super) fn send_datagram(&self, datagram: Bytes) {
        // What cannot be sent is lost, as datagrams may be.
        drop(self.session.send_datagram(datagram));
    }

    pub(super) fn max_datagram_size(&self) -> Option<usize> {
        Some(self.session.max_datagram_size()).filter(|size| *size > 0)
    }

    pub(super) fn link(&self) -> Link {
        let (quic, rtt) = (self.quic(), self.quic().rtt());
        // What the congestion window lets through in one round trip.
        let rate = quic.stats().path.cwnd as f64 * 8.0 / rtt.as_secs_f64();
        Link { bitrate: (rate.is_finite() && rate >= 1.0).then_some(rate as u64), rtt: Some(rtt) }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let stats = self.quic().stats();
        Traffic { sent: stats.udp_tx.bytes, received: stats.udp_rx.bytes }
    }

    pub(super) fn close(&self, code: u32, reason: &str) {
        self.session.close(code, reason.as_bytes());
    }

    pub(super) async fn closed(&self) -> Closed {
        let closed = closed(self.session.closed().await);
        match (closed.code, self.quic().close_reason()) {
            (None, Some(reason)) => Closed { silent: silence(&reason), ..closed },
            _ => closed,
        }
    }

    pub(super) fn allow_uni(&self, streams: u32) {
        self.quic().set_max_concurrent_uni_streams(streams.into());
    }

    pub(super) fn allow_bi(&self, streams: u32) {
        self.quic().set_max_concurrent_bi_streams(streams.into());
    }

    pub(super) fn set_windows(&self, receive: u32, send: u64) {
        self.quic().set_receive_window(receive.into());
        self.quic().set_send_window(send);
    }
}

/// The sending half of a QUIC stream.
#[derive(Debug)]
pub enum SendStream {
    /// A stream of the QUIC connection.
    Quic {
        /// The stream.
        stream: quinn::SendStream,
        /// It belongs to a WebTransport session.
        web: bool,
        /// Its WebTransport header is still to be written.
        headless: bool,
    },
    /// A bidirectional WebTransport stream.
    Web(web::SendStream),
}

impl SendStream {
    const fn plain(stream: quinn::SendStream) -> Self {
        Self::Quic { stream, web: false, headless: false }
    }

    const fn group(stream: quinn::SendStream, web: bool) -> Self {
        Self::Quic { stream, web, headless: web }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, chunks: &mut Vec<Bytes>) -> Poll<Result<(), WriteError>> {
        if let Self::Quic { headless, .. } = self
            && std::mem::take(headless)
        {
            chunks.insert(0, UNI_HEADER);
        }
        while !chunks.is_empty() {
            let written = match self {
                Self::Quic { stream, web, .. } => {
                    ready!(pin!(stream.write_chunks(chunks)).poll(cx)).map_err(|e| write_error(e, *web))?
                }
                Self::Web(stream) => ready!(pin!(stream.write_chunks(chunks)).poll(cx)).map_err(web_write_error)?,
            };
            chunks.drain(..written.chunks);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn finish(&mut self) {
        // A stream the peer has stopped cannot be finished, and need not be.
        match self {
            Self::Quic { stream, .. } => drop(stream.finish()),
            Self::Web(stream) => drop(stream.finish()),
        }
    }

    pub(super) fn reset(&mut self, code: u32) {
        match self {
            Self::Quic { stream, .. } => drop(stream.reset(encode(code))),
            Self::Web(stream) => drop(stream.reset(code)),
        }
    }

    pub(super) fn set_priority(&self, priority: i32) {
        match self {
            Self::Quic { stream, .. } => drop(stream.set_priority(priority)),
            Self::Web(stream) => drop(stream.set_priority(priority)),
        }
    }

    pub(super) async fn stopped(&mut self) -> Result<Option<u32>, Closed> {
        match self {
            Self::Quic { stream, web, .. } => match stream.stopped().await {
                Ok(code) => Ok(code.map(|code| decode(code, *web))),
                Err(error) => Err(Closed::broken(error)),
            },
            Self::Web(stream) => stream.stopped().await.map_err(closed),
        }
    }
}

/// The receiving half of a QUIC stream.
#[derive(Debug)]
pub enum RecvStream {
    /// Of raw QUIC.
    Raw(quinn::RecvStream),
    /// Of WebTransport, behind its header.
    Web(web::RecvStream),
}

impl RecvStream {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        match self {
            Self::Raw(stream) => pin!(stream.read_chunks(out)).poll(cx).map_err(|error| match error {
                quinn::ReadError::Reset(code) => ReadError::Reset(decode(code, false)),
                _ => ReadError::Closed,
            }),
            Self::Web(stream) => pin!(stream.read_chunks(out)).poll(cx).map_err(|error| match error {
                web::ReadError::Reset(code) => ReadError::Reset(code),
                web::ReadError::InvalidReset(_) => ReadError::Reset(crate::types::code::INTERNAL),
                _ => ReadError::Closed,
            }),
        }
    }

    pub(super) fn stop(&mut self, code: u32) {
        match self {
            Self::Raw(stream) => drop(stream.stop(encode(code))),
            Self::Web(stream) => drop(stream.stop(code)),
        }
    }
}

fn encode(code: u32) -> VarInt {
    VarInt::from_u64(proto::error_to_http3(code)).unwrap_or(VarInt::MAX)
}

/// Raw peers send mapped or plain codes; the ranges do not overlap.
fn decode(code: VarInt, web: bool) -> u32 {
    let mapped = proto::error_from_http3(code.into_inner());
    let plain = u32::try_from(code.into_inner()).ok().filter(|_| !web);
    mapped.or(plain).unwrap_or(crate::types::code::INTERNAL)
}

fn write_error(error: quinn::WriteError, web: bool) -> WriteError {
    match error {
        quinn::WriteError::Stopped(code) => WriteError::Stopped(decode(code, web)),
        _ => WriteError::Closed,
    }
}

fn web_write_error(error: web::WriteError) -> WriteError {
    match error {
        web::WriteError::Stopped(code) => WriteError::Stopped(code),
        web::WriteError::InvalidStopped(_) => WriteError::Stopped(crate::types::code::INTERNAL),
        _ => WriteError::Closed,
    }
}

fn lost(error: quinn::ConnectionError) -> Closed {
    let code = match &error {
        quinn::ConnectionError::ApplicationClosed(close) => Some(decode(close.error_code, false)),
        _ => None,
    };
    let silent = silence(&error);
    Closed { code, silent, ..Closed::broken(error) }
}

/// Whether a connection has ended for lack of packets. The WebTransport library closes whatever has lost its session, and
/// then nobody knows why.
fn silence(error: &quinn::ConnectionError) -> Option<bool> {
    match error {
        quinn::ConnectionError::LocallyClosed => None,
        error => Some(*error == quinn::ConnectionError::TimedOut),
    }
}

fn closed(error: web::SessionError) -> Closed {
    match error {
        web::SessionError::WebTransportError(web::WebTransportError::Closed(code, reason)) => {
            Closed::with_code(code, reason)
        }
        web::SessionError::ConnectionError(error) => lost(error),
        error => Closed::broken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_mapped_as_the_reference_says() {
        for (code, mapped) in [
            (0, 0x52e4_a40f_a8db_u64),
            (1, 0x52e4_a40f_a8dc),
            (29, 0x52e4_a40f_a8f8),
            (30, 0x52e4_a40f_a8fa),
            (0x34, 0x52e4_a40f_a910),
        ] {
            assert_eq!(encode(code).into_inner(), mapped);
            for web in [true, false] {
                assert_eq!(decode(VarInt::from_u64(mapped).unwrap(), web), code);
            }
            assert_eq!(decode(code.into(), false), code);
        }
    }
}
