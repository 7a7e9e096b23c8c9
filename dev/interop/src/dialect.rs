//! What a client can be told to speak (dialect) and how it comes in (door).

use std::fmt;

use clap::ValueEnum;

/// A moq-lite version the client library can be pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Dialect {
    #[value(name = "moq-lite-01")]
    Lite01,
    #[value(name = "moq-lite-02")]
    Lite02,
    #[value(name = "moq-lite-03")]
    Lite03,
    #[value(name = "moq-lite-04")]
    Lite04,
    #[value(name = "moq-lite-05")]
    Lite05,
    #[value(name = "moq-lite-06")]
    Lite06,
    /// Spoken by relays that are told to, and by nobody else.
    #[value(name = "moq-lite-07-wip")]
    Lite07,
}

impl Dialect {
    /// Those that are finished.
    pub const ALL: [Self; 6] = [Self::Lite01, Self::Lite02, Self::Lite03, Self::Lite04, Self::Lite05, Self::Lite06];

    pub fn name(self) -> &'static str {
        match self {
            Self::Lite01 => "moq-lite-01",
            Self::Lite02 => "moq-lite-02",
            Self::Lite03 => "moq-lite-03",
            Self::Lite04 => "moq-lite-04",
            Self::Lite05 => "moq-lite-05",
            Self::Lite06 => "moq-lite-06",
            Self::Lite07 => "moq-lite-07-wip",
        }
    }

    /// A relay can say that it is about to leave.
    pub fn has_goaway(self) -> bool {
        self >= Self::Lite04
    }

    /// FETCH, TRACK_INFO, datagrams, frame timestamps and the request path in SETUP all arrive together.
    pub fn is_05_or_newer(self) -> bool {
        self >= Self::Lite05
    }
}

/// The transport a client dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Door {
    /// `https://`: HTTP/3 and a WebTransport session.
    #[value(name = "webtransport")]
    WebTransport,
    /// `moql://`: QUIC with the dialect as ALPN.
    #[value(name = "quic")]
    Quic,
    /// `ws://`: QMux in a WebSocket.
    #[value(name = "websocket")]
    WebSocket,
    /// `tcp://`: QMux alone.
    #[value(name = "tcp")]
    Tcp,
    /// `unix://`: the same through a file.
    #[value(name = "unix")]
    Unix,
}

impl Door {
    pub const ALL: [Self; 5] = [Self::WebTransport, Self::Quic, Self::WebSocket, Self::Tcp, Self::Unix];

    pub fn name(self) -> &'static str {
        match self {
            Self::WebTransport => "webtransport",
            Self::Quic => "quic",
            Self::WebSocket => "websocket",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }

    /// A connection of QUIC, and not one stream of bytes.
    pub fn is_quic(self) -> bool {
        matches!(self, Self::WebTransport | Self::Quic)
    }

    /// The request URI of its handshake says where names start.
    fn has_url(self) -> bool {
        matches!(self, Self::WebTransport | Self::WebSocket)
    }
}

/// One way to be a client: a dialect through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    pub dialect: Dialect,
    pub door: Door,
}

impl Seat {
    /// Every finished dialect through every door, dialect by dialect.
    pub fn all() -> Vec<Self> {
        Dialect::ALL.into_iter().flat_map(Self::speaking).collect()
    }

    /// `dialect` through every door.
    pub fn speaking(dialect: Dialect) -> impl Iterator<Item = Self> {
        Door::ALL.into_iter().map(move |door| Self { dialect, door })
    }

    /// Every finished dialect once and every door at least once.
    pub fn few() -> Vec<Self> {
        let doors = Door::ALL.into_iter().cycle();
        Dialect::ALL.into_iter().zip(doors).map(|(dialect, door)| Self { dialect, door }).collect()
    }

    /// Without a request URI, SETUP carries the path, and before 05 there is none that does.
    pub fn has_path(self) -> bool {
        self.door.has_url() || self.dialect.is_05_or_newer()
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let door = match self.door {
            Door::WebTransport => "wt",
            Door::Quic => "quic",
            Door::WebSocket => "ws",
            Door::Tcp => "tcp",
            Door::Unix => "unix",
        };
        let number = &self.dialect.name()["moq-lite-".len()..][..2];
        write!(f, "{number}/{door}")
    }
}
