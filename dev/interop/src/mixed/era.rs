//! How a relay of each era is configured, and what it speaks.

use std::net::SocketAddr;
use std::path::Path;

use crate::dialect::{Dialect, Door, Seat};

/// Whose configuration a binary understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// This project's relay.
    Ours,
    /// moq-relay 0.10: a root, and leaves that register with it.
    Rooted {
        /// The newest that every build of it speaks.
        spoken: Dialect,
        /// Groups that come at once all go on.
        is_thorough: bool,
    },
    /// moq-relay 0.14: nodes that are dialed, or found by gossip.
    Meshed,
    /// moq-relay 0.17: nodes that are dialed.
    Listed,
}

/// Whom a node looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Nobody: it is dialed.
    Waits,
    /// These, by their place in the plan.
    Dials(&'static [usize]),
    /// A root, with which it registers.
    Joins(usize),
    /// These to begin with, and everybody who is announced.
    Meshes(&'static [usize]),
}

/// What goes into a file of configuration.
pub struct Wishes<'a> {
    /// Where the node listens, and what it is called.
    pub address: SocketAddr,
    pub links: Links,
    /// Where the others listen.
    pub others: &'a [SocketAddr],
    pub key: &'a Path,
    /// A token to show to others, where they read any.
    pub token: Option<&'a Path>,
}

impl Era {
    /// Whether it can tell a token: 0.17 leaves that to another program, and refuses whoever brings one.
    pub fn reads_tokens(self) -> bool {
        self != Self::Listed
    }

    /// Whether groups that come at once all go on.
    pub fn is_thorough(self) -> bool {
        !matches!(self, Self::Rooted { is_thorough: false, .. })
    }

    /// How clients come to it: by the newest dialect there is for it.
    pub fn seat(self) -> Seat {
        let dialect = match self {
            Self::Ours | Self::Listed => Dialect::Lite06,
            Self::Meshed => Dialect::Lite05,
            Self::Rooted { spoken, .. } => spoken,
        };
        Seat { dialect, door: Door::WebTransport }
    }

    /// A file for: QUIC and HTTP at one address, everything public, nodes dialed whatever their certificates are.
    pub fn config(self, wishes: &Wishes<'_>) -> String {
        let Wishes { address, key, .. } = wishes;
        let main = match self {
            Self::Listed => format!(
                "listen.bind = \"{address}\"\nlisten.tls.generate = [\"localhost\"]\nconnect.tls.insecure = true\n\
                 connect.bind = \"0.0.0.0:0\"\n[auth]\npublic = [\"**\"]\n"
            ),
            _ => format!(
                "[server]\nbind = \"{address}\"\ntls.generate = [\"localhost\"]\n[client]\nbind = \"0.0.0.0:0\"\n\
                 tls.disable_verify = true\n[auth]\nkey = \"{}\"\npublic = \"\"\n",
                key.display()
            ),
        };
        // The smaller of both ends' values holds, so the cases with a node that is killed are short.
        let quic = if self == Self::Ours { "[quic]\nidle_timeout = \"5s\"\nkeep_alive = \"1s\"\n" } else { "" };
        format!("{main}{quic}[web.http]\nlisten = \"{address}\"\n{}", self.cluster(wishes))
    }

    fn cluster(self, wishes: &Wishes<'_>) -> String {
        let Wishes { address, links, others, token, .. } = wishes;
        let urls = |places: &[usize]| {
            let urls: Vec<_> = places.iter().map(|at| format!("\"https://{}/\"", others[*at])).collect();
            urls.join(", ")
        };
        let links = match links {
            Links::Waits => String::new(),
            Links::Dials(places) => format!("connect = [{}]\n", urls(places)),
            Links::Joins(root) => format!("root = \"{}\"\nnode = \"{address}\"\n", others[*root]),
            Links::Meshes(places) => {
                format!("connect = [{}]\nnode = \"https://{address}/\"\nmesh = true\n", urls(places))
            }
        };
        let token = token.map(|token| format!("token = \"{}\"\n", token.display()));
        format!("[cluster]\n{links}{}", token.unwrap_or_default())
    }
}
