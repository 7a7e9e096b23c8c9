//! Everything this node can serve: who announces what, over which route, and which tracks run.
//!
//! A session sees it through a [`View`]: names relative to its root, and only what its grant allows.

mod demand;
mod publisher;
mod rerouting;
mod route;
mod tree;
mod watcher;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use demand::{Demand, Fetch, Request};
pub use publisher::{NotAnnounced, Publisher};
pub use route::{Asker, Neighbour, Route};
pub use watcher::{Advert, Change, Changes, Renewed, ShowsHidden, Watcher};

use tokio::time::{Instant, timeout};

use rerouting::Leaving;
use tree::{Node, Running};

use super::{
    cache::Cache,
    group::State,
    track::{Closed, Home, Interest, Producer, Track},
};
use crate::types::{HopId, Hops, Path, Scope, code};

/// Tells sessions of one process apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionId(pub u64);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The node's routes and tracks.
#[derive(Debug)]
pub struct Origin {
    hop: HopId,
    started: Instant,
    cache: Arc<Cache>,
    settings: Settings,
    /// Paths whose last route was lost, and until when they wait for another.
    lingering: Mutex<Vec<(Instant, Path)>>,
    tree: Mutex<Node>,
    ids: AtomicU64,
}

impl Origin {
    /// Nothing announced yet. `hop` is this node's identity.
    pub fn new(hop: HopId, cache: Arc<Cache>) -> Arc<Self> {
        Self::with(hop, cache, Settings::default())
    }

    /// The same, with other settings than the usual ones.
    pub fn with(hop: HopId, cache: Arc<Cache>, settings: Settings) -> Arc<Self> {
        let (lingering, tree, ids) = (Mutex::default(), Mutex::default(), AtomicU64::new(1));
        Arc::new(Self { hop, started: Instant::now(), cache, settings, lingering, tree, ids })
    }

    fn is_reserved(&self, path: &Path) -> bool {
        self.settings.reserved.iter().any(|prefix| path.has_prefix(prefix))
    }

    /// Gives up the broadcasts that have waited for another route for long enough. To be called now and then.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut lingering = self.lingering.lock().unwrap_or_else(PoisonError::into_inner);
        let due: Vec<_> = lingering.extract_if(.., |(until, _)| *until <= now).collect();
        drop(lingering);
        for (_, path) in due {
            let mut tree = self.tree();
            let broadcast = &mut tree.node(&path).broadcast;
            let is_due = |route: &mut Route| route.lost.is_some_and(|until| until <= now);
            let given_up: Vec<_> = broadcast.routes.extract_if(.., is_due).collect();
            let gone = broadcast.reroute(&path, Leaving::Lost);
            if !given_up.is_empty() {
                tree.notify(&path);
            }
            tree.prune(&path);
            drop(tree);
            for track in gone {
                track.fail(code::SESSION_CLOSED);
            }
            // What they still hold of tracks is let go without the lock.
            drop(given_up);
        }
    }

    /// This node's identity in hop lists.
    pub const fn hop(&self) -> HopId {
        self.hop
    }

    /// When it was made: the zero of timestamps for publishers that send none.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Where groups are kept.
    pub const fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// A number for a new session.
    pub fn session(&self) -> SessionId {
        SessionId(self.ids.fetch_add(1, Relaxed))
    }

    /// Every broadcast with a route, with the number of tracks that run.
    pub fn broadcasts(&self) -> Vec<(Path, usize)> {
        let mut all = Vec::new();
        self.tree().each(&Path::root(), &mut |path, broadcast| all.push((path.clone(), broadcast.tracks.len())));
        all
    }

    /// How many routes each session has brought.
    pub fn routes(&self) -> HashMap<SessionId, usize> {
        let mut routes = HashMap::new();
        self.tree().each(&Path::root(), &mut |_, broadcast| {
            for route in &broadcast.routes {
                *routes.entry(route.session).or_default() += 1;
            }
        });
        routes
    }

    /// Whether nothing at all is left: no route, no track, no watcher.
    pub fn is_empty(&self) -> bool {
        self.tree().is_empty()
    }

    fn tree(&self) -> MutexGuard<'_, Node> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be different from one origin to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Only nodes announce and see anything at or below these.
    pub reserved: Vec<Path>,
    /// How long a broadcast waits for another route when its last one is torn away.
    pub linger: Duration,
    /// The longest chain of hops that is taken up.
    pub max_hops: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reserved: Vec::new(), linger: Duration::ZERO, max_hops: Hops::MAX }
    }
}

