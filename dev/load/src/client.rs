//! Dials the server under test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use quinn::{ClientConfig, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, crypto::rustls::QuicClientConfig};
use web_transport_quinn::{Session, proto::ConnectRequest};

use crate::{
    door::{Connection, Door},
    socket::socket,
    steering::Steering,
    tls, websocket,
};

/// The protocol that `load floor` speaks.
pub(crate) const FLOOR: &str = "floor";
/// What the peer may send on a stream before it is read: quinn's default, through every door.
const WINDOW: u32 = 1_250_000;
/// The same for a viewer that reads nothing, so that it fills up soon.
const STALLED_WINDOW: u32 = 64_000;

/// Whether this end reads what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Eager,
    /// Never: small windows fill up and stay full.
    Stalled,
}

#[derive(Clone)]
pub(crate) struct Client {
    addr: SocketAddr,
    protocol: &'static str,
    dialer: Dialer,
}

#[derive(Clone)]
enum Dialer {
    /// A socket that all connections share.
    Quic(Endpoint),
    WebTransport(Endpoint),
    WebSocket(Box<qmux::Config>),
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, door: Door, protocol: &'static str, reading: Reading) -> Result<Self> {
        Self::steered(addr, door, protocol, reading, &Steering::default())
    }

    /// Its connections go to the workers that `steering` chooses, where QUIC carries them.
    pub(crate) fn steered(
        addr: SocketAddr,
        door: Door,
        protocol: &'static str,
        reading: Reading,
        steering: &Steering,
    ) -> Result<Self> {
        let dialer = match door {
            Door::Quic => Dialer::Quic(endpoint(protocol, reading, steering)?),
            Door::WebTransport => Dialer::WebTransport(endpoint(web_transport_quinn::ALPN, reading, steering)?),
            Door::WebSocket => Dialer::WebSocket(Box::new(qmux_config(reading))),
        };
        Ok(Self { addr, protocol, dialer })
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        Ok(match &self.dialer {
            Dialer::Quic(endpoint) => Connection::Quic(endpoint.connect(self.addr, "localhost")?.await?),
            Dialer::WebTransport(endpoint) => {
                let conn = endpoint.connect(self.addr, "localhost")?.await?;
                let url = url::Url::parse(&format!("https://localhost:{}/", self.addr.port()))?;
                let request = ConnectRequest::new(url).with_protocol(self.protocol);
                let session = Session::connect(conn, request).await.context("CONNECT")?;
                ensure!(session.protocol() == Some(self.protocol), "the server chose {:?}", session.protocol());
                Connection::WebTransport(Box::new(session))
            }
            Dialer::WebSocket(config) => {
                let session = websocket::connect(self.addr, self.protocol, config.as_ref().clone()).await?;
                Connection::WebSocket(Box::new(session))
            }
        })
    }
}

/// quinn's defaults for pacing, congestion control and MTU (at most 1,452), on both ends.
pub(crate) fn transport() -> TransportConfig {
    let mut t = TransportConfig::default();
    t.max_concurrent_bidi_streams(streams().into());
    t.max_concurrent_uni_streams(streams().into());
    t.max_idle_timeout(Some(quinn::VarInt::from_u32(30_000).into()));
    t.keep_alive_interval(Some(Duration::from_secs(5)));
    t
}

#[expect(clippy::disallowed_methods, reason = "clients are quinn as it is")]
fn endpoint(alpn: &str, reading: Reading, steering: &Steering) -> Result<Endpoint> {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), None, socket()?, Arc::new(TokioRuntime))?;
    endpoint.set_default_client_config(config(alpn, reading, steering)?);
    Ok(endpoint)
}

/// What a connection over QUIC starts with.
pub(crate) fn config(alpn: &str, reading: Reading, steering: &Steering) -> Result<ClientConfig> {
    let tls = QuicClientConfig::try_from(tls::client(alpn)?)?;
    let mut config = ClientConfig::new(Arc::new(tls));
    let mut transport = transport();
    transport.stream_receive_window(window(reading).into());
    config.transport_config(Arc::new(transport));
    let steering = steering.clone();
    config.initial_dst_cid_provider(Arc::new(move || steering.id()));
    Ok(config)
}

/// As close to `transport` as QMux can be.
fn qmux_config(reading: Reading) -> qmux::Config {
    let mut config = qmux::Config::new(qmux::Version::QMux01);
    config.max_streams_bidi = streams().into();
    config.max_streams_uni = streams().into();
    config.max_stream_data_bidi_local = window(reading).into();
    config.max_stream_data_bidi_remote = window(reading).into();
    config.max_stream_data_uni = window(reading).into();
    config.max_data = quinn::VarInt::MAX.into_inner(); // as good as none, as in quinn
    config
}

/// How many streams the peer may open towards us: quinn allocates for each, so an idle floor wants few.
fn streams() -> u32 {
    std::env::var("LOAD_STREAMS").ok().and_then(|v| v.parse().ok()).unwrap_or(1024)
}

fn window(reading: Reading) -> u32 {
    match reading {
        Reading::Eager => WINDOW,
        Reading::Stalled => STALLED_WINDOW,
    }
}
