//! The QUIC listener: an endpoint on a socket, and what every connection starts with.

use std::{io, sync::Arc, time::Duration};

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, congestion, crypto::rustls::QuicServerConfig,
};

use super::Incoming;

/// Silence after which a peer is gone. Halved, mobile peers are cut off in tunnels; doubled, dead publishers hold
/// their broadcasts that much longer.
const IDLE: Duration = Duration::from_secs(10);
/// Well within [`IDLE`], so that three packets must be lost before it strikes.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// A stream's receive window. Fixed by QUIC when the connection is accepted.
const STREAM_WINDOW: u32 = 1 << 20;
/// What a stranger may make the relay buffer, in each direction.
const STRANGER_WINDOW: u32 = 256 << 10;
/// Datagrams that wait, in each direction; the oldest are dropped.
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
        self.0.accept().await.map(|incoming| Incoming::Quic(Box::new(incoming)))
    }

    /// Lets nobody else in.
    pub fn refuse(&self) {
        self.0.set_server_config(None);
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
