//! Nodes that know each other: a broadcast that one of them has can be watched on all.
//!
//! ```text
//!  connect ┐
//!  root    ├─► peers: which nodes there should be a link with ─► resolve: one node for each address of a name
//!  list    │                                                        └─► dial: one live link, again and again
//!  gossip  ┘◄── broadcasts below the prefix, from links and from who registers
//! ```
//!
//! A link is a session like any other: what it announces are routes, and the model chooses among them. Nothing here
//! touches media.

pub mod config;
mod dial;
mod discovery;
mod links;
mod list;
mod name;
mod peers;
mod resolve;
mod status;
mod token;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};
use tracing::{info, warn};

pub use config::Config;
pub use dial::OVERLAP;
pub use links::{Attempt, Direction, Link, Links};
pub use name::Name;
pub use resolve::Lookup;
pub use status::{Node, Status};

use self::{
    dial::Dials,
    discovery::Discovery,
    links::Listed,
    list::Place,
    peers::{Introduction, NoPeer, Peers, Source, Wanted},
};
use crate::{
    http,
    model::{
        origin::{Demand, Origin, Publisher, Request, SessionId, View},
        track::Producer,
    },
    session,
    transport::{Dialer, Target},
    types::{Cost, HopId, Hops, Path, Scope, code},
    wire::Offer,
};

/// Where nodes of a mesh announce themselves (releases 0.12.3 to 0.16).
const MESH: &str = ".internal/origins";

/// What every node may have open towards this one, and this one towards it.
pub const LIMITS: session::Limits = session::Limits { publisher_uni: 4096, bi: 4096, announcements: 50_000 };

/// Receive and send window of a link, in bytes: many tracks share it, and far nodes have a long way. Half: a link
/// across an ocean carries half as much; double: a stalled one pins twice as much.
pub const WINDOWS: (u32, u64) = (64 << 20, 32 << 20);

/// This node among others. What it needs of the outside is given to [`Cluster::run`].
pub struct Cluster {
    config: Arc<Config>,
    origin: Arc<Origin>,
    links: Arc<Links>,
    lookup: Mutex<Lookup>,
}

/// A node that has dialed this one.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Its identity, if it has told.
    pub hop: HopId,
    /// What is spoken.
    pub dialect: &'static str,
    /// Where it is.
    pub remote: Option<SocketAddr>,
    /// What it is called.
    pub name: Option<&'a str>,
    /// What it wants to be announced as.
    pub register: Option<&'a str>,
    /// What it says that the link costs.
    pub price: Option<u64>,
    /// Whether everything may cross the link both ways.
    pub is_full: bool,
}

/// Why a node cannot be part of a cluster as configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A place that cannot be dialed.
    #[error("{place}: {reason}")]
    Place {
        /// As configured, without secrets.
        place: String,
        /// Why.
        reason: String,
    },
    /// Gossip needs a name to spread.
    #[error("cluster.mesh needs cluster.node: the URL that others reach this node at")]
    Nameless,
}

/// What dialing takes.
#[derive(Clone, Debug)]
pub struct Means {
    /// How to ask for a list of nodes, and for fingerprints.
    pub client: http::Client,
    /// The dialects spoken with other nodes.
    pub offer: Offer,
    /// How long sessions may stay once this node is asked to stop.
    pub drain: Duration,
    /// Turns true when it is.
    pub shutdown: watch::Receiver<bool>,
}

impl Cluster {
    /// Checks what is configured; nothing is dialed yet.
    pub fn new(config: Config, origin: Arc<Origin>) -> Result<Arc<Self>, Error> {
        Self::check(&config)?;
        let lookup: Lookup = Arc::new(resolve::system);
        let links = Arc::default();
        Ok(Arc::new(Self { config: Arc::new(config), origin, links, lookup: Mutex::new(lookup) }))
    }

    /// Whether the configuration makes sense.
    pub fn check(config: &Config) -> Result<(), Error> {
        configured(config)?;
        own(config)?;
        if config.mesh && config.node.is_none() { Err(Error::Nameless) } else { Ok(()) }
    }

