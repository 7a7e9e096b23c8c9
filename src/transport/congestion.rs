//! How the rate of a connection is found (RFC 9002 §7): the library's controllers, one of them with a floor.
//!
//! BBR keeps as much in flight as a path carries within its shortest round trip. Where that is far shorter than the usual
//! one, as between two busy machines in one building, four packets are left, and a viewer of 10 Mbit/s falls behind by
//! seconds. So its window never is less than what the path has lately carried within [`REACH`].

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use quinn::congestion::{BbrConfig, Controller, ControllerFactory, ControllerMetrics, CubicConfig, NewRenoConfig};
use quinn_proto::RttEstimator;

use super::config::Congestion;

/// Round trips up to this long do not slow a connection down. Halved, a peer that acknowledges after its 25 ms on a busy
/// machine is slowed down; doubled, a full path makes its packets wait that much longer.
const REACH: Duration = Duration::from_millis(50);
/// For how long it counts, up to twice, what a path has carried; acknowledgements are the clock. Halved, a pause between
/// two frames makes it forgotten; doubled, a path that has become slower is overfilled for that much longer.
const LATELY: Duration = Duration::from_secs(2);
/// The part of what is carried that may be lost. Halved, paths that lose packets for no reason have no floor; doubled,
/// paths that are full are given more than they hold.
const LOSS: u64 = 8;

/// What makes the controller of each connection.
pub(super) fn factory(congestion: Congestion) -> Arc<dyn ControllerFactory + Send + Sync> {
    match congestion {
        Congestion::Cubic => Arc::new(CubicConfig::default()),
        Congestion::Bbr => Arc::new(FlooredConfig(Arc::new(BbrConfig::default()))),
        Congestion::NewReno => Arc::new(NewRenoConfig::default()),
    }
}

struct FlooredConfig(Arc<dyn ControllerFactory + Send + Sync>);

impl ControllerFactory for FlooredConfig {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Floored { bbr: self.0.clone().build(now, mtu), carried: Carried::new(now) })
    }
}

/// BBR with a floor.
struct Floored {
    bbr: Box<dyn Controller>,
    carried: Carried,
}

