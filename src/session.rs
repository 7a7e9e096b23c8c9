//! One peer, one dialect: [`start`] gives a handle and a driver that the caller spawns.
//!
//! The driver accepts streams and hands each to a task of its own in the session's `JoinSet`; dropping it ends them
//! all. What the peer does wrong ends the stream or, as a [`Violation`], the session; nobody else notices.

pub mod config;
mod egress;
pub mod handshake;
mod ingest;
mod lite;
mod priority;
mod typed;

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use config::Config;
pub use handshake::{Hello, Peer};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use handshake::SessionStream;

use crate::{
    model::{
        origin::{Changes, Demand, Request, View},
        track::Producer,
        watch::{Reader, Watch},
    },
    transport::{Closed, Connection, SendStream, Traffic, config::Streams},
    types::{HopId, Path},
    wire::{
        DecodeError, Dialect, Offer,
        integer::Form,
        lite::{close, setup::Setup},
    },
};

/// What one session may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unidirectional streams of a peer that publishes. Halved, a publisher of many tracks waits for stream credit;
    /// doubled, each such session may keep twice the receive states.
    pub publisher_uni: u32,
    /// Bidirectional streams: subscriptions, announce requests and fetches at a time. The start is [`Streams::IDLE`],
    /// doubled as they fill.
    pub bi: u32,
    /// Broadcasts that it may have announced at a time. Half: a gateway with many cameras needs the rights of a node;
    /// double: a stranger can fill that much more of the tree.
    pub announcements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { publisher_uni: 256, bi: 288, announcements: 1_000 }
    }
}

impl Limits {
    /// With no more streams of each kind than `most`, and at least those that every connection starts with.
    #[must_use]
    pub fn within(self, most: Option<u64>) -> Self {
        let Some(most) = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX)) else { return self };
        let publisher_uni = self.publisher_uni.min(most).max(Streams::IDLE.uni);
        Self { publisher_uni, bi: self.bi.min(most).max(Streams::IDLE.bi), ..self }
    }
}

/// How often to look whether a session that is to end still carries anything.
const LOOK: Duration = Duration::from_millis(100);

/// A broken rule that ends the session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    /// A message that decides the state of the session cannot be read.
    #[error("malformed {what}: {error}")]
    Malformed {
        /// The message.
        what: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A second SETUP stream.
    #[error("second SETUP")]
    SecondSetup,
    /// No SETUP within the deadline, or something else in its place.
    #[error("no SETUP")]
    NoSetup,
    /// None of the versions that a client lists is on offer.
    #[error("no version in common: {asked} asked for, {offered} offered")]
    NoVersion {
        /// The client's version codes, in hex.
        asked: String,
        /// The names of those offered in band.
        offered: String,
    },
    /// The peer asks to move a second time.
    #[error("second GOAWAY")]
    SecondGoaway,
    /// A path announced twice where the dialect has no such thing.
    #[error("{0:?} announced twice")]
    AnnouncedTwice(Path),
    /// An announcement that is told by an earlier one which is not live, or keeps more of it than there is.
    #[error("an announcement builds on one that is not there")]
    UnknownBase,
    /// An announce id that is not in use.
    #[error("announce id {0} is not in use")]
    UnknownAnnounceId(u64),
}

impl Violation {
    fn no_version(asked: &[u64], offer: &Offer) -> Self {
        let asked: Vec<_> = asked.iter().map(|code| format!("{code:#x}")).collect();
        let offered: Vec<_> = offer.dialects().filter(|dialect| dialect.in_band).map(|dialect| dialect.name).collect();
        Self::NoVersion { asked: asked.join(", "), offered: offered.join(", ") }
    }

    /// The session code it is closed with.
    pub const fn code(&self) -> u32 {
        match self {
            Self::Malformed { error: DecodeError::TooManyParameters { .. }, .. } => close::KEY_VALUE_FORMATTING,
            Self::NoSetup => close::CONTROL_TIMEOUT,
            Self::NoVersion { .. } => close::VERSION_NEGOTIATION_FAILED,
            _ => close::PROTOCOL_VIOLATION,
        }
    }
}

/// Starts serving a peer whose handshake is over.
pub fn start(conn: Connection, peer: Peer, view: View, limits: Limits) -> (Session, Driver) {
    let Peer { dialect, setup, price, stream } = peer;
    // Who is not told where a broadcast has been would take it in a circle.
    let view = if view.is_node() && !dialect.hops.names_nodes() { view.only_local() } else { view };
    let shared = Arc::new(Shared {
        conn,
        dialect,
        peer: setup,
        price,
        view,
        limits,
        stamp: HopId::from_random(rand::random()),
        feeds: Mutex::default(),
        announcers: Mutex::default(),
        opened: AtomicU32::new(0),
        next_id: AtomicU64::new(0),
        bi: Mutex::new(lite::Streams::new(Streams::IDLE.bi)),
        asked: Notify::new(),
        leaving: AtomicBool::new(false),
        demoted: AtomicBool::new(false),
        peer_leaving: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        abandoned: AtomicBool::new(false),
        moved: Watch::new(None),
        peer_hop: AtomicU64::default(),
        serving: AtomicU32::default(),
    });
    (Session { shared: shared.clone() }, Driver { shared, stream })
}