    /// Prefixes that only nodes may announce below, and see.
    pub fn reserved(config: &Config) -> Vec<Path> {
        let mesh = Path::parse(MESH).ok();
        [Some(config.prefix.clone()).filter(|prefix| !prefix.is_empty()), mesh].into_iter().flatten().collect()
    }

    /// Looks up places differently from now on, for tests.
    pub fn look_up_by(&self, lookup: Lookup) {
        *self.lookup.lock().unwrap_or_else(PoisonError::into_inner) = lookup;
    }

    /// As it is at the time of each look-up.
    fn lookup(self: &Arc<Self>) -> Lookup {
        let cluster = self.clone();
        Arc::new(move |target| {
            let lookup = cluster.lookup.lock().unwrap_or_else(PoisonError::into_inner).clone();
            lookup(target)
        })
    }

    /// Who is linked with this node, and who should be.
    pub const fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Whether somebody who may do everything is believed to be a node without further proof: there is nothing that
    /// could be stolen by making up nodes.
    pub fn trusts_everybody(&self) -> bool {
        self.config.token.is_none()
    }

    /// Lists a node that has dialed this one. With a name to register, announces that until dropped.
    pub fn join(&self, session: SessionId, guest: Guest<'_>) -> Member {
        let Guest { hop, dialect, remote, name, register, price, is_full } = guest;
        let link = Link {
            direction: Direction::Inbound,
            name: name.and_then(|name| Name::parse(name).ok()),
            hop,
            dialect,
            remote,
            price,
            is_full,
            leaving: false,
            since: links::now(),
        };
        let name = register.filter(|_| self.config.prefix.segments().next().is_some());
        let registered = name.and_then(|name| {
            info!(node = name, "registered");
            Announced::new(&self.origin, &self.config.prefix, name)
        });
        Member { listed: self.links.add(session, link), _registered: registered }
    }

    /// Keeps this node linked with all that it should be, until it is asked to stop and the links are over. Runs on the
    /// runtime of the QUIC worker, so that media cross no thread.
    pub async fn run(self: Arc<Self>, dialer: Dialer, means: Means) {
        let config = self.config.clone();
        // Both were checked when this was made.
        let own = own(&config).ok().flatten();
        let wishes = configured(&config).unwrap_or_default();
        let root = config.root().is_some_and(|root| Name::parse(root).ok() != own);
        let dials = Arc::new(Dials {
            config: config.clone(),
            lookup: self.lookup(),
            client: means.client.clone(),
            origin: self.origin.clone(),
            links: self.links.clone(),
            offer: means.offer,
            limits: LIMITS.within(dialer.max_streams()),
            dialer,
            windows: WINDOWS,
            drain: means.drain,
            shutdown: means.shutdown,
        });
        let (tell, mut told) = mpsc::channel(16);
        let mut helpers = JoinSet::new();
        let discover = |prefix: Path, introduction| {
            let session = self.origin.session();
            let all = Scope::everything();
            let view = View::new(self.origin.clone(), session, Path::root(), all.clone(), all, true);
            Discovery { view, prefix, own: own.clone(), introduction, links: self.links.clone() }
        };
        let mesh = Path::parse(MESH).unwrap_or_else(|_| Path::root());
        let announced = config.node.as_deref().filter(|_| config.mesh);
        let _announced = announced.and_then(|node| Announced::new(&self.origin, &mesh, node));
        if root {
            helpers.spawn(discover(config.prefix.clone(), Introduction::Register).run(tell.clone()));
        } else if config.mesh {
            helpers.spawn(discover(mesh, Introduction::Node).run(tell.clone()));
        }
        if let Some(list) = &config.connect_api {
            helpers.spawn(Place::new(list, config.node.as_deref()).follow(means.client, tell.clone()));
        }
        let mut peers = Peers::new(own);
        peers.set(Source::Configured, wishes);
        let mut following = Following::default();
        loop {
            following.reconcile(peers.wanted(), &dials);
            tokio::select! {
                Some((source, wishes)) = told.recv() => peers.set(source, wishes),
                () = dials.stopped() => break,
            }
        }
        helpers.abort_all();
        following.finish().await;
        dials.dialer.close(crate::wire::lite::close::NONE, "server shutdown");
        dials.dialer.drained().await;
    }
}

