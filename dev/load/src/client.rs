//! A socket that dials the server under test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use quinn::{ClientConfig, Endpoint, TransportConfig, crypto::rustls::QuicClientConfig};

use crate::{
    door::{Connection, Door},
    tls,
};

/// The protocol that `load floor` speaks.
pub(crate) const FLOOR: &str = "floor";

/// Whether this end reads what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Eager,
    /// Never: small windows fill up and stay full.
    Stalled,
}

#[derive(Clone)]
pub(crate) struct Client {
    endpoint: Endpoint,
    addr: SocketAddr,
    door: Door,
    protocol: &'static str,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr, door: Door, protocol: &'static str, reading: Reading) -> Result<Self> {
        let tls = QuicClientConfig::try_from(tls::client(door.alpn(protocol))?)?;
        let mut config = ClientConfig::new(Arc::new(tls));
        let mut transport = transport();
        if reading == Reading::Stalled {
            transport.stream_receive_window(64_000u32.into());
        }
        config.transport_config(Arc::new(transport));
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(config);
        Ok(Self { endpoint, addr, door, protocol })
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        let conn = self.endpoint.connect(self.addr, "localhost")?.await?;
        self.door.open(conn, self.protocol).await
    }
}

/// quinn's defaults for pacing, congestion control and MTU (at most 1,452), on both ends.
pub(crate) fn transport() -> TransportConfig {
    let mut t = TransportConfig::default();
    // What the peer may open towards us: quinn allocates for each, so an idle floor wants few.
    let streams: u32 = std::env::var("LOAD_STREAMS").ok().and_then(|v| v.parse().ok()).unwrap_or(1024);
    t.max_concurrent_bidi_streams(streams.into());
    t.max_concurrent_uni_streams(streams.into());
    t.max_idle_timeout(Some(quinn::VarInt::from_u32(30_000).into()));
    t.keep_alive_interval(Some(Duration::from_secs(5)));
    t
}
