//! What a client can be told to speak (dialect) and how it comes in (door).

use std::fmt;

use clap::ValueEnum;

/// A moq-lite version the current client library offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Dialect {
    #[value(name = "moq-lite-04")]
    Lite04,
    #[value(name = "moq-lite-05")]
    Lite05,
    #[value(name = "moq-lite-06")]
    Lite06,
}

impl Dialect {
    pub const ALL: [Self; 3] = [Self::Lite04, Self::Lite05, Self::Lite06];

    pub fn name(self) -> &'static str {
        match self {
            Self::Lite04 => "moq-lite-04",
            Self::Lite05 => "moq-lite-05",
            Self::Lite06 => "moq-lite-06",
        }
    }

    /// FETCH, TRACK_INFO, frame timestamps and the request path in SETUP all arrive together.
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
}

impl Door {
    pub const ALL: [Self; 2] = [Self::WebTransport, Self::Quic];

    pub fn name(self) -> &'static str {
        match self {
            Self::WebTransport => "webtransport",
            Self::Quic => "quic",
        }
    }

    pub fn scheme(self) -> &'static str {
        match self {
            Self::WebTransport => "https",
            Self::Quic => "moql",
        }
    }
}

/// One way to be a client: a dialect through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    pub dialect: Dialect,
    pub door: Door,
}

impl Seat {
    pub fn all() -> impl Iterator<Item = Self> {
        Dialect::ALL.into_iter().flat_map(|dialect| Door::ALL.into_iter().map(move |door| Self { dialect, door }))
    }

    /// Raw QUIC has no request URI, and before 05 there is no SETUP to carry one.
    pub fn has_path(self) -> bool {
        self.door == Door::WebTransport || self.dialect.is_05_or_newer()
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let door = match self.door {
            Door::WebTransport => "wt",
            Door::Quic => "quic",
        };
        write!(f, "{}/{door}", &self.dialect.name()["moq-".len()..])
    }
}