/// The origin as one session may see it. Paths in and out are relative to its root.
#[derive(Clone, Debug)]
pub struct View {
    origin: Arc<Origin>,
    session: SessionId,
    root: Path,
    publish: Scope,
    subscribe: Scope,
    learned: bool,
    neighbour: Neighbour,
    only_local: bool,
    /// It may announce and see what is for nodes alone.
    privileged: bool,
}

/// Why there is no track.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoTrack {
    /// Nobody announces the path, or the session may not see it.
    #[error("no such broadcast")]
    NotFound,
    /// Every route leads back to the asker.
    #[error("every route leads back to the asker")]
    Unroutable,
}

impl NoTrack {
    /// The stream code that says so.
    pub const fn code(self) -> u32 {
        match self {
            Self::NotFound => code::NOT_FOUND,
            Self::Unroutable => code::UNROUTABLE,
        }
    }
}

impl View {
    /// A view from `root`; scopes are absolute. `learned`: the session is another node of the cluster.
    pub const fn new(
        origin: Arc<Origin>,
        session: SessionId,
        root: Path,
        publish: Scope,
        subscribe: Scope,
        learned: bool,
    ) -> Self {
        Self {
            origin,
            session,
            root,
            publish,
            subscribe,
            learned,
            neighbour: Neighbour { name: None, dialed: false },
            only_local: false,
            privileged: learned,
        }
    }

    /// The same for a session with this node.
    pub fn next_to(self, neighbour: Neighbour) -> Self {
        Self { neighbour, ..self }
    }

    /// The same for a node that is told only what is published on this one.
    pub fn only_local(self) -> Self {
        Self { only_local: true, ..self }
    }

    /// The same for this node itself, which may announce and see what is for nodes alone.
    pub fn privileged(self) -> Self {
        Self { privileged: true, ..self }
    }

    /// Whether a path is for everybody, or the session a node.
    fn may_use(&self, path: &Path) -> bool {
        self.privileged || !self.origin.is_reserved(path)
    }

    /// Whether the session is another node of the cluster.
    pub const fn is_node(&self) -> bool {
        self.learned
    }

    const fn asker(&self, hop: HopId) -> Asker {
        Asker { session: self.session, hop, only_local: self.only_local }
    }

    /// The session's number.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Where the session's names start.
    pub const fn root(&self) -> &Path {
        &self.root
    }

    /// The node.
    pub const fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The prefixes the session may publish under, relative to its root.
    pub fn publishable(&self) -> Vec<Path> {
        let inside = self.publish.intersect(&self.root);
        inside.iter().filter_map(|prefix| prefix.strip_prefix(&self.root)).collect()
    }

    /// Whether the session may see anything.
    pub fn may_subscribe(&self) -> bool {
        !self.subscribe.intersect(&self.root).is_empty()
    }

