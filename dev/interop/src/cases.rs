//! What must hold between any two clients: one file per promise.
//!
//! The core promises are tried for every pair of seats, the rest around a ring of them, or where only one of them
//! matters for each with itself. Each case has its own broadcast and its own sessions, so a failure stays alone.

mod abrupt;
mod announce;
mod datagram;
mod deliver;
mod demand;
mod drain;
mod fallback;
mod fetch;
mod http;
mod join;
mod path;

use std::future::Future;
use std::pin::Pin;

use anyhow::{Result, bail};

use crate::dialect::{Dialect, Seat};
use crate::doors::Doors;
use crate::pairs::{Pair, every, ring, same};
use crate::peer::{Broadcast, Publisher, Viewer, Watching};
use crate::relay::Launch;
use crate::report::Case;

/// What a case is about: who publishes, who watches, through which relay, under which name.
#[derive(Clone)]
pub struct Setting {
    /// Where the publisher goes.
    pub relay: Doors,
    /// Where the viewers go: the same place, or another node of a cluster.
    pub viewed: Doors,
    pub publisher: Seat,
    pub viewer: Seat,
    /// The broadcast's name, used by no other case.
    pub name: String,
}

impl Setting {
    fn new(relay: Doors, promise: &str, (publisher, viewer): Pair) -> Self {
        let seats = format!("{publisher}-{viewer}").replace('/', "-");
        Self { viewed: relay.clone(), relay, publisher, viewer, name: format!("{}/{seats}", promise.replace(' ', "-")) }
    }

    /// How many relays the way from the publisher to the viewer has.
    fn relays(&self) -> u32 {
        if self.viewed.main == self.relay.main { 1 } else { 2 }
    }

    /// The publisher with its broadcast announced, and nobody watching.
    async fn publish(&self) -> Result<(Publisher, Broadcast)> {
        let source = Publisher::connect(&self.relay, self.publisher).await?;
        let broadcast = source.announce(&self.name)?;
        Ok((source, broadcast))
    }

    /// One more viewer.
    async fn viewer(&self) -> Result<Viewer> {
        Viewer::connect(&self.viewed, self.viewer).await
    }

    /// A publisher whose answer to the relay's first question is over, seen by `viewer`.
    ///
    /// What this library says in that answer on 01 and 02 it never takes back. A session's announcements arrive in
    /// order, so whatever is announced after this one is not in it.
    async fn settled(&self, viewer: &mut Viewer) -> Result<Publisher> {
        let source = Publisher::connect(&self.relay, self.publisher).await?;
        self.settle(&source, viewer).await?;
        Ok(source)
    }

    /// Wait until the relay knows everything that `source` has announced, and `viewer` too.
    async fn settle(&self, source: &Publisher, viewer: &mut Viewer) -> Result<()> {
        let marker = format!("{}-marker", self.name);
        let _marker = source.announce(&marker)?;
        viewer.discover(&marker).await
    }

