//! What must hold between any two clients: one file per promise.
//!
//! Every promise is tried for every pair of seats, unless it concerns only one of them. Each case has its own broadcast
//! and its own sessions, so a failure stays alone.

mod abrupt;
mod announce;
mod deliver;
mod demand;
mod fetch;
mod http;
mod join;
mod path;

use std::future::Future;
use std::net::SocketAddr;

use anyhow::{Result, bail};

use crate::dialect::Seat;
use crate::peer::{Broadcast, Publisher, Viewer, Watching};
use crate::report::Case;

/// What a case is about: who publishes, who watches, through which relay, under which name.
#[derive(Clone)]
pub struct Setting {
    pub relay: SocketAddr,
    pub publisher: Seat,
    pub viewer: Seat,
    /// The broadcast's name, used by no other case.
    pub name: String,
}

impl Setting {
    fn new(relay: SocketAddr, promise: &str, publisher: Seat, viewer: Seat) -> Self {
        let seats = format!("{publisher}-{viewer}").replace('/', "-");
        Self { relay, publisher, viewer, name: format!("{promise}/{seats}") }
    }

    /// The publisher with its broadcast announced, and nobody watching.
    async fn publish(&self) -> Result<(Publisher, Broadcast)> {
        let source = Publisher::connect(self.relay, self.publisher).await?;
        let broadcast = source.announce(&self.name)?;
        Ok((source, broadcast))
    }

    /// One more viewer.
    async fn viewer(&self) -> Result<Viewer> {
        Viewer::connect(self.relay, self.viewer).await
    }

    /// The publisher, and a viewer whose subscription has reached it.
    async fn live(&self) -> Result<Live> {
        let (source, broadcast) = self.publish().await?;
        let mut viewer = self.viewer().await?;
        let watching = reaching(viewer.watch(&self.name), &broadcast).await?;
        Ok(Live { source, broadcast, viewer, watching })
    }

    fn case<F>(self, promise: &str, run: impl FnOnce(Self) -> F) -> Case
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Case::new(format!("{promise:<14} {:>12} to {}", self.publisher.to_string(), self.viewer), run(self))
    }
}

/// Both ends of a running broadcast, before its first group.
struct Live {
    source: Publisher,
    broadcast: Broadcast,
    viewer: Viewer,
    watching: Watching,
}

/// Wait for a subscription to be accepted and to reach the publisher.
///
/// The library sends SUBSCRIBE only while somebody waits for a group, and before 05 it accepts a subscription without
/// asking anybody. So the viewer waits for its first group meanwhile, which cannot come yet.
async fn reaching(watching: impl Future<Output = Result<Watching>>, broadcast: &Broadcast) -> Result<Watching> {
    let mut watching = watching.await?;
    tokio::select! {
        wanted = broadcast.wanted() => wanted?,
        group = watching.next() => bail!("group {} before any was written", group?.sequence()),
    }
    Ok(watching)
}

/// Every case between clients of the library, grouped by promise.
pub fn all(relay: SocketAddr) -> Vec<Case> {
    let mut cases = Cases { relay, list: Vec::new() };
    let any = |_: Seat, _: Seat| true;
    let same = |publisher: Seat, viewer: Seat| publisher == viewer;
    // These take seconds of waiting, so they start first; and only one side of the relay matters.
    cases.add("killed", same, abrupt::killed);
    cases.add("unwatched", same, demand::ends);
    cases.add("announce", any, announce::comes_and_goes);
    cases.add("deliver", any, deliver::frame_by_frame);
    cases.add("burst", any, deliver::burst);
    cases.add("join late", any, join::late);
    cases.add("join first", any, join::first);
    let fetching = |_: Seat, viewer: Seat| viewer.dialect.is_05_or_newer();
    cases.add("fetch cached", fetching, fetch::cached);
    let serving =
        move |publisher: Seat, viewer: Seat| publisher.dialect.is_05_or_newer() && fetching(publisher, viewer);
    cases.add("fetch through", serving, fetch::through);
    cases.add("fetch missing", serving, fetch::missing);
    cases.add("group reset", any, abrupt::reset);
    cases.add("reset code", same, abrupt::says_why);
    cases.add("session abort", any, abrupt::abort);
    cases.add("viewer returns", any, demand::returns);
    cases.add("no such track", any, demand::refused);
    cases.add("older dies", any, demand::older_dies);
    cases.add("newer dies", any, demand::newer_dies);
    cases.add("path", move |publisher, viewer| same(publisher, viewer) && publisher.has_path(), path::becomes_the_root);
    cases.add("http announced", same, http::listed);
    cases.add("http slash", same, http::listed_with_slash);
    cases.add("http group", same, http::group);
    cases.add("http frame", same, http::frame);
    cases.list
}

struct Cases {
    relay: SocketAddr,
    list: Vec<Case>,
}

impl Cases {
    /// Add `promise` for every pair of publisher and viewer it `applies` to.
    fn add<F>(&mut self, promise: &str, applies: impl Fn(Seat, Seat) -> bool, run: impl Fn(Setting) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        for publisher in Seat::all() {
            for viewer in Seat::all().filter(|viewer| applies(publisher, *viewer)) {
                let slug = promise.replace(' ', "-");
                self.list.push(Setting::new(self.relay, &slug, publisher, viewer).case(promise, &run));
            }
        }
    }
}
