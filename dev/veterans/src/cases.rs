//! What must hold between any two clients: one file per promise.
//!
//! Every promise is tried for every pair of seats. Each case has its own broadcast and its own sessions, so a failure
//! stays alone.

mod abrupt;
mod announce;
mod deliver;
mod demand;
mod join;

use std::future::Future;
use std::net::SocketAddr;

use anyhow::Result;

use crate::content::TRACK;
use crate::lines::Source;
use crate::peer::{Broadcast, Publisher, Track, Viewer, Watching};
use crate::report::Case;
use crate::seat::Seat;

/// What a case is about: who publishes, who watches, through which relay, under which name.
pub struct Setting {
    relay: SocketAddr,
    publisher: Seat,
    viewer: Seat,
    /// The broadcast's name, used by no other case.
    name: String,
}

impl Setting {
    async fn publisher(&self) -> Result<Publisher> {
        Publisher::connect(self.relay, self.publisher).await
    }

    async fn viewer(&self) -> Result<Viewer> {
        Viewer::connect(self.relay, self.viewer).await
    }

    /// The publisher, and a viewer whose subscription has reached it.
    async fn live(&self) -> Result<Live> {
        let source = self.publisher().await?;
        let mut broadcast = source.announce(&self.name);
        let mut viewer = self.viewer().await?;
        let found = viewer.discover(&self.name).await?;
        let watching = Watching::new(found.subscribe(TRACK));
        let track = broadcast.wanted().await?;
        Ok(Live { source, broadcast, track, viewer, found, watching })
    }

    /// What two sessions that have lived through something must still be able to do: announce, see and watch.
    async fn live_on(&self, source: &Publisher, viewer: &mut Viewer) -> Result<()> {
        let name = format!("{}-next", self.name);
        let mut broadcast = source.announce(&name);
        let mut watching = viewer.watch(&name).await?;
        broadcast.wanted().await?.whole(0)?;
        watching.expect(0).await?.whole().await
    }
}

/// Both ends of a running broadcast, before its first group.
struct Live {
    source: Publisher,
    broadcast: Broadcast,
    track: Track,
    viewer: Viewer,
    found: Box<dyn Source>,
    watching: Watching,
}

/// Every case, grouped by promise.
pub fn all(relay: SocketAddr) -> Vec<Case> {
    let mut cases = Cases { relay, list: Vec::new() };
    // This takes seconds of waiting, so it starts first.
    cases.add("comes back", demand::comes_back);
    cases.add("announce", announce::comes_and_goes);
    cases.add("republish", announce::starts_over);
    cases.add("deliver", deliver::frame_by_frame);
    cases.add("join late", join::late);
    cases.add("group reset", abrupt::reset);
    cases.add("session abort", abrupt::abort);
    cases.add("no such track", demand::refused);
    cases.list
}

struct Cases {
    relay: SocketAddr,
    list: Vec<Case>,
}

impl Cases {
    /// Add `promise` for every pair of publisher and viewer.
    fn add<F>(&mut self, promise: &str, run: impl Fn(Setting) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        for publisher in Seat::all() {
            for viewer in Seat::all() {
                let name = format!("{}/{publisher}-{viewer}", promise.replace(' ', "-"));
                let title = format!("{promise:<13} {:>9} to {viewer}", publisher.to_string());
                self.list.push(Case::new(title, run(Setting { relay: self.relay, publisher, viewer, name })));
            }
        }
    }
}