    /// The publisher, and a viewer whose subscription has reached it.
    async fn live(&self) -> Result<Live> {
        let (source, broadcast) = self.publish().await?;
        let mut viewer = self.viewer().await?;
        let watching = reaching(viewer.watch(&self.name), &broadcast).await?;
        Ok(Live { source, broadcast, viewer, watching })
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
pub async fn reaching(watching: impl Future<Output = Result<Watching>>, broadcast: &Broadcast) -> Result<Watching> {
    let mut watching = watching.await?;
    tokio::select! {
        wanted = broadcast.wanted() => wanted?,
        group = watching.next() => bail!("group {} before any was written", group?.sequence()),
    }
    Ok(watching)
}

/// Every case between clients of the library on finished dialects, grouped by promise.
pub fn all(relay: &Doors) -> Vec<Case> {
    let all = Seat::all();
    let modern: Vec<_> = all.iter().copied().filter(|seat| seat.dialect.is_05_or_newer()).collect();
    let dated: Vec<_> = all.iter().copied().filter(|seat| !seat.dialect.is_05_or_newer()).collect();
    let rooted: Vec<_> = all.iter().copied().filter(|seat| seat.has_path()).collect();
    let few = Seat::few();

    let mut cases = Cases { relay, list: Vec::new() };
    // These take seconds of waiting, so they start first; and only one side of the relay matters.
    cases.add("killed", same(&all), abrupt::killed);
    cases.add("unwatched", same(&all), demand::ends);
    cases.add("announce", every(&all, &all), announce::comes_and_goes);
    cases.add("republish", ring(&all, &all), announce::starts_over);
    cases.add("deliver", every(&all, &all), deliver::frame_by_frame);
    cases.add("burst", ring(&all, &all), deliver::burst);
    cases.add("join late", every(&all, &all), join::late);
    cases.add("join first", ring(&all, &all), join::first);
    cases.add("datagram", every(&modern, &modern), datagram::arrives);
    cases.add("datagram group", ring(&modern, &dated), datagram::becomes_a_group);
    cases.add("fetch cached", ring(&all, &modern), fetch::cached);
    cases.add("fetch through", ring(&modern, &modern), fetch::through);
    cases.add("fetch missing", ring(&modern, &modern), fetch::missing);
    cases.add("group reset", ring(&all, &all), abrupt::reset);
    cases.add("reset code", same(&all), abrupt::says_why);
    cases.add("session abort", ring(&all, &all), abrupt::abort);
    cases.add("viewer returns", ring(&all, &all), demand::returns);
    cases.add("no such track", ring(&all, &all), demand::refused);
    cases.add("older dies", ring(&all, &all), demand::older_dies);
    cases.add("newer dies", ring(&all, &all), demand::newer_dies);
    cases.add("path", ring(&rooted, &rooted), path::becomes_the_root);
    cases.add("http announced", same(&few), http::listed);
    cases.add("http slash", same(&few), http::listed_with_slash);
    cases.add("http group", same(&few), http::group);
    cases.add("http frame", same(&few), http::frame);
    cases.list
}

/// Cases with the dialect that is not finished, at a relay that was told to speak it.
pub fn unfinished(relay: &Doors) -> Vec<Case> {
    let all = Seat::all();
    let wip: Vec<_> = Seat::speaking(Dialect::Lite07).collect();

    let mut cases = Cases { relay, list: Vec::new() };
    cases.add("announce", same(&wip), announce::comes_and_goes);
    cases.add("republish", same(&wip), announce::starts_over);
    cases.add("deliver", every(&wip, &wip), deliver::frame_by_frame);
    cases.add("deliver", ring(&all, &wip), deliver::frame_by_frame);
    cases.add("deliver", ring(&wip, &all), deliver::frame_by_frame);
    cases.add("join late", same(&wip), join::late);
    cases.add("datagram", ring(&wip, &wip), datagram::arrives);
    cases.add("fetch through", ring(&wip, &wip), fetch::through);
    cases.add("fetch missing", ring(&wip, &wip), fetch::missing);
    cases.add("reset code", same(&wip), abrupt::says_why);
    cases.add("path", ring(&wip, &wip), path::becomes_the_root);
    cases.list
}

/// Cases with a relay of their own, which is asked to stop.
pub fn stopping(launch: &Launch) -> Vec<Case> {
    Seat::all().into_iter().map(|seat| drain::case(launch, seat)).collect()
}

/// What must hold where publisher and viewer are at different nodes of a cluster.
pub fn across(publisher: Seat, viewer: Seat) -> Vec<(&'static str, Promise)> {
    let mut promises: Vec<(&str, Promise)> = vec![
        ("unwatched", |setting| Box::pin(demand::ends(setting))),
        ("announce", |setting| Box::pin(announce::comes_and_goes(setting))),
        ("republish", |setting| Box::pin(announce::starts_over(setting))),
        ("deliver", |setting| Box::pin(deliver::frame_by_frame(setting))),
        ("burst", |setting| Box::pin(deliver::burst(setting))),
        ("join late", |setting| Box::pin(join::late(setting))),
        ("viewer returns", |setting| Box::pin(demand::returns(setting))),
        ("group reset", |setting| Box::pin(abrupt::reset(setting))),
        ("no such track", |setting| Box::pin(demand::refused(setting))),
    ];
    if publisher.dialect.is_05_or_newer() && viewer.dialect.is_05_or_newer() {
        promises.push(("datagram", |setting| Box::pin(datagram::arrives(setting))));
        promises.push(("fetch through", |setting| Box::pin(fetch::through(setting))));
        promises.push(("fetch missing", |setting| Box::pin(fetch::missing(setting))));
    }
    promises
}

/// A case that waits for its setting.
pub type Promise = fn(Setting) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Cases about the clients themselves, without which the others prove nothing.
pub fn harness() -> Vec<Case> {
    fallback::cases()
}

/// The line of a case.
fn title(promise: &str, publisher: Seat, viewer: Seat) -> String {
    format!("{promise:<14} {:>7} to {viewer}", publisher.to_string())
}

struct Cases<'a> {
    relay: &'a Doors,
    list: Vec<Case>,
}

impl Cases<'_> {
    /// Add `promise` for every one of `pairs`.
    fn add<F>(&mut self, promise: &str, pairs: Vec<Pair>, run: impl Fn(Setting) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        for (publisher, viewer) in pairs {
            let setting = Setting::new(self.relay.clone(), promise, (publisher, viewer));
            self.list.push(Case::new(title(promise, publisher, viewer), run(setting)));
        }
    }
}
