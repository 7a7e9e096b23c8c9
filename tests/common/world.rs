//! An origin with sessions on it, all in this process.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use moq_relay::{
    model::{
        cache::{Cache, Limits},
        origin::{Origin, View},
    },
    session::{self, handshake},
    transport::{Connection, memory},
    types::{HopId, Path, Scope},
    wire::{Dialect, Offer, dialect::Choice, lite::setup::Setup},
};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{Peer, Publisher, RELAY, path};

/// How a peer comes in and what it may do.
#[derive(Clone, Debug)]
pub struct Door {
    pub dialect: &'static Dialect,
    pub root: Path,
    pub publish: Scope,
    pub subscribe: Scope,
    /// The peer is another node of the cluster.
    pub node: bool,
    pub setup: Setup,
}

impl Door {
    /// At the root, everything allowed.
    pub fn new(dialect: &'static Dialect) -> Self {
        let everything = Scope::everything;
        let setup = Setup::default();
        Self { dialect, root: Path::root(), publish: everything(), subscribe: everything(), node: false, setup }
    }

    /// Names start here.
    pub fn root(self, root: &str) -> Self {
        Self { root: path(root), ..self }
    }

    /// It may watch only what lies below these absolute prefixes.
    pub fn subscribe(self, prefixes: &[&str]) -> Self {
        Self { subscribe: Scope::new(prefixes.iter().map(|prefix| path(prefix)).collect()), ..self }
    }

    /// It may publish only below these absolute prefixes.
    pub fn publish(self, prefixes: &[&str]) -> Self {
        Self { publish: Scope::new(prefixes.iter().map(|prefix| path(prefix)).collect()), ..self }
    }

    /// What it says in SETUP.
    pub fn setup(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }
}

/// One relay without sockets.
#[derive(Debug)]
pub struct World {
    pub origin: Arc<Origin>,
    sessions: Mutex<JoinSet<()>>,
    next_hop: AtomicU64,
    leaving: watch::Sender<bool>,
    _sweeper: JoinSet<()>,
}

impl World {
    pub fn new() -> Self {
        Self::with_cache(Limits::default())
    }

    pub fn with_cache(limits: Limits) -> Self {
        let origin = Origin::new(RELAY, Cache::new(limits));
        let mut sweeper = JoinSet::new();
        sweeper.spawn(sweep(origin.cache().clone()));
        Self {
            origin,
            sessions: Mutex::default(),
            next_hop: AtomicU64::new(1001),
            leaving: watch::Sender::new(false),
            _sweeper: sweeper,
        }
    }

    /// A peer at the root that may do everything.
    pub fn peer(&self, dialect: &'static Dialect) -> Peer {
        self.connect(Door::new(dialect))
    }

    /// A peer with a name of its own, unless the door gives it one.
    pub fn connect(&self, mut door: Door) -> Peer {
        if door.setup.hop.is_none() {
            door.setup.hop = HopId(self.next_hop.fetch_add(1, Relaxed));
        }
        Peer::start(self.dial(&door), door.dialect, door.setup)
    }

    /// A peer that publishes these broadcasts.
    pub async fn publisher(&self, dialect: &'static Dialect, broadcasts: &[&str]) -> Publisher {
        Publisher::new(self.peer(dialect), broadcasts).await
    }

    /// A connection on which the peer has said nothing yet.
    pub fn dial(&self, door: &Door) -> Connection {
        let (ours, theirs) = memory::pair();
        let serving = serve(self.origin.clone(), Connection::Memory(ours), door.clone(), self.leaving.subscribe());
        self.sessions.lock().unwrap().spawn(serving);
        Connection::Memory(theirs)
    }

    /// The relay is asked to stop: it asks its peers to move.
    pub fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// On paused time: waits until every session is over.
    pub async fn deserted(&self) {
        let mut sessions = std::mem::take(&mut *self.sessions.lock().unwrap());
        while let Some(ended) = super::soon(sessions.join_next()).await {
            ended.expect("no session panics");
        }
    }
}

/// As `relay.rs` does it.
async fn sweep(cache: Arc<Cache>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        cache.sweep();
    }
}

/// The life of a client as in `relay/connection.rs`, without sockets and credentials.
async fn serve(origin: Arc<Origin>, conn: Connection, door: Door, mut leaving: watch::Receiver<bool>) {
    let deadline = Instant::now() + handshake::DEADLINE;
    let choice = if door.dialect.in_band { Choice::InBand } else { Choice::Dialect(door.dialect) };
    let peer = match handshake::accept(&conn, choice, &Offer::new(&[door.dialect]), origin.hop(), deadline).await {
        Ok(peer) => peer,
        Err(violation) => return conn.close(violation.code(), &violation.to_string()),
    };
    let id = origin.session();
    let view = View::new(origin, id, door.root, door.publish, door.subscribe, door.node);
    let (session, driver) = session::start(conn, peer, view, session::Limits::default());
    let running = driver.run();
    tokio::pin!(running);
    tokio::select! {
        _ = &mut running => return,
        _ = leaving.wait_for(|leaving| *leaving) => session.leave(),
    }
    running.await;
}
