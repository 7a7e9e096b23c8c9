//! What can be set about QUIC connections.

use std::time::Duration;

/// How QUIC connections are held and paced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quic {
    /// Silence after which a peer is gone; zero is never. Halved, mobile peers are cut off in tunnels; doubled, dead
    /// publishers hold their broadcasts that much longer.
    pub idle_timeout: Duration,
    /// Silence after which a sign of life is sent; zero is never. Well within `idle_timeout`, so that three packets
    /// must be lost before it strikes.
    pub keep_alive: Duration,
    /// Streams of each kind that a peer may have open at once, at least those of [`Streams::IDLE`]; absent is as many as its
    /// subscriptions need.
    pub max_streams: Option<u64>,
    /// The most bytes a peer may have in flight towards us.
    pub receive_window: u64,
    /// The same, on one stream. Fixed by QUIC when the connection is accepted.
    pub stream_receive_window: u64,
    /// The most bytes that wait for a peer's acknowledgement. Halved, distant viewers of fat tracks starve; doubled, a
    /// stalled viewer pins that much more.
    pub send_window: u64,
    /// Whether larger packets are tried.
    pub mtu_discovery: bool,
    /// Whether many packets are handed to the kernel at once.
    pub gso: bool,
    /// How the rate is found.
    pub congestion_control: Congestion,
}

/// How the rate is found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Congestion {
    /// By lost packets (RFC 9438).
    Cubic,
    /// By what arrives and how long it takes. A path that loses one packet in a hundred for no reason still carries video,
    /// which CUBIC takes for congestion; it costs some more CPU. The window is never less than what the path has lately
    /// carried within 50 ms.
    #[default]
    Bbr,
    /// By lost packets, as QUIC has it (RFC 9002 §7).
    NewReno,
}

/// How many streams a peer may have open at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streams {
    /// Bidirectional ones.
    pub bi: u32,
    /// Unidirectional ones.
    pub uni: u32,
}

impl Streams {
    /// What every connection starts with. Each is memory, used or not. Half: players wait a round trip for their next
    /// subscription, and WebTransport with SETUP takes four of the unidirectional ones; double: idle sessions cost 2 KB more.
    pub const IDLE: Self = Self { bi: 12, uni: 8 };
}

impl Default for Quic {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(3),
            max_streams: None,
            receive_window: 8 << 20,
            stream_receive_window: 1 << 20,
            send_window: 4 << 20,
            mtu_discovery: true,
            gso: true,
            congestion_control: Congestion::Bbr,
        }
    }
}

/// What differs from [`Quic`] on connections that this node opens.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)]
pub struct Dialed {
    pub idle_timeout: Option<Duration>,
    pub keep_alive: Option<Duration>,
    pub max_streams: Option<u64>,
    pub mtu_discovery: Option<bool>,
    pub gso: Option<bool>,
    pub congestion_control: Option<Congestion>,
}