    /// The session as a source of broadcasts.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.clone())
    }

    /// Watches what is announced under a prefix. Nothing allowed there is an empty set, not an error.
    /// Other nodes see hidden names without asking.
    pub fn watch(&self, prefix: &Path, hop: HopId, hidden: ShowsHidden) -> Option<Watcher> {
        let prefix = self.root.join(prefix).ok()?;
        let nodes = self.subscribe.intersect(&prefix);
        let asker = self.asker(hop);
        let hidden = ShowsHidden(hidden.0 || self.learned);
        Some(Watcher::new(self.origin.clone(), prefix, nodes, asker, hidden, self.privileged))
    }

    /// A track, asked of the best route when nobody has yet.
    pub fn track(&self, broadcast: &Path, name: &str, hop: HopId) -> Result<Interest, NoTrack> {
        let path = self.root.join(broadcast).map_err(|_| NoTrack::NotFound)?;
        if !self.subscribe.allows(&path) || !self.may_use(&path) {
            return Err(NoTrack::NotFound);
        }
        let mut tree = self.origin.tree();
        let (at, found) = tree.nearest(&path).ok_or(NoTrack::NotFound)?;
        let asker = self.asker(hop);
        let everybody = found.best(&at, None).ok_or(NoTrack::NotFound)?;
        let (route, asker) = if everybody.leads_back_to(asker) {
            (found.best(&at, Some(asker)).ok_or(NoTrack::Unroutable)?.clone(), Some(asker))
        } else {
            (everybody.clone(), None)
        };
        let is_first = !found.carries(route.id);
        let running = found.tracks.entry((path.clone(), name.to_owned())).or_default();
        let is_usable = |id: u64| {
            let mut routes = found.routes.iter();
            routes.any(|route| route.id == id && asker.is_none_or(|asker| !route.leads_back_to(asker)))
        };
        // One for which this route leads nowhere knows a better one, or waits for it.
        let goes_around =
            |running: &&Running| running.refused.contains(&route.id) && running.route.is_none_or(is_usable);
        let same = running.iter().find(|running| running.route == Some(route.id));
        if let Some(running) = same.or_else(|| running.iter().find(goes_around)) {
            return Ok(running.track.interest());
        }
        let home: Weak<Origin> = Arc::downgrade(&self.origin);
        let track = Track::new(path, name.to_owned(), *self.origin.cache.limits(), home);
        let interest = track.interest();
        running.push(Running { track: track.clone(), route: Some(route.id), asker, refused: Vec::new() });
        route.ask(&track);
        if is_first {
            tree.notify_nodes(&at);
        }
        Ok(interest)
    }

    /// Waits for one group by number, from the cache or else from the track's source, and returns its ordinal. An
    /// error is the stream code that says why there is none. A copy that was cut short is asked for again.
    pub async fn fetch(&self, interest: &Interest, sequence: u64, priority: u8) -> Result<u64, u32> {
        let (cached, next) = interest.log().with(|log| {
            log.touch(sequence);
            let whole = log.find(sequence).filter(|(_, group)| !matches!(group.state(), State::Aborted(_)));
            (whole.map(|(ordinal, _)| ordinal), log.next())
        });
        if let Some(ordinal) = cached {
            return Ok(ordinal);
        }
        if !self.ask(interest, sequence, priority) {
            return Err(code::NOT_FOUND);
        }
        let mut reader = interest.reader();
        reader
            .wait(|log| match (log.find(sequence), log.missing(sequence), log.closed()) {
                (Some((ordinal, _)), ..) if ordinal >= next => Some(Ok(ordinal)),
                (_, Some(code), _) | (_, None, Some(Closed::Failed(code))) => Some(Err(code)),
                _ => None,
            })
            .await
    }

    /// Asks the track's source for a group, unless somebody has. `false`: no source is there to ask.
    fn ask(&self, interest: &Interest, sequence: u64, priority: u8) -> bool {
        let tree = self.origin.tree();
        let Some((_, found, running)) = tree.running(interest) else { return false };
        let Some(route) = found.routes.iter().find(|route| Some(route.id) == running.route) else { return false };
        if interest.ask(sequence) {
            let fetch = Fetch { interest: interest.interest(), sequence, priority };
            route.demand.update(|demand| demand.push(Request::Fetch(fetch)));
        }
        true
    }
}

/// How long the announcement of a source may be on its way when what it replaces leads nowhere any more. Halved, viewers
/// of a broadcast that moves between distant nodes may lose it; doubled, they learn that much later that it is gone.
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// Lets a source's task take its track out of the tree.
#[derive(Clone, Debug)]
pub struct Tracks(Arc<Origin>);

impl Tracks {
    /// Forgets a track that nobody wants any more, unless somebody has come since. Dropping its producer ends it.
    pub fn retire(&self, track: &Arc<Track>) -> bool {
        retire(&self.0, track)
    }

    /// The way to a source has turned out to lead nowhere: another source takes the place of `producer` if there is a way
    /// to one, or there comes to be within a second, as long as somebody wants the track.
    pub async fn try_another(&self, producer: &Producer) {
        if !self.ask_another(producer) {
            let mut wanted = producer.wanted();
            let over = wanted.wait(|wanted| (!producer.is_current(wanted) || wanted.is_unwanted()).then_some(()));
            let _ = timeout(ON_THE_WAY, over).await;
        }
    }

    /// Whether there is another way now, or nothing that could wait for one.
    fn ask_another(&self, producer: &Producer) -> bool {
        let mut tree = self.0.tree();
        let track = producer.track();
        let Some((at, ..)) = tree.running(track) else { return true };
        producer.is_replaced() || tree.node(&at).broadcast.try_another(track, &at)
    }
}

fn retire(origin: &Origin, track: &Arc<Track>) -> bool {
    let mut tree = origin.tree();
    if !track.is_unwanted() {
        return false;
    }
    tree.remove(track);
    true
}

impl Home for Origin {
    fn end(&self, track: &Arc<Track>, close: &dyn Fn() -> bool) {
        let mut tree = self.tree();
        if close() {
            tree.remove(track);
        }
    }
}

#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod tests;
