//! Which old library a client is (line) and how it comes in (door).

use std::fmt;
use std::net::SocketAddr;

use anyhow::Result;
use url::Url;

/// Where all broadcasts live. Raw QUIC has no request path before moq-lite-05, so there it is part of every name; the
/// other doors connect to it.
pub const ROOT: &str = "veterans";

/// A published library, by its moq-lite crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    V07,
    V09,
    V13,
    V14,
}

impl Line {
    pub const ALL: [Self; 4] = [Self::V07, Self::V09, Self::V13, Self::V14];

    /// The doors its native layer has.
    fn doors(self) -> &'static [Door] {
        match self {
            Self::V07 | Self::V09 => &[Door::WebTransport, Door::Quic],
            Self::V13 | Self::V14 => &[Door::WebTransport, Door::Quic, Door::WebSocket],
        }
    }
}

/// The transport a client dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `https://`: HTTP/3 and a WebTransport session.
    WebTransport,
    /// `moql://`: QUIC with the protocol as ALPN.
    Quic,
    /// `ws://`: QUIC is not even tried.
    WebSocket,
}

/// One way to be a client: a line through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    pub line: Line,
    pub door: Door,
}

impl Seat {
    pub fn all() -> impl Iterator<Item = Self> {
        Line::ALL.into_iter().flat_map(|line| line.doors().iter().map(move |&door| Self { line, door }))
    }

    /// Where to dial. An address, because these libraries dial only the first one a name resolves to.
    pub fn url(self, relay: SocketAddr) -> Result<Url> {
        let url = match self.door {
            Door::WebTransport => format!("https://{relay}/{ROOT}"),
            Door::Quic => format!("moql://{relay}"),
            Door::WebSocket => format!("ws://{relay}/{ROOT}"),
        };
        Ok(url.parse()?)
    }

    /// What the broadcast `name` is called at this door.
    pub fn path(self, name: &str) -> String {
        match self.door {
            Door::WebTransport | Door::WebSocket => name.to_owned(),
            Door::Quic => format!("{ROOT}/{name}"),
        }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.line {
            Line::V07 => "0.7",
            Line::V09 => "0.9",
            Line::V13 => "0.13",
            Line::V14 => "0.14",
        };
        let door = match self.door {
            Door::WebTransport => "wt",
            Door::Quic => "quic",
            Door::WebSocket => "ws",
        };
        write!(f, "{line}/{door}")
    }
}
