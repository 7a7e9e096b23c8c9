//! What carries a session: raw QUIC or WebTransport. Raw QUIC is passed straight through to quinn.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use web_transport_quinn::{Session, proto::ConnectRequest};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    Quic,
    WebTransport,
}

impl FromStr for Door {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        [Self::Quic, Self::WebTransport]
            .into_iter()
            .find(|d| d.name() == s)
            .ok_or_else(|| format!("unknown door {s}: quic or webtransport"))
    }
}

impl Door {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
        }
    }

    /// The ALPN to offer in order to speak `protocol`.
    pub(crate) fn alpn(self, protocol: &str) -> &str {
        match self {
            Self::Quic => protocol,
            Self::WebTransport => web_transport_quinn::ALPN,
        }
    }

    /// Turns an established QUIC connection to `port` into a session of `protocol`.
    pub(crate) async fn open(self, conn: quinn::Connection, protocol: &str) -> Result<Connection> {
        Ok(match self {
            Self::Quic => Connection::Quic(conn),
            Self::WebTransport => {
                let url = url::Url::parse(&format!("https://localhost:{}/", conn.remote_address().port()))?;
                let request = ConnectRequest::new(url).with_protocol(protocol);
                let session = Session::connect(conn, request).await.context("CONNECT")?;
                ensure!(session.protocol() == Some(protocol), "the server chose {:?}", session.protocol());
                Connection::WebTransport(Box::new(session))
            }
        })
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
    WebTransport(Box<Session>),
}

impl Connection {
    pub(crate) async fn open_uni(&self) -> Result<SendStream> {
        Ok(match self {
            Self::Quic(conn) => SendStream::Quic(conn.open_uni().await?),
            Self::WebTransport(session) => SendStream::WebTransport(session.open_uni().await?),
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
        })
    }

    pub(crate) async fn accept_uni(&self) -> Result<RecvStream> {
        Ok(match self {
            Self::Quic(conn) => RecvStream::Quic(conn.accept_uni().await?),
            Self::WebTransport(session) => RecvStream::WebTransport(session.accept_uni().await?),
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
        })
    }

    /// Resolves when the connection is over.
    pub(crate) async fn closed(&self) {
        match self {
            Self::Quic(conn) => drop(conn.closed().await),
            Self::WebTransport(session) => drop(session.closed().await),
        }
    }
}

pub(crate) enum SendStream {
    Quic(quinn::SendStream),
    WebTransport(web_transport_quinn::SendStream),
}

impl SendStream {
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Quic(s) => s.write_all(bytes).await?,
            Self::WebTransport(s) => s.write_all(bytes).await?,
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        match self {
            Self::Quic(s) => s.finish()?,
            Self::WebTransport(s) => s.finish()?,
        }
        Ok(())
    }

    pub(crate) fn reset(&mut self, code: u32) {
        let _ = match self {
            Self::Quic(s) => s.reset(code.into()).is_ok(),
            Self::WebTransport(s) => s.reset(code).is_ok(),
        };
    }

    /// Resolves when the peer has everything, or wants no more.
    pub(crate) async fn stopped(&mut self) {
        match self {
            Self::Quic(s) => drop(s.stopped().await),
            Self::WebTransport(s) => drop(s.stopped().await),
        }
    }
}

pub(crate) enum RecvStream {
    Quic(quinn::RecvStream),
    WebTransport(web_transport_quinn::RecvStream),
}

impl RecvStream {
    /// The next bytes in order, or None after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = match self {
            Self::Quic(s) => s.read_chunk(usize::MAX, true).await?,
            Self::WebTransport(s) => s.read_chunk(usize::MAX, true).await?,
        };
        Ok(chunk.map(|c| c.bytes))
    }
}