/// A handle on a running session.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// Ends it with a session code.
    pub fn close(&self, code: u32, reason: &str) {
        self.shared.close(code, reason);
    }

    /// Ends it for a peer that is gone and may have come back already: what it had announced waits for it.
    pub fn abandon(&self, reason: &str) {
        self.shared.abandoned.store(true, Relaxed);
        self.shared.conn.close(close::NONE, reason);
    }

    /// From now on every other route is better than those of this session.
    pub fn demote(&self) {
        self.shared.demote();
    }

    /// Asks the peer to move to the same place again, where the dialect has words for it. What runs goes on; new
    /// requests are refused.
    pub fn leave(&self) {
        self.shared.leaving.store(true, Relaxed);
        self.shared.asked.notify_one();
    }

    /// What its connection has carried so far.
    pub fn traffic(&self) -> Traffic {
        self.shared.conn.traffic()
    }

    /// Waits until the peer asks to move, and tells where to: an empty URI is the same place again.
    pub async fn sent_away(&self) -> String {
        Reader::new(self.shared.moved.clone()).wait(|uri| uri.clone()).await
    }

    /// Waits until neither side is subscribed to anything of the other.
    pub async fn deserted(&self) {
        loop {
            if self.shared.serving.load(Relaxed) == 0 && self.shared.feeds().is_empty() {
                return;
            }
            sleep(LOOK).await;
        }
    }
}

/// What the tasks of one session share.
#[derive(Debug)]
struct Shared {
    conn: Connection,
    dialect: &'static Dialect,
    /// What the peer said of itself; empty where the dialect has no SETUP.
    peer: Setup,
    /// What this side takes for the link.
    price: Option<u64>,
    view: View,
    limits: Limits,
    /// Stands for a publisher that has no identity, so that its reconnect is a new publisher.
    stamp: HopId,
    /// Our subscriptions at the peer, by id.
    feeds: Mutex<HashMap<u64, Arc<Producer>>>,
    /// The announce streams we serve.
    announcers: Mutex<Vec<std::sync::Weak<Watch<Changes>>>>,
    /// Group streams opened so far, for priorities.
    opened: AtomicU32,
    /// The next subscribe id.
    next_id: AtomicU64,
    bi: Mutex<lite::Streams>,
    /// Tells the driver that this side is about to leave, or that the peer's routes are the last choice.
    asked: Notify,
    /// This side is about to leave: nothing new is begun for the peer.
    leaving: AtomicBool,
    /// The peer's routes are the last choice.
    demoted: AtomicBool,
    /// The peer is about to leave: nothing new is asked of it.
    peer_leaving: AtomicBool,
    /// This side has ended the session.
    closed: AtomicBool,
    /// It has, because the peer is gone.
    abandoned: AtomicBool,
    /// Where the peer has asked to move to.
    moved: Arc<Watch<Option<String>>>,
    /// Who the peer is, as it has said outside of SETUP; 0 until then.
    peer_hop: AtomicU64,
    /// Subscriptions of the peer that are being served.
    serving: AtomicU32,
}

