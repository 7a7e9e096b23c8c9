//! What carries a session: raw QUIC, WebTransport or WebSocket. Raw QUIC is passed straight through to quinn.

use std::{fmt, str::FromStr};

use anyhow::Result;
use bytes::Bytes;
use web_transport_trait::{RecvStream as _, SendStream as _, Session as _};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    Quic,
    WebTransport,
    WebSocket,
}

impl Door {
    pub(crate) const ALL: [Self; 3] = [Self::Quic, Self::WebTransport, Self::WebSocket];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
            Self::WebSocket => "ws",
        }
    }
}

impl FromStr for Door {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|d| d.name() == s).ok_or_else(|| format!("unknown door {s}: {}", names()))
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone)]
pub(crate) enum Connection {
    Quic(quinn::Connection),
    WebTransport(Box<web_transport_quinn::Session>),
    WebSocket(Box<qmux::Session>),
}

impl Connection {
    pub(crate) async fn open_uni(&self) -> Result<SendStream> {
        Ok(match self {
            Self::Quic(conn) => SendStream::Quic(conn.open_uni().await?),
            Self::WebTransport(session) => SendStream::WebTransport(session.open_uni().await?),
            Self::WebSocket(session) => SendStream::WebSocket(session.open_uni().await?),
        })
    }

    pub(crate) async fn open_bi(&self) -> Result<(SendStream, RecvStream)> {
        Ok(match self {
            Self::Quic(conn) => {
                let (send, recv) = conn.open_bi().await?;
                (SendStream::Quic(send), RecvStream::Quic(recv))
            }
            Self::WebTransport(session) => {
                let (send, recv) = session.open_bi().await?;
                (SendStream::WebTransport(send), RecvStream::WebTransport(recv))
            }
            Self::WebSocket(session) => {
                let (send, recv) = session.open_bi().await?;
                (SendStream::WebSocket(send), RecvStream::WebSocket(recv))
            }
        })
    }

    pub(crate) async fn accept_uni(&self) -> Result<RecvStream> {
        Ok(match self {
            Self::Quic(conn) => RecvStream::Quic(conn.accept_uni().await?),
            Self::WebTransport(session) => RecvStream::WebTransport(session.accept_uni().await?),
            Self::WebSocket(session) => RecvStream::WebSocket(session.accept_uni().await?),
        })
    }

    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream)> {
        Ok(match self {
            Self::Quic(conn) => {
                let (send, recv) = conn.accept_bi().await?;
                (SendStream::Quic(send), RecvStream::Quic(recv))
            }
            Self::WebTransport(session) => {
                let (send, recv) = session.accept_bi().await?;
                (SendStream::WebTransport(send), RecvStream::WebTransport(recv))
            }
            Self::WebSocket(session) => {
                let (send, recv) = session.accept_bi().await?;
                (SendStream::WebSocket(send), RecvStream::WebSocket(recv))
            }
        })
    }

    /// Resolves when the connection is over.
    pub(crate) async fn closed(&self) {
        match self {
            Self::Quic(conn) => drop(conn.closed().await),
            Self::WebTransport(session) => drop(session.closed().await),
            Self::WebSocket(session) => drop(session.closed().await),
        }
    }
}

pub(crate) enum SendStream {
    Quic(quinn::SendStream),
    WebTransport(web_transport_quinn::SendStream),
    WebSocket(qmux::SendStream),
}

impl SendStream {
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Quic(s) => s.write_all(bytes).await?,
            Self::WebTransport(s) => s.write_all(bytes).await?,
            Self::WebSocket(s) => s.write_all(bytes).await?,
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        match self {
            Self::Quic(s) => s.finish()?,
            Self::WebTransport(s) => s.finish()?,
            Self::WebSocket(s) => s.finish()?,
        }
        Ok(())
    }

    pub(crate) fn reset(&mut self, code: u32) {
        match self {
            Self::Quic(s) => drop(s.reset(code.into())),
            Self::WebTransport(s) => drop(s.reset(code)),
            Self::WebSocket(s) => s.reset(code),
        }
    }

    /// Resolves when the peer has everything, or wants no more.
    pub(crate) async fn stopped(&mut self) {
        match self {
            Self::Quic(s) => drop(s.stopped().await),
            Self::WebTransport(s) => drop(s.stopped().await),
            Self::WebSocket(s) => drop(s.closed().await),
        }
    }
}

pub(crate) enum RecvStream {
    Quic(quinn::RecvStream),
    WebTransport(web_transport_quinn::RecvStream),
    WebSocket(qmux::RecvStream),
}

impl RecvStream {
    /// The next bytes in order, or None after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        Ok(match self {
            Self::Quic(s) => s.read_chunk(usize::MAX, true).await?.map(|c| c.bytes),
            Self::WebTransport(s) => s.read_chunk(usize::MAX, true).await?.map(|c| c.bytes),
            Self::WebSocket(s) => s.read_chunk(usize::MAX).await?,
        })
    }
}
