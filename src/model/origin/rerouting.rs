//! What becomes of running tracks when the routes of their broadcast change.

use std::sync::Arc;

use super::{Request, Route, tree::Broadcast};
use crate::{model::track::Track, types::Path};

/// How a route goes away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leaving {
    /// Unannounced: running tracks may go on.
    Cleanly,
    /// Its session is gone.
    Lost,
    /// The same, and it may come right back.
    Torn,
}

impl Route {
    /// Makes this route the track's source.
    pub(super) fn ask(&self, track: &Arc<Track>) {
        let producer = track.attach(self.hops.publisher(), self.share.clone());
        self.demand.update(|demand| demand.push(Request::Track(producer)));
    }
}

impl Broadcast {
    /// Gives every running track its best route. One without any leaves the tree, unless it waits for one: what is
    /// announced here next is a new broadcast. Returns those whose source is lost.
    pub(super) fn reroute(&mut self, at: &Path, leaving: Leaving) -> Vec<Arc<Track>> {
        self.choose(at);
        let mut lost = Vec::new();
        let mut tracks = std::mem::take(&mut self.tracks);
        tracks.retain(|_, running| {
            running.retain_mut(|running| match self.best_for(running, at) {
                Some(route) => {
                    if running.route.replace(route.id) != Some(route.id) {
                        route.ask(&running.track);
                    }
                    true
                }
                None if running.route.is_none() => true,
                None => {
                    if leaving != Leaving::Cleanly {
                        lost.push(running.track.clone());
                    }
                    false
                }
            });
            !running.is_empty()
        });
        self.tracks = tracks;
        lost
    }

    /// The way of a track leads nowhere: asks over another one, or else waits for one. Whether there is one.
    pub(super) fn try_another(&mut self, track: &Arc<Track>, at: &Path) -> bool {
        let mut tracks = std::mem::take(&mut self.tracks);
        let running = tracks.values_mut().flatten().find(|running| Arc::ptr_eq(&running.track, track));
        let found = running.and_then(|running| {
            running.refused.extend(running.route.take());
            let route = self.best_for(running, at)?;
            running.route = Some(route.id);
            route.ask(track);
            Some(())
        });
        self.tracks = tracks;
        found.is_some()
    }

    /// A route leads elsewhere now, perhaps to the source.
    pub(super) fn forgive(&mut self, route: u64) {
        for running in self.tracks.values_mut().flatten() {
            running.refused.retain(|refused| *refused != route);
        }
    }
}