/// What this node is called, if it is called anything.
fn own(config: &Config) -> Result<Option<Name>, Error> {
    let place = |node: &String| {
        Name::parse(node).map_err(|error| Error::Place { place: node.clone(), reason: error.to_string() })
    };
    config.node.as_ref().map(place).transpose()
}

/// The nodes that the configuration names.
fn configured(config: &Config) -> Result<Vec<Wanted>, Error> {
    let wrong = |place: &str, error: NoPeer| Error::Place {
        place: Target::parse(place).map_or_else(|_| "cluster.connect".to_owned(), |target| target.place()),
        reason: error.to_string(),
    };
    let root = config.root();
    let mut wishes = Vec::new();
    if let Some(root) = root {
        let peer = config::Peer::parse(root).map_err(|error| wrong(root, error.into()))?;
        let wanted = Wanted::new(&peer).map_err(|error| wrong(root, error))?;
        wishes.push(Wanted { introduction: Introduction::Register, ..wanted });
    }
    for peer in config.connect.iter().filter(|peer| Some(&*peer.url) != root) {
        let wanted = Wanted::new(peer).map_err(|error| wrong(&peer.url, error))?;
        let introduction = if config.mesh { Introduction::Node } else { Introduction::None };
        wishes.push(Wanted { introduction, ..wanted });
    }
    Ok(wishes)
}

/// The nodes that are being kept linked.
#[derive(Default)]
struct Following {
    nodes: BTreeMap<Name, (Wanted, AbortHandle)>,
    tasks: JoinSet<()>,
}

impl Following {
    /// Begins with those that are new, and leaves those that are not wanted any more, or on other terms.
    fn reconcile(&mut self, wanted: BTreeMap<Name, Wanted>, dials: &Arc<Dials>) {
        while self.tasks.try_join_next().is_some() {}
        self.nodes.retain(|name, (terms, task)| {
            let stays = wanted.get(name) == Some(terms);
            if !stays {
                info!(node = %name, "left");
                task.abort();
                dials.links.forget(name);
            }
            stays
        });
        for (name, wanted) in wanted {
            self.nodes.entry(name).or_insert_with(|| {
                let task = self.tasks.spawn(resolve::follow(dials.clone(), wanted.clone()));
                (wanted, task)
            });
        }
    }

    /// Waits until all of them have ended, as they do when this node stops.
    async fn finish(mut self) {
        while let Some(done) = self.tasks.join_next().await {
            if done.is_err_and(|error| error.is_panic()) {
                warn!("the task of a link panicked");
            }
        }
    }
}

/// A node that has dialed this one, listed and announced until dropped.
#[derive(Debug)]
pub struct Member {
    listed: Listed,
    _registered: Option<Announced>,
}

impl Member {
    /// Waits until the node of this name dials anew. `true`: it was restarted, and nothing will come over this link;
    /// otherwise the newer link is the better one.
    pub async fn superseded(&self) -> bool {
        self.listed.superseded().await
    }

    /// The node has asked to move.
    pub fn leaving(&self) {
        self.listed.update(|link| link.leaving = true);
    }
}

/// A node's announcement: a broadcast without tracks.
#[derive(Debug)]
struct Announced {
    _publisher: Publisher,
    _refusing: JoinSet<()>,
}

impl Announced {
    fn new(origin: &Arc<Origin>, prefix: &Path, node: &str) -> Option<Self> {
        let path = Path::parse(node).and_then(|node| prefix.join(&node)).ok()?;
        let all = Scope::everything();
        let view = View::new(origin.clone(), origin.session(), Path::root(), all.clone(), all, false).privileged();
        let mut publisher = view.publisher();
        publisher.goodbye();
        let hops = Hops::new([HopId::from_random(rand::random())]).ok()?;
        publisher.announce(&path, hops, Cost::FREE).ok()?;
        let mut demand = publisher.demand();
        let mut refusing = JoinSet::new();
        refusing.spawn(async move {
            loop {
                if let Request::Track(track) = demand.take(Demand::pop).await {
                    Producer::abort(&track, code::NOT_FOUND);
                }
            }
        });
        Some(Self { _publisher: publisher, _refusing: refusing })
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("config", &self.config).finish_non_exhaustive()
    }
}
