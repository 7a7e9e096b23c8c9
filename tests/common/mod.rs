//! A world in a struct: an origin and peers on both sides of it, in this process or over real sockets.
//!
//! [`World`] connects peers over `transport::memory`, so tests run on paused time; [`TestRelay`] is the real relay on a
//! free port of this machine. Both give the same [`Peer`], a small client written on the codecs alone.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses its part of this one"
)]
#![expect(clippy::disallowed_methods, reason = "a test is over before a channel without a bound grows")]

mod cable;
mod peer;
mod publisher;
mod relay;
pub mod shape;
mod stream;
mod token;
mod viewer;
mod world;

use std::{future::Future, time::Duration};

use moq_relay::{
    types::{HopId, Path, Preferences, Start},
    wire::Dialect,
};

pub use cable::{Cable, Dropped, Mode, Wire};
pub use peer::{INFO, Peer};
pub use publisher::{Announcer, Feed, FetchAsked, GroupOut, Publisher, TrackAsked, raw, timestamp};
pub use relay::{ANYWHERE, Answer, Socket, TestRelay, ask, credulous, upgrade};
pub use shape::Shape;
pub use stream::{End, Reader};
pub use token::{Key, assemble, from_now};
pub use viewer::{Announced, Event, Fetched, Frame, GroupIn, Probed, Subscription, TrackAnswer};
pub use world::{Door, World};

/// The relay's own identity in a [`World`].
pub const RELAY: HopId = HopId(42);

/// The track that tests publish when its name does not matter.
pub const VIDEO: &str = "video";

pub fn dialect(name: &str) -> &'static Dialect {
    Dialect::by_name(&format!("moq-lite-{name}")).unwrap()
}

pub fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Whatever a test waits for comes within this time, real or paused, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("this never came")
}

/// On paused time: lets everybody do all that can be done without the clock.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// From the newest group on, and no group is ever too old.
pub fn latest() -> Preferences {
    Preferences { max_age: Some(Duration::from_secs(3600)), ..Preferences::default() }
}

/// From this group on, and no group is ever too old.
pub fn from(sequence: u64) -> Preferences {
    Preferences { start: Start::At(sequence), ..latest() }
}

/// For subscribers of the newest group in any dialect: where the start is a floor, a max age of 0 leaves only that.
pub fn live(dialect: &Dialect) -> Preferences {
    if dialect.framing.frame_start { Preferences { max_age: Some(Duration::ZERO), ..latest() } } else { latest() }
}

/// Runs a test once for each dialect.
pub async fn every_dialect<F: Future<Output = ()>>(test: impl Fn(&'static Dialect) -> F) {
    for dialect in Dialect::every() {
        eprintln!("-- {}", dialect.name);
        test(dialect).await;
    }
}

/// Runs a test once for each dialect of the publisher and each of the viewer.
pub async fn every_pair<F: Future<Output = ()>>(test: impl Fn(&'static Dialect, &'static Dialect) -> F) {
    for publisher in Dialect::every() {
        for viewer in Dialect::every() {
            eprintln!("-- from {} to {}", publisher.name, viewer.name);
            test(publisher, viewer).await;
        }
    }
}

/// One broadcast, `room/a`, that somebody watches from before its first group.
pub struct Show {
    pub world: World,
    pub publisher: Publisher,
    pub feed: Feed,
    pub viewer: Peer,
    pub subscription: Subscription,
}

impl Show {
    pub async fn new(publisher: &'static Dialect, viewer: &'static Dialect) -> Self {
        let world = World::new();
        let publisher = world.publisher(publisher, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(viewer);
        let subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let feed = publisher.feed().await;
        Self { world, publisher, feed, viewer, subscription }
    }
}
