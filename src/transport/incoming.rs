//! A client at any door, and its way to a connection with a protocol and a URL.

use std::{net::SocketAddr, sync::Arc};

use quinn::crypto::rustls::HandshakeData;
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpStream, UnixStream};
use web_transport_quinn::{Request, proto::ConnectResponse};
use web_transport_trait::Session as _;

use super::{
    Connection, quic,
    stream::{self, Side},
    tls,
    websocket::{self, WebSocket},
};
use crate::types::Certificate;

/// ALPN of WebTransport.
pub const HTTP3: &str = "h3";

/// A client that has knocked.
#[derive(Debug)]
pub enum Incoming {
    /// Its first packet has arrived: raw QUIC or WebTransport.
    Quic(Box<quinn::Incoming>),
    /// Its HTTP request is being upgraded.
    WebSocket(WebSocket, SocketAddr),
    /// It has connected by TCP.
    Tcp(TcpStream, SocketAddr),
    /// It has connected to the Unix socket.
    Unix(UnixStream),
}

/// A client that is connected.
#[derive(Debug)]
pub struct Greeting {
    /// The connection, ready for streams.
    pub conn: Connection,
    /// What both speak on it: of raw QUIC the ALPN, elsewhere the subprotocol, if they have one in common.
    pub protocol: Option<String>,
    /// Path and query of the URL, where the door has one.
    pub url: Option<String>,
    /// The host that the client means, by its URL or by TLS.
    pub host: Option<String>,
    /// Who the client is by TLS, if it shows a certificate.
    pub certificate: Option<Arc<Certificate>>,
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoConnection(String);

impl Incoming {
    /// Which door it is, for people.
    pub const fn door(&self) -> &'static str {
        match self {
            Self::Quic(_) => "quic",
            Self::WebSocket(..) => "websocket",
            Self::Tcp(..) => "tcp",
            Self::Unix(_) => "unix",
        }
    }

    /// Where it comes from; a Unix socket does not say.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Quic(incoming) => Some(incoming.remote_address()),
            Self::WebSocket(_, remote) | Self::Tcp(_, remote) => Some(*remote),
            Self::Unix(_) => None,
        }
    }

    /// The door's own handshake. `protocols` are what this side speaks, its favourite first; on WebTransport the client's
    /// order counts.
    pub async fn greet(self, protocols: &[&str]) -> Result<Greeting, NoConnection> {
        match self {
            Self::Quic(incoming) => quic(*incoming, protocols).await,
            Self::WebSocket(socket, _) => {
                let WebSocket { subprotocol, upgrading } = socket;
                let (conn, protocol) = websocket::accept(subprotocol, upgrading).await.map_err(refused)?;
                Ok(Greeting { conn: Connection::Stream(conn), protocol, url: None, host: None, certificate: None })
            }
            Self::Tcp(socket, _) => {
                socket.set_nodelay(true).map_err(refused)?;
                let stats = stream::stats(&socket);
                plain(stream::start(Side::Server, socket, stats, protocols).await)
            }
            Self::Unix(socket) => plain(stream::start(Side::Server, socket, None, protocols).await),
        }
    }
}

/// QUIC, then HTTP/3 where the client speaks it.
async fn quic(incoming: quinn::Incoming, protocols: &[&str]) -> Result<Greeting, NoConnection> {
    let quic = incoming.await.map_err(refused)?;
    let data = quic.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let (alpn, host) = data.map_or((None, None), |data| (data.protocol, data.server_name));
    let alpn = alpn.and_then(|alpn| String::from_utf8(alpn).ok());
    let chain = quic.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = chain.and_then(|chain| tls::certificate(&chain)).map(Arc::new);
    if alpn.as_deref() == Some(HTTP3) {
        return web_transport(quic, protocols, certificate).await;
    }
    Ok(Greeting { conn: Connection::Quic(quic::Connection::raw(quic)), protocol: alpn, url: None, host, certificate })
}

async fn web_transport(
    quic: quinn::Connection,
    protocols: &[&str],
    certificate: Option<Arc<Certificate>>,
) -> Result<Greeting, NoConnection> {
    let request = Request::accept(quic).await.map_err(refused)?;
    let url = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let host = request.url.host_str().map(ToOwned::to_owned);
    let protocol = request.protocols.iter().find(|protocol| protocols.contains(&protocol.as_str())).cloned();
    let mut response = ConnectResponse::OK;
    if let Some(protocol) = &protocol {
        response = response.with_protocol(protocol);
    }
    let session = request.respond(response).await.map_err(refused)?;
    Ok(Greeting { conn: Connection::Quic(quic::Connection::web(session)), protocol, url: Some(url), host, certificate })
}

fn plain(session: Result<qmux::Session, qmux::Error>) -> Result<Greeting, NoConnection> {
    let session = session.map_err(refused)?;
    let protocol = session.protocol().map(ToOwned::to_owned);
    Ok(Greeting {
        conn: Connection::Stream(stream::Connection::new(session)),
        protocol,
        url: None,
        host: None,
        certificate: None,
    })
}

fn refused(error: impl std::fmt::Display) -> NoConnection {
    NoConnection(error.to_string())
}