impl Controller for Floored {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.bbr.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.carried.acknowledged(now, bytes);
        self.bbr.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.bbr.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent: bool, lost_bytes: u64) {
        self.carried.lost(if is_persistent { u64::MAX } else { lost_bytes });
        self.bbr.on_congestion_event(now, sent, is_persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.bbr.on_mtu_update(mtu);
    }

    fn window(&self) -> u64 {
        self.bbr.window().max(self.carried.most())
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.bbr.metrics();
        metrics.congestion_window = self.window();
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self { bbr: self.bbr.clone_box(), carried: self.carried.clone() })
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The most that a path has lately carried within [`REACH`].
#[derive(Clone)]
struct Carried {
    /// When this stretch of time began, and what was acknowledged and lost in it.
    since: Instant,
    acknowledged: u64,
    lost: u64,
    /// When these stretches began to be compared; the most of any of them, and of those compared before.
    comparing: Instant,
    most: u64,
    before: u64,
}

impl Carried {
    const fn new(now: Instant) -> Self {
        Self { since: now, acknowledged: 0, lost: 0, comparing: now, most: 0, before: 0 }
    }

    fn acknowledged(&mut self, now: Instant, bytes: u64) {
        let passed = now.saturating_duration_since(self.comparing);
        if passed >= LATELY {
            self.before = if passed < 2 * LATELY { self.most } else { 0 };
            (self.comparing, self.most) = (now, 0);
        }
        if now.saturating_duration_since(self.since) >= REACH {
            (self.since, self.acknowledged, self.lost) = (now, 0, 0);
        }
        self.acknowledged += bytes;
        if self.lost <= self.acknowledged / LOSS {
            self.most = self.most.max(self.acknowledged);
        }
    }

    fn lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
        if self.lost > self.most() / LOSS {
            (self.most, self.before) = (0, 0);
        }
    }

    fn most(&self) -> u64 {
        self.most.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use quinn::{
        ClientConfig, Endpoint, ServerConfig, TransportConfig,
        crypto::rustls::{QuicClientConfig, QuicServerConfig},
    };
    use tokio::time::timeout;

    use super::*;
    use crate::transport::{
        config::{Tls, Trust},
        tls::{self, Identity, Over},
    };

    const ALPN: &str = "moq-lite-05";

    const MTU: u64 = 1200;

    /// A controller whose window never changes.
    #[derive(Clone)]
    struct Still;

    impl Still {
        const WINDOW: u64 = 10 * MTU;
    }

    impl Controller for Still {
        fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

        fn on_mtu_update(&mut self, _: u16) {}

        fn window(&self) -> u64 {
            Self::WINDOW
        }

        fn clone_box(&self) -> Box<dyn Controller> {
            Box::new(Self)
        }

        fn initial_window(&self) -> u64 {
            Self::WINDOW
        }

        fn into_any(self: Box<Self>) -> Box<dyn Any> {
            self
        }
    }

    impl ControllerFactory for Still {
        fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
            Box::new(Self)
        }
    }

    #[test]
    fn bbr_is_the_one_with_a_floor() {
        let is_floored = |congestion| factory(congestion).build(Instant::now(), MTU as u16).into_any().is::<Floored>();
        assert!(is_floored(Congestion::Bbr));
        assert!(!is_floored(Congestion::Cubic) && !is_floored(Congestion::NewReno));
    }

    #[tokio::test]
    async fn what_a_peer_acknowledges_raises_the_window() {
        let identity = Identity::load(&Tls { generate: vec!["localhost".into()], ..Tls::default() }).unwrap();
        let served = QuicServerConfig::try_from(identity.server_config(&[ALPN]).unwrap()).unwrap();
        let trust = Trust { disable_verify: true, ..Trust::default() };
        let dialed = tls::client_config(&trust, None, Over::Quic, &[ALPN]).unwrap();
        let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(dialed).unwrap()));
        let mut transport = TransportConfig::default();
        transport.congestion_controller_factory(Arc::new(FlooredConfig(Arc::new(Still))));
        let mut server = ServerConfig::with_crypto(Arc::new(served));
        server.transport_config(Arc::new(transport));
        let server = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connecting = client.connect_with(config, server.local_addr().unwrap(), "localhost").unwrap();
        let (ours, theirs) = tokio::join!(async { server.accept().await.unwrap().await.unwrap() }, connecting);
        let theirs = theirs.unwrap();
        let reading = tokio::spawn(async move {
            let mut stream = theirs.accept_uni().await.unwrap();
            while let Ok(Some(_)) = stream.read_chunk(usize::MAX, true).await {}
        });
        let mut stream = ours.open_uni().await.unwrap();
        let raised = async {
            while ours.stats().path.cwnd <= Still::WINDOW {
                stream.write_all(&[0; 10_000]).await.unwrap();
            }
        };
        timeout(Duration::from_secs(60), raised).await.expect("a machine that carries 12 kB in 50 ms");
        reading.abort();
    }

    /// A path that carries so many bytes each millisecond, for so many of them.
    fn carry(carried: &mut Carried, from: Instant, each: u64, ms: u64) -> Instant {
        (0..ms).for_each(|ms| carried.acknowledged(from + Duration::from_millis(ms), each));
        from + Duration::from_millis(ms)
    }

    #[test]
    fn what_is_carried_within_reach_is_the_floor() {
        let start = Instant::now();
        let mut carried = Carried::new(start);
        assert_eq!(carried.most(), 0);
        let now = carry(&mut carried, start, MTU, 1000);
        assert_eq!(carried.most(), 50 * MTU);
        let now = carry(&mut carried, now, MTU / 10, 1000);
        assert_eq!(carried.most(), 50 * MTU, "the most of late");
        carry(&mut carried, now, MTU / 10, 4000);
        assert_eq!(carried.most(), 50 * MTU / 10, "a path that has become slower");
    }

    #[test]
    fn a_pause_makes_it_forgotten() {
        let start = Instant::now();
        for (pause, most) in [(1, 50 * MTU), (2, 50 * MTU), (4, MTU)] {
            let mut carried = Carried::new(start);
            let end = carry(&mut carried, start, MTU, 1000);
            carried.acknowledged(end + Duration::from_secs(pause), MTU);
            assert_eq!(carried.most(), most, "after {pause} s");
        }
    }

    #[test]
    fn a_path_that_is_full_has_no_floor() {
        let start = Instant::now();
        let mut carried = Carried::new(start);
        let now = carry(&mut carried, start, MTU, 1000);
        carried.lost(3 * MTU);
        assert_eq!(carried.most(), 50 * MTU, "a path may lose some");
        carried.lost(4 * MTU);
        assert_eq!(carried.most(), 0);
        carried.acknowledged(now, MTU);
        carried.lost(MTU);
        carry(&mut carried, now, MTU, 5);
        assert_eq!(carried.most(), 0, "a fifth was lost");
        carry(&mut carried, now + REACH, MTU, 50);
        assert_eq!(carried.most(), 50 * MTU);
        carried.lost(u64::MAX);
        assert_eq!(carried.most(), 0, "persistent congestion");
    }

    #[test]
    fn the_window_is_the_greater_of_both() {
        let start = Instant::now();
        let mut controller =
            Floored { bbr: Arc::new(BbrConfig::default()).build(start, MTU as u16), carried: Carried::new(start) };
        let bbr = controller.bbr.window();
        assert_eq!(controller.window(), bbr);
        carry(&mut controller.carried, start, 1 << 20, 50);
        assert_eq!(controller.window(), 50 << 20);
        assert_eq!(controller.clone_box().window(), 50 << 20);
        controller.on_congestion_event(start, start, true, MTU);
        assert_eq!(controller.window(), bbr);
    }
}
