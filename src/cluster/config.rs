//! What can be set about other nodes.

mod peer;

use std::{path::PathBuf, time::Duration};

pub use peer::{Peer, PeerError, is_url};

use crate::types::Path;

/// Which nodes there are, and how to keep up with them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The node that tells of all others.
    pub root: Option<String>,
    /// Nodes to dial.
    pub connect: Vec<Peer>,
    /// A file or URL that lists more of them.
    pub connect_api: Option<String>,
    /// How others reach this node: a host, or a URL.
    pub node: Option<String>,
    /// The file of the token to show to other nodes.
    pub token: Option<PathBuf>,
    /// Where nodes announce themselves.
    pub prefix: Path,
    /// This node's own number in hop lists; made up at start when absent.
    pub id: Option<u64>,
    /// Longest way of a broadcast, in nodes. Halved, far ends of a long chain see nothing; doubled, announcements that
    /// go in circles live longer.
    pub max_hops: u8,
    /// Whether to dial every node that is announced.
    pub mesh: bool,
    /// How long a broadcast survives the loss of the way to it. Halved, short losses are seen by viewers; doubled, what
    /// is gone for good is offered that much longer.
    pub linger: Duration,
    /// What sessions of other nodes are counted under.
    pub tier: String,
    /// How to dial.
    pub dial: Dial,
}

/// How a node is dialed, and what comes after a session has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// Longest time until a session stands; zero is forever.
    pub timeout: Duration,
    /// Time between the addresses of a host.
    pub race: Duration,
    /// How long one family of addresses is waited for once the other is known.
    pub resolution_delay: Duration,
    /// Whether a session that ended is left at that.
    pub once: bool,
    /// Time until it is tried again.
    pub backoff: Backoff,
    /// What a GOAWAY may do.
    pub goaway: GoAway,
    /// When there is no way through by UDP.
    pub websocket: WebSocket,
}

/// Waiting, longer each time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The first time.
    pub initial: Duration,
    /// How much longer each next one is.
    pub multiplier: u32,
    /// The longest.
    pub max: Duration,
    /// All of them together, after which the node is given up; absent is never.
    pub timeout: Option<Duration>,
}

/// What a GOAWAY may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoAway {
    /// Where it may send this node.
    pub redirect: Redirect,
    /// How long the old session stays beside the new one.
    pub handover: Duration,
}

/// Where a GOAWAY may send this node.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Redirect {
    /// Anywhere.
    Follow,
    /// To another address of the same host.
    #[default]
    SameHost,
    /// Nowhere.
    Ignore,
}

/// The way by TCP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebSocket {
    /// Whether it is tried.
    pub enabled: bool,
    /// How much later than QUIC.
    pub delay: Duration,
}

impl Config {
    /// The longest list of hops that any dialect can carry.
    pub const MAX_HOPS: u8 = 32;

    /// Node numbers are as large as the integers on the wire.
    pub const MAX_ID: u64 = (1 << 62) - 1;

    /// The node that tells of all others, if there is one. Releases before 0.11 called it `connect` as well: one bare
    /// host, dialed by a node that has a bare host for a name. They had no mesh, so a node of one means a seed.
    pub fn root(&self) -> Option<&str> {
        let bare = |host: &&str| !is_url(host);
        match (&self.root, &self.connect[..]) {
            (Some(root), _) => Some(root),
            (None, [only]) if !self.mesh => {
                Some(&*only.url).filter(bare).filter(|_| self.node.as_deref().is_some_and(|it| bare(&it)))
            }
            _ => None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root: None,
            connect: Vec::new(),
            connect_api: None,
            node: None,
            token: None,
            prefix: Path::parse("internal/origins").unwrap_or_else(|_| Path::root()),
            id: None,
            max_hops: Self::MAX_HOPS,
            mesh: false,
            linger: Duration::from_secs(5),
            tier: String::new(),
            dial: Dial::default(),
        }
    }
}

impl Default for Dial {
    /// Half of each: more dials to nodes that are away; double: longer until they are noticed to be back.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            race: Duration::from_millis(250),
            resolution_delay: Duration::from_millis(50),
            once: false,
            backoff: Backoff {
                initial: Duration::from_millis(500),
                multiplier: 2,
                max: Duration::from_secs(10),
                timeout: None,
            },
            goaway: GoAway { redirect: Redirect::SameHost, handover: Duration::from_secs(10) },
            websocket: WebSocket { enabled: true, delay: Duration::from_millis(200) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_only_bare_host_is_the_root_of_a_node_with_a_bare_host() {
        let config = |connect: &[&str], node: Option<&str>| Config {
            connect: connect.iter().map(|text| Peer::parse(text).unwrap()).collect(),
            node: node.map(str::to_owned),
            ..Config::default()
        };
        assert_eq!(config(&["a:1"], Some("b:1")).root(), Some("a:1"));
        assert_eq!(config(&["a:1"], None).root(), None);
        assert_eq!(config(&["a:1"], Some("https://b/")).root(), None);
        assert_eq!(config(&["https://a/"], Some("b")).root(), None);
        assert_eq!(config(&["a", "c"], Some("b")).root(), None);
        assert_eq!(Config { mesh: true, ..config(&["a:1"], Some("b:1")) }.root(), None);
        assert_eq!(Config { root: Some("r".into()), ..config(&["a"], None) }.root(), Some("r"));
    }
}
