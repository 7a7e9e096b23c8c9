//! The tree of announced paths: per segment a node with its broadcast and the watchers of that prefix.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use super::{
    route::{Asker, InUse, Route, best},
    watcher::Changes,
};
use crate::{
    model::{track::Track, watch::Watch},
    types::Path,
};

/// One segment deep.
#[derive(Default, Debug)]
pub(super) struct Node {
    children: HashMap<Box<str>, Self>,
    watchers: Vec<Watching>,
    pub(super) broadcast: Broadcast,
}

/// Somebody who watches what is announced.
#[derive(Debug)]
struct Watching {
    changes: Weak<Watch<Changes>>,
    /// It is another node, and counts what a route costs now.
    is_node: bool,
}

/// The routes to one path and the tracks that run over them.
#[derive(Default, Debug)]
pub(super) struct Broadcast {
    pub(super) routes: Vec<Route>,
    pub(super) tracks: HashMap<(Path, String), Vec<Running>>,
    /// The route that is taken, unless it leads back to who asks.
    taken: Option<u64>,
}

/// A track somebody wants or has just wanted.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) track: Arc<Track>,
    /// The route it comes over; `None` while one that leads to the source is waited for.
    pub(super) route: Option<u64>,
    /// For whom the route was chosen, when the best one would have led back to them.
    pub(super) asker: Option<Asker>,
    /// Routes that turned out to lead nowhere.
    pub(super) refused: Vec<u64>,
}

impl Broadcast {
    /// Whether any track comes over a route.
    pub(super) fn carries(&self, route: u64) -> bool {
        self.tracks.values().flatten().any(|running| running.route == Some(route))
    }

    /// Takes the best route that the one before yields to. Whether that is another one.
    pub(super) fn choose(&mut self, at: &Path) -> bool {
        let before = self.routes.iter().find(|route| Some(route.id) == self.taken);
        let in_use = InUse(before.is_some_and(|before| self.carries(before.id)));
        let open = |route: &&Route| before.is_none_or(|before| before.yields_to(route, in_use));
        let taken = best(self.routes.iter().filter(open), at, None).map(|route| route.id);
        taken != std::mem::replace(&mut self.taken, taken)
    }

    /// The best route for somebody, or for everybody.
    pub(super) fn best(&self, at: &Path, asker: Option<Asker>) -> Option<&Route> {
        self.best_but(&[], at, asker)
    }

    /// The best route for a track.
    pub(super) fn best_for(&self, running: &Running, at: &Path) -> Option<&Route> {
        self.best_but(&running.refused, at, running.asker)
    }

    fn best_but(&self, refused: &[u64], at: &Path, asker: Option<Asker>) -> Option<&Route> {
        let usable = || self.routes.iter().filter(|route| !refused.contains(&route.id));
        let taken = best(usable().filter(|route| Some(route.id) == self.taken), at, asker);
        taken.or_else(|| best(usable(), at, asker))
    }
}

impl Node {
    /// The node of a path, made when missing.
    pub(super) fn node(&mut self, path: &Path) -> &mut Self {
        path.segments().fold(self, |node, segment| node.children.entry(segment.into()).or_default())
    }

    /// The deepest broadcast with a route at or above a path, and where it is.
    pub(super) fn nearest(&mut self, path: &Path) -> Option<(Path, &mut Broadcast)> {
        let mut depth = None;
        let mut node = &*self;
        for (i, segment) in std::iter::once("").chain(path.segments()).enumerate() {
            if i > 0 {
                let Some(child) = node.children.get(segment) else { break };
                node = child;
            }
            if !node.broadcast.routes.is_empty() {
                depth = Some(i);
            }
        }
        let at: Vec<_> = path.segments().take(depth?).collect();
        let at = Path::parse(&at.join("/")).ok()?;
        let broadcast = &mut self.node(&at).broadcast;
        Some((at, broadcast))
    }

