//! The QUIC listener: an endpoint on a socket, and what every connection starts with.

use std::{io, sync::Arc, time::Duration};

use quinn::{
    AckFrequencyConfig, Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig,
    VarInt,
    crypto::{HmacKey, rustls::QuicServerConfig},
};

use super::{
    Driver, Incoming, burst,
    config::{Quic, Server, Streams},
    congestion,
    port::{Ids, Share},
};

/// What a stranger may make the relay buffer, in each direction.
const STRANGER_WINDOW: u64 = 256 << 10;
/// Packets that a peer may get without acknowledging them, for up to its delay of 25 ms; it tells of a gap at once
/// (draft-ietf-quic-ack-frequency, of peers that know it). RFC 9000 §13.2.2 says 1. Halved, what a relay mostly does besides
/// sending costs nearly twice as much; doubled, the first window of a new connection, ten packets, is answered late.
const UNACKNOWLEDGED: u32 = 8;
/// Datagrams that wait, in each direction; the oldest are dropped.
const DATAGRAM_BUFFER: usize = 64 << 10;

/// What every worker's listener offers, made once: an address that one of them has validated is known to all.
#[derive(Clone)]
pub struct Terms {
    config: ServerConfig,
    reset: Option<Arc<dyn HmacKey>>,
}

impl Terms {
    /// With the same `reset` key as the process before, peers of that one learn at once that it is gone (RFC 9000 §10.3).
    pub fn new(
        tls: rustls::ServerConfig,
        (server, quic): (&Server, &Quic),
        reset: Option<Arc<dyn HmacKey>>,
    ) -> io::Result<Self> {
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport(quic)));
        config.preferred_address_v4(server.preferred_v4).preferred_address_v6(server.preferred_v6);
        Ok(Self { config, reset })
    }
}

/// A QUIC endpoint that takes connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listener(Endpoint);

impl Listener {
    /// Serves QUIC on a worker's share of a port, as long as the driver is polled.
    pub fn new(share: Share, terms: Terms) -> io::Result<(Self, Driver)> {
        let ids = Ids(share.place());
        let mut endpoint = EndpointConfig::default();
        endpoint.cid_generator(move || Box::new(ids));
        if let Some(reset) = terms.reset {
            endpoint.reset_key(reset);
        }
        let (endpoint, driver) = burst::endpoint(endpoint, Some(terms.config), share.open()?)?;
        Ok((Self(endpoint), driver))
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

/// How QUIC connections are held, whoever opens them.
pub(super) fn transport(quic: &Quic) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let is_set = |time: &Duration| !time.is_zero();
    let mtu = quic.mtu_discovery.then(MtuDiscoveryConfig::default);
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(UNACKNOWLEDGED.into());
    transport
        .ack_frequency_config(Some(acks))
        .max_concurrent_bidi_streams(Streams::IDLE.bi.into())
        .max_concurrent_uni_streams(Streams::IDLE.uni.into())
        .max_idle_timeout(Some(quic.idle_timeout).filter(is_set).and_then(|time| IdleTimeout::try_from(time).ok()))
        .keep_alive_interval(Some(quic.keep_alive).filter(is_set))
        .stream_receive_window(integer(quic.stream_receive_window))
        .receive_window(integer(quic.receive_window.min(STRANGER_WINDOW)))
        .send_window(quic.send_window.min(STRANGER_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .enable_segmentation_offload(quic.gso)
        .mtu_discovery_config(mtu)
        .congestion_controller_factory(congestion::factory(quic.congestion_control));
    transport
}

fn integer(bytes: u64) -> VarInt {
    VarInt::from_u64(bytes).unwrap_or(VarInt::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_set_reaches_the_connection() {
        let shown = |quic: &Quic| format!("{:?}", transport(quic));
        let usual = shown(&Quic::default());
        assert!(usual.contains("max_idle_timeout: Some(10000)"), "{usual}");
        assert!(usual.contains("keep_alive_interval: Some(3s)"), "{usual}");
        assert!(
            usual.contains("receive_window: 262144") && usual.contains("stream_receive_window: 1048576"),
            "{usual}"
        );
        assert!(usual.contains("enable_segmentation_offload: true"), "{usual}");
        assert!(!usual.contains("mtu_discovery_config: None"), "{usual}");

        let quiet = shown(&Quic {
            idle_timeout: Duration::ZERO,
            keep_alive: Duration::ZERO,
            stream_receive_window: 7,
            receive_window: 8,
            send_window: 9,
            mtu_discovery: false,
            gso: false,
            ..Quic::default()
        });
        for part in [
            "max_idle_timeout: None",
            "keep_alive_interval: None",
            "stream_receive_window: 7",
            " receive_window: 8",
            "send_window: 9",
            "mtu_discovery_config: None",
            "enable_segmentation_offload: false",
        ] {
            assert!(quiet.contains(part), "{part}: {quiet}");
        }
    }
}
