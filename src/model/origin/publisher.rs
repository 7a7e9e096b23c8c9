//! A session as a source: what it announces, and how that goes away.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
};

use tokio::time::Instant;

use super::{Demand, Origin, Route, SessionId, Tracks, View, rerouting::Leaving};
use crate::{
    model::{
        cache::Share,
        watch::{Reader, Watch},
    },
    types::{Cost, Hops, Path, code},
};

/// A session as a source: what it announces, and what is asked of it. Dropping it withdraws everything.
#[derive(Debug)]
pub struct Publisher {
    pub(super) view: View,
    pub(super) demand: Arc<Watch<Demand>>,
    share: Arc<Share>,
    /// Absolute.
    paths: HashSet<Path>,
    /// The most of them.
    most: usize,
    /// Its routes are the last choice.
    leaving: bool,
    /// It may come right back.
    torn: bool,
}

/// Why an announcement is not taken up. It still occupies its path and id on its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnnounced {
    /// The session may not publish there.
    #[error("not allowed")]
    NotAllowed,
    /// The route leads through this node already.
    #[error("loop")]
    Loop,
    /// The path is too deep, too long or a pattern.
    #[error("not a name")]
    BadPath,
    /// It has passed more nodes than it may.
    #[error("too many hops")]
    TooFar,
    /// The session has announced as many as it may.
    #[error("too many announcements")]
    TooMany,
}

impl Publisher {
    pub(super) fn new(view: View) -> Self {
        Self {
            demand: Watch::new(Demand::default()),
            share: view.origin.cache.publisher(),
            view,
            paths: HashSet::new(),
            most: usize::MAX,
            leaving: false,
            torn: true,
        }
    }

    /// The same, with a limit on how many paths are announced at a time.
    pub fn limited(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Announces a path, or changes its route. `hops` ends with the peer itself.
    pub fn announce(&mut self, path: &Path, hops: Hops, cost: Cost) -> Result<(), NotAnnounced> {
        let path = self.view.root.join(path).map_err(|_| NotAnnounced::BadPath)?;
        let cost = if self.leaving { Cost::LAST_RESORT } else { cost };
        let refusal = if path.is_pattern() {
            Some(NotAnnounced::BadPath)
        } else if !self.view.publish.allows(&path) || !self.view.may_use(&path) {
            Some(NotAnnounced::NotAllowed)
        } else if self.paths.len() >= self.most && !self.paths.contains(&path) {
            Some(NotAnnounced::TooMany)
        } else if hops.contains(self.view.origin.hop) {
            Some(NotAnnounced::Loop)
        } else if hops.len() > self.view.origin.settings.max_hops {
            Some(NotAnnounced::TooFar)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.withdraw(&path, Leaving::Cleanly);
            return Err(refusal);
        }
        let origin = &self.view.origin;
        let mut tree = origin.tree();
        let broadcast = &mut tree.node(&path).broadcast;
        let session = self.view.session;
        match broadcast.routes.iter_mut().find(|route| route.session == session) {
            Some(route) if route.hops == hops && route.cost == cost => return Ok(()),
            Some(route) => {
                let same = route.hops.publisher().is_some() && route.hops.publisher() == hops.publisher();
                if !same {
                    route.id = origin.ids.fetch_add(1, Relaxed);
                }
                let elsewhere = (same && route.hops != hops).then_some(route.id);
                (route.hops, route.cost) = (hops, cost);
                if let Some(route) = elsewhere {
                    broadcast.forgive(route);
                }
            }
            None => broadcast.routes.push(Route {
                id: origin.ids.fetch_add(1, Relaxed),
                session,
                hops,
                cost,
                learned: self.view.learned,
                neighbour: self.view.neighbour.clone(),
                demand: self.demand.clone(),
                share: self.share.clone(),
                lost: None,
            }),
        }
        self.paths.insert(path.clone());
        // Whoever waited for another route has one.
        let lost: Vec<_> = broadcast.routes.extract_if(.., |route| route.lost.is_some()).collect();
        broadcast.reroute(&path, Leaving::Cleanly);
        tree.notify(&path);
        drop(tree);
        // What it holds of tracks is let go without the lock.
        drop(lost);
        Ok(())
    }

    /// Takes an announcement back. Tracks that run go on: over another route if there is one, else to their own end.
    pub fn unannounce(&mut self, path: &Path) {
        if let Ok(path) = self.view.root.join(path) {
            self.withdraw(&path, Leaving::Cleanly);
        }
    }

    /// The session is about to end: every other route is better than one of its.
    pub fn leave(&mut self) {
        self.leaving = true;
        let mut tree = self.view.origin.tree();
        for path in &self.paths {
            let broadcast = &mut tree.node(path).broadcast;
            let own = broadcast.routes.iter_mut().filter(|route| route.session == self.view.session);
            own.for_each(|route| route.cost = Cost::LAST_RESORT);
            broadcast.reroute(path, Leaving::Cleanly);
            tree.notify(path);
        }
    }

    /// The session ends in order, or nobody has heard of its peer for long: nobody waits for it to come back.
    pub fn goodbye(&mut self) {
        self.torn = false;
    }

    /// A reader of what viewers want from this session.
    pub fn demand(&self) -> Reader<Demand> {
        Reader::new(self.demand.clone())
    }

    /// For the tasks that feed tracks.
    pub fn tracks(&self) -> Tracks {
        Tracks(self.view.origin.clone())
    }

    fn withdraw(&mut self, path: &Path, leaving: Leaving) {
        if self.paths.remove(path) {
            withdraw(&self.view.origin, self.view.session, path, leaving);
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let leaving = if self.torn { Leaving::Torn } else { Leaving::Lost };
        for path in std::mem::take(&mut self.paths) {
            withdraw(&self.view.origin, self.view.session, &path, leaving);
        }
        // Requests hold producers, whose tracks fail now if no other route took them.
        drop(self.demand.with(std::mem::take));
    }
}

fn withdraw(origin: &Origin, session: SessionId, path: &Path, leaving: Leaving) {
    let mut tree = origin.tree();
    let broadcast = &mut tree.node(path).broadcast;
    let mut routes: Vec<_> = broadcast.routes.extract_if(.., |route| route.session == session).collect();
    if leaving == Leaving::Torn
        && !origin.settings.linger.is_zero()
        && broadcast.routes.is_empty()
        && let Some(route) = routes.pop()
    {
        let until = Instant::now() + origin.settings.linger;
        let id = origin.ids.fetch_add(1, Relaxed);
        broadcast.routes.push(route.until(id, until));
        origin.lingering.lock().unwrap_or_else(PoisonError::into_inner).push((until, path.clone()));
    }
    let gone = broadcast.reroute(path, leaving);
    tree.notify(path);
    tree.prune(path);
    drop(tree);
    for track in gone {
        track.fail(code::SESSION_CLOSED);
    }
}
