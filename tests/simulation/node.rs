//! One relay of the cluster: an origin, its sessions, and a watcher that sees all that it knows.

use std::{sync::Arc, time::Duration};

use moq_relay::{
    model::{
        cache::{Cache, Limits},
        origin::{Origin, ShowsHidden, View, Watcher},
    },
    session::{self, Hello, handshake},
    transport::Connection,
    types::{HopId, Path, Scope},
    wire::{Dialect, Offer, dialect::Choice},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::common::settle;

#[derive(Debug)]
pub struct Node {
    pub hop: HopId,
    origin: Arc<Origin>,
    sessions: JoinSet<()>,
    connections: Vec<Connection>,
    watcher: Option<Watcher>,
    _sweeper: JoinSet<()>,
}

/// Who is at the other end of a session.
#[derive(Clone, Copy, Debug)]
pub enum Other {
    Person,
    Node,
}

impl Node {
    pub fn new(hop: HopId) -> Self {
        let origin = Origin::new(hop, Cache::new(Limits::default()));
        let mut sweeper = JoinSet::new();
        sweeper.spawn(sweep(origin.cache().clone()));
        let watcher = view(&origin, Other::Person).watch(&Path::root(), HopId::NONE, ShowsHidden(true));
        Self { hop, origin, sessions: JoinSet::new(), connections: Vec::new(), watcher, _sweeper: sweeper }
    }

    /// Serves a connection that comes in, as `relay/connection.rs` does.
    pub fn accept(&mut self, conn: Connection, dialect: &'static Dialect, other: Other) {
        self.connections.push(conn.clone());
        let origin = self.origin.clone();
        self.sessions.spawn(async move {
            let (choice, offer) = choice(dialect);
            let deadline = Instant::now() + handshake::DEADLINE;
            let peer = handshake::accept(&conn, choice, &offer, origin.hop(), deadline).await;
            run(&origin, conn, peer, other).await;
        });
    }

    /// Serves a connection that this node has made to another, as `cluster/dial.rs` does.
    pub fn connect(&mut self, conn: Connection, dialect: &'static Dialect, price: Option<u64>) {
        self.connections.push(conn.clone());
        let origin = self.origin.clone();
        self.sessions.spawn(async move {
            let (choice, offer) = choice(dialect);
            let hello = Hello { hop: origin.hop(), path: None, price };
            let deadline = Instant::now() + handshake::DEADLINE;
            let peer = handshake::connect(&conn, choice, &offer, hello, deadline).await;
            run(&origin, conn, peer, Other::Node).await;
        });
    }

    /// What has changed since the last look: names and the hops to them, if there is a way.
    pub fn changes(&mut self) -> Vec<(String, Option<Vec<u64>>)> {
        let changes = self.watcher.as_mut().map(Watcher::snapshot).unwrap_or_default();
        let told = changes.into_iter().map(|change| {
            let hops = change.advert.map(|advert| advert.hops.iter().map(|hop| hop.0).collect());
            (change.suffix.to_string(), hops)
        });
        told.collect()
    }

    /// Every name with a route.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.origin.broadcasts().into_iter().map(|(path, _)| path.to_string()).collect();
        names.sort();
        names
    }

    /// Ends at once, as a process that is killed: peers see their connections fail.
    pub async fn kill(mut self) -> Result<(), String> {
        self.connections.iter().for_each(|conn| conn.close(0, ""));
        self.sessions.shutdown().await;
        self.nothing_is_left().await
    }

    /// Waits until every session is over by itself.
    pub async fn deserted(mut self) -> Result<(), String> {
        let all = async { while self.sessions.join_next().await.is_some() {} };
        let waited = timeout(Duration::from_secs(60), all).await;
        waited.map_err(|_| format!("{} sessions do not end", self.sessions.len()))?;
        self.nothing_is_left().await
    }

    async fn nothing_is_left(&mut self) -> Result<(), String> {
        drop(self.watcher.take());
        // Tasks of sessions that are over are dropped on their next turn.
        settle().await;
        let (used, empty) = (self.origin.cache().used(), self.origin.is_empty());
        if empty && used == 0 { Ok(()) } else { Err(format!("{used} bytes are left, and {:#?}", self.origin)) }
    }
}

fn view(origin: &Arc<Origin>, other: Other) -> View {
    let everything = Scope::everything;
    let learned = matches!(other, Other::Node);
    View::new(origin.clone(), origin.session(), Path::root(), everything(), everything(), learned)
}

fn choice(dialect: &'static Dialect) -> (Choice, Offer) {
    let choice = if dialect.in_band { Choice::InBand } else { Choice::Dialect(dialect) };
    (choice, Offer::new(&[dialect]))
}

async fn run(origin: &Arc<Origin>, conn: Connection, peer: Result<session::Peer, session::Violation>, other: Other) {
    match peer {
        Ok(peer) => {
            let (_session, driver) = session::start(conn, peer, view(origin, other), session::Limits::default());
            driver.run().await;
        }
        Err(violation) => conn.close(violation.code(), &violation.to_string()),
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
