//! A relay without sockets and honest peers of it, from the relay's own tests: they check all that they are sent.
#![allow(dead_code, unused_imports, reason = "written for many tests, of which a target is one")]
#![allow(clippy::disallowed_methods, reason = "a target is over before a channel without a bound grows")]

#[path = "../../tests/common/peer.rs"]
mod peer;
#[path = "../../tests/common/publisher.rs"]
mod publisher;
#[path = "../../tests/common/stream.rs"]
mod stream;
#[path = "../../tests/common/viewer.rs"]
mod viewer;
#[path = "../../tests/common/world.rs"]
mod world;

use std::{future::Future, time::Duration};

use moq_relay::{
    types::{HopId, Path, Preferences},
    wire::Dialect,
};

pub use peer::Peer;
pub use publisher::{Feed, Publisher};
pub use stream::End;
pub use viewer::{Fetched, GroupIn};
pub use world::{Door, World};

/// The relay's own identity: none that samples have.
pub const RELAY: HopId = HopId(999);

/// What a target publishes and watches.
pub const TRACK: &str = "video";

pub fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

/// Every dialect, in the order that inputs count them.
pub fn dialect(number: u8) -> &'static Dialect {
    let all: Vec<_> = Dialect::every().collect();
    all[usize::from(number) % all.len()]
}

/// The number of a dialect.
pub fn number(dialect: &Dialect) -> u8 {
    Dialect::every().position(|other| other == dialect).expect("one of all") as u8
}

/// What honest peers wait for may never come: others are not honest.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    what.await
}

/// Lets everybody do all that can be done without the clock.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// From the newest group on, and no group is ever too old.
pub fn latest() -> Preferences {
    Preferences { max_age: Some(Duration::from_secs(3600)), ..Preferences::default() }
}

/// Runs on paused time.
pub fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(future);
}

/// Waits for the end of every session: nothing may be left behind.
pub async fn deserted(world: &World) {
    tokio::time::timeout(Duration::from_secs(600), world.deserted()).await.expect("every session ends");
    // The tasks of a session are dropped after it, some at a time.
    for _ in 0..1000 {
        if world.origin.is_empty() && world.origin.cache().used() == 0 {
            break;
        }
        settle().await;
    }
    assert!(world.origin.is_empty(), "{:#?}", world.origin);
    assert_eq!(world.origin.broadcasts(), []);
    assert_eq!(world.origin.cache().used(), 0);
}