    /// A node that exists.
    pub(super) fn get(&self, path: &Path) -> Option<&Self> {
        path.segments().try_fold(self, |node, segment| node.children.get(segment))
    }

    /// Where a track runs: at the path of its broadcast or above.
    pub(super) fn running(&self, track: &Arc<Track>) -> Option<(Path, &Broadcast, &Running)> {
        let key = (track.broadcast.clone(), track.name.clone());
        let above = |path: &Path| path.split_last().map(|(parent, _)| parent);
        std::iter::successors(Some(track.broadcast.clone()), above).find_map(|path| {
            let broadcast = &self.get(&path)?.broadcast;
            let running = broadcast.tracks.get(&key)?.iter().find(|running| Arc::ptr_eq(&running.track, track))?;
            Some((path, broadcast, running))
        })
    }

    /// Takes a track out.
    pub(super) fn remove(&mut self, track: &Arc<Track>) {
        let Some((path, _, running)) = self.running(track) else { return };
        let route = running.route;
        let broadcast = &mut self.node(&path).broadcast;
        let key = (track.broadcast.clone(), track.name.clone());
        if let Some(running) = broadcast.tracks.get_mut(&key) {
            running.retain(|running| !Arc::ptr_eq(&running.track, track));
            if running.is_empty() {
                broadcast.tracks.remove(&key);
            }
        }
        let is_idle = route.is_some_and(|route| !broadcast.carries(route));
        let is_other = broadcast.choose(&path);
        if is_other {
            self.notify(&path);
        } else if is_idle {
            self.notify_nodes(&path);
        }
        self.prune(&path);
    }

    /// Calls `visit` for each broadcast with a route at or below this node, which lies at `path`.
    pub(super) fn each(&self, path: &Path, visit: &mut impl FnMut(&Path, &Broadcast)) {
        if !self.broadcast.routes.is_empty() {
            visit(path, &self.broadcast);
        }
        for (segment, child) in &self.children {
            let below = Path::parse(segment).and_then(|segment| path.join(&segment));
            if let Ok(below) = below {
                child.each(&below, visit);
            }
        }
    }

    /// Tells every watcher of a prefix of `path`.
    pub(super) fn notify(&self, path: &Path) {
        self.tell(path, |_| true);
    }

    /// Tells those of them that are other nodes.
    pub(super) fn notify_nodes(&self, path: &Path) {
        self.tell(path, |watching| watching.is_node);
    }

    fn tell(&self, path: &Path, whom: impl Fn(&Watching) -> bool) {
        let mut segments = path.segments();
        let mut node = Some(self);
        while let Some(here) = node {
            for watcher in here.watchers.iter().filter(|it| whom(it)).filter_map(|it| it.changes.upgrade()) {
                watcher.update(|changes| changes.changed(path));
            }
            node = segments.next().and_then(|segment| here.children.get(segment));
        }
    }

    pub(super) fn add_watcher(&mut self, watcher: &Arc<Watch<Changes>>, is_node: bool) {
        self.watchers.push(Watching { changes: Arc::downgrade(watcher), is_node });
    }

    pub(super) fn remove_watcher(&mut self, watcher: &Arc<Watch<Changes>>) {
        self.watchers.retain(|other| !std::ptr::eq(other.changes.as_ptr(), Arc::as_ptr(watcher)));
    }

    /// Removes empty nodes on the way to a path.
    pub(super) fn prune(&mut self, path: &Path) {
        fn walk<'a>(node: &mut Node, mut segments: impl Iterator<Item = &'a str>) {
            let Some(segment) = segments.next() else { return };
            if let Some(child) = node.children.get_mut(segment) {
                walk(child, segments);
                if child.is_empty() {
                    node.children.remove(segment);
                }
            }
        }
        walk(self, path.segments());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.watchers.is_empty()
            && self.broadcast.routes.is_empty()
            && self.broadcast.tracks.is_empty()
    }
}