impl Shared {
    /// How the dialect writes integers.
    const fn form(&self) -> Form {
        self.dialect.integers()
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<u64, Arc<Producer>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the peer says it is.
    fn peer_hop(&self) -> HopId {
        let told = HopId(self.peer_hop.load(Relaxed));
        if told.is_none() { self.peer.hop } else { told }
    }

    /// Notes who the peer is, where SETUP has no words for it.
    fn learn_hop(&self, hop: HopId) {
        if !hop.is_none() {
            self.peer_hop.store(hop.0, Relaxed);
        }
    }

    /// Whether the connection was torn away, so that the peer may come right back. A peer that says goodbye will not, unless
    /// it restarts, nor does one that was not heard of for long.
    async fn is_torn(&self) -> bool {
        if self.abandoned.load(Relaxed) || self.closed.load(Relaxed) {
            return self.abandoned.load(Relaxed);
        }
        match timeout(Duration::ZERO, self.conn.closed()).await {
            // Where nobody knows, a node is worth waiting for, and a person is not.
            Ok(Closed { code: None, silent, .. }) => silent.map_or_else(|| self.view.is_node(), |silent| !silent),
            Ok(Closed { code: Some(code), .. }) => code == close::GOAWAY_TIMEOUT,
            Err(_) => false,
        }
    }

    fn demote(&self) {
        self.demoted.store(true, Relaxed);
        self.asked.notify_one();
    }

    /// Ends the session from this side.
    fn close(&self, code: u32, reason: &str) {
        self.closed.store(true, Relaxed);
        self.conn.close(code, reason);
    }

    /// A path whose content was replaced while the peer was subscribed: old dialects hear of it on announce streams.
    fn renewed(&self, path: &Path) {
        let mut announcers = self.announcers.lock().unwrap_or_else(PoisonError::into_inner);
        announcers.retain(|changes| changes.strong_count() > 0);
        for changes in announcers.iter().filter_map(std::sync::Weak::upgrade) {
            changes.update(|changes| changes.renewed(path));
        }
    }
}

/// Serves the peer until either side ends the session.
#[derive(Debug)]
pub struct Driver {
    shared: Arc<Shared>,
    stream: Option<Box<SessionStream>>,
}

/// A task of a session ends with nothing to say, or with a violation.
type Outcome = Result<(), Violation>;

impl Driver {
    /// Runs the session and tells how it ended.
    pub async fn run(self) -> Closed {
        let Self { shared, mut stream } = self;
        // In boxes, as few sessions have the one and many have not the other.
        let mut goodbye = pin!(async {
            match &mut stream {
                Some(stream) => Box::pin(stream.ended()).await,
                None => std::future::pending().await,
            }
        });
        let mut datagrams = pin!(async {
            if shared.dialect.datagrams {
                Box::pin(ingest::datagrams(&shared)).await
            } else {
                std::future::pending().await
            }
        });
        // Dropped last to first: routes are withdrawn before the tasks that feed their tracks end, so that a standby
        // can take over.
        let mut tasks = JoinSet::<Outcome>::new();
        let publisher = lite::announce::follow_all(&shared, &mut tasks);
        let mut demand = publisher.as_ref().and_then(|publisher| publisher.demand());
        let (mut said, mut demoted) = (false, false);
        loop {
            tokio::select! {
                stream = shared.conn.accept_bi() => match stream {
                    Ok((send, recv)) => { tasks.spawn(lite::serve(shared.clone(), send, recv)); }
                    Err(_) => break,
                },
                stream = shared.conn.accept_uni() => match stream {
                    Ok(recv) => { tasks.spawn(ingest::stream(shared.clone(), recv)); }
                    Err(_) => break,
                },
                () = &mut datagrams => break,
                () = &mut goodbye => {
                    shared.close(close::NONE, "");
                    break;
                }
                () = shared.asked.notified() => {
                    if shared.demoted.load(Relaxed) && !std::mem::replace(&mut demoted, true)
                        && let Some(publisher) = &publisher
                    {
                        publisher.leave();
                    }
                    if shared.leaving.load(Relaxed) && !std::mem::replace(&mut said, true) {
                        tasks.spawn(lite::goaway::send(shared.clone()));
                    }
                }
                request = next_request(&mut demand) => {
                    tasks.spawn(lite::subscribe::ask(shared.clone(), request, publisher.as_ref().map(|p| p.tracks())));
                },
                Some(done) = tasks.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(violation)) => {
                        debug!(session = %shared.view.session(), %violation, "peer broke a rule");
                        shared.close(violation.code(), &violation.to_string());
                        break;
                    }
                    Err(error) if error.is_panic() => {
                        warn!(session = %shared.view.session(), %error, "a task of this session panicked");
                        shared.close(close::INTERNAL, "internal error");
                        break;
                    }
                    Err(_) => {}
                },
            }
        }
        if let (Some(publisher), false) = (&publisher, Box::pin(shared.is_torn()).await) {
            publisher.goodbye();
        }
        drop(publisher);
        shared.conn.closed().await
    }
}

async fn next_request(demand: &mut Option<Reader<Demand>>) -> Request {
    match demand {
        Some(demand) => demand.take(Demand::pop).await,
        None => std::future::pending().await,
    }
}

/// A stream of the peer that is served: both halves.
type Bi = (SendStream, typed::Reader);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_have_a_limit_that_leaves_a_session_possible() {
        let usual = Limits::default();
        let shown = |most| {
            let limits = usual.within(most);
            (limits.bi, limits.publisher_uni)
        };
        assert_eq!(shown(None), (usual.bi, usual.publisher_uni));
        assert_eq!(shown(Some(u64::MAX)), (usual.bi, usual.publisher_uni));
        assert_eq!(shown(Some(100)), (100, 100));
        assert_eq!(shown(Some(0)), (Streams::IDLE.bi, Streams::IDLE.uni));
    }
}
