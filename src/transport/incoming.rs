//! The QUIC listener, and the way of a client from its first packet to a connection with a protocol and a URL.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, congestion,
    crypto::rustls::{HandshakeData, QuicServerConfig},
};
use web_transport_quinn::{Request, proto::ConnectResponse};

use super::{Connection, quic};

/// ALPN of WebTransport.
pub const HTTP3: &str = "h3";

/// Silence after which a peer is gone. Halved, mobile peers are cut off in tunnels; doubled, dead publishers hold
/// their broadcasts that much longer.
const IDLE: Duration = Duration::from_secs(10);
/// Well within [`IDLE`], so that three packets must be lost before it strikes.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// A stream's receive window. Fixed by QUIC when the connection is accepted.
const STREAM_WINDOW: u32 = 1 << 20;
/// What a stranger may make the relay buffer, in each direction.
const STRANGER_WINDOW: u32 = 256 << 10;
/// Received datagrams that wait to be read. Nothing reads them: older ones are dropped.
const DATAGRAM_BUFFER: usize = 64 << 10;

/// A QUIC endpoint that takes connections, driven by the runtime it was made on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listener(Endpoint);

impl Listener {
    /// Serves QUIC on a bound socket. Every connection starts with `streams` streams of each kind.
    pub fn new(socket: std::net::UdpSocket, tls: rustls::ServerConfig, streams: u32) -> io::Result<Self> {
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport(streams)));
        Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(quinn::TokioRuntime)).map(Self)
    }

    /// The next client; `None` once the listener is closed.
    pub async fn accept(&self) -> Option<Incoming> {
        self.0.accept().await.map(Incoming)
    }

    /// Ends every connection with an application code.
    pub fn close(&self, code: u32, reason: &str) {
        self.0.close(code.into(), reason.as_bytes());
    }

    /// Waits until every peer has heard of the close, or its time is up.
    pub async fn drained(&self) {
        self.0.wait_idle().await;
    }
}

/// A client whose first packet has arrived.
#[derive(Debug)]
pub struct Incoming(quinn::Incoming);

/// A client that is connected.
#[derive(Debug)]
pub struct Greeting {
    /// The connection, ready for streams.
    pub conn: Connection,
    /// What both speak on it: of raw QUIC the ALPN, of WebTransport the subprotocol, if they have one in common.
    pub protocol: Option<String>,
    /// Path and query of the URL, where the door has one.
    pub url: Option<String>,
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoConnection(String);

impl Incoming {
    /// Where the packet came from.
    pub fn remote_address(&self) -> SocketAddr {
        self.0.remote_address()
    }

    /// QUIC, then HTTP/3 where the client speaks it. On WebTransport its order of `protocols` counts.
    pub async fn greet(self, protocols: &[&str]) -> Result<Greeting, NoConnection> {
        let quic = self.0.await.map_err(refused)?;
        let data = quic.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        let alpn = data.and_then(|data| data.protocol).and_then(|alpn| String::from_utf8(alpn).ok());
        if alpn.as_deref() == Some(HTTP3) {
            return web_transport(quic, protocols).await;
        }
        Ok(Greeting { conn: Connection::Quic(quic::Connection::raw(quic)), protocol: alpn, url: None })
    }
}

async fn web_transport(quic: quinn::Connection, protocols: &[&str]) -> Result<Greeting, NoConnection> {
    let request = Request::accept(quic).await.map_err(refused)?;
    let url = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let protocol = request.protocols.iter().find(|protocol| protocols.contains(&protocol.as_str())).cloned();
    let mut response = ConnectResponse::OK;
    if let Some(protocol) = &protocol {
        response = response.with_protocol(protocol);
    }
    let session = request.respond(response).await.map_err(refused)?;
    Ok(Greeting { conn: Connection::Quic(quic::Connection::web(session)), protocol, url: Some(url) })
}

fn refused(error: impl std::fmt::Display) -> NoConnection {
    NoConnection(error.to_string())
}

fn transport(streams: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(streams.into())
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(STRANGER_WINDOW.into())
        .send_window(u64::from(STRANGER_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .congestion_controller_factory(Arc::new(congestion::CubicConfig::default()));
    transport
}
