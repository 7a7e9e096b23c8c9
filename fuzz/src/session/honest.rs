//! Those who do nothing wrong, and check whatever the relay sends them.

use std::{collections::VecDeque, time::Duration};

use futures::FutureExt;
use moq_relay::{
    types::{FrameRange, Preferences, Start},
    wire::Dialect,
};
use tokio::task::JoinSet;

use crate::peers::{self, Door, Feed, Fetched, Peer, Publisher, TRACK, World, latest};

/// What is announced and watched, by everybody: samples have the first ones.
const NAMES: [&str; 6] = ["cam", "room/cam", "room", "a/b", ".h", ""];

/// One who publishes, one who watches, and sometimes a third.
pub struct Honest {
    publisher: Publisher,
    viewer: Peer,
    second: Option<(Peer, JoinSet<()>)>,
    announced: Vec<&'static str>,
    feeds: VecDeque<Feed>,
    next: u64,
    reading: JoinSet<()>,
}

impl Honest {
    pub async fn new(world: &World, dialect: &'static Dialect) -> Self {
        let publisher = world.publisher(dialect, &[]).await;
        let (viewer, reading) = (world.peer(dialect), JoinSet::new());
        Self { publisher, viewer, second: None, announced: vec![], feeds: VecDeque::new(), next: 0, reading }
    }

    pub async fn announce(&mut self, which: u8) {
        let name = NAMES[usize::from(which) % NAMES.len()];
        if let Some(at) = self.announced.iter().position(|other| *other == name) {
            self.announced.remove(at);
            return self.publisher.announcer.ended(name).await;
        }
        self.announced.push(name);
        self.publisher.announcer.active(name).await;
    }

    pub async fn watch(&mut self, which: u8, how: u8) {
        let name = NAMES[usize::from(which) % NAMES.len()];
        let (viewer, reading) = match &mut self.second {
            Some((peer, reading)) if how & 0x80 != 0 => (&*peer, reading),
            _ => (&self.viewer, &mut self.reading),
        };
        match how & 0x07 {
            0 => {
                let mut announced = viewer.announced(name).await;
                reading.spawn(async move {
                    loop {
                        announced.next().await;
                    }
                });
            }
            1 if viewer.dialect.track.is_some() => {
                let answer = viewer.track_info(name, TRACK).await;
                reading.spawn(async move { answer.read().await.map_or_else(drop, drop) });
            }
            2 if viewer.dialect.fetch.is_some() => {
                let frames = FrameRange { start: u64::from(which >> 6), end: None };
                let fetched = viewer.fetch(name, TRACK, u64::from(how >> 3 & 0x0f), frames).await;
                reading.spawn(async move {
                    let Fetched { out: _open, mut group } = fetched;
                    drop(group.rest().await);
                });
            }
            3 => {
                let mut subscription = viewer.subscribe(name, TRACK, latest()).await;
                reading.spawn(async move { while subscription.reply().await.is_ok() {} });
            }
            how => {
                let start = if how & 1 == 0 { Start::Latest } else { Start::At(u64::from(how >> 3 & 0x0f)) };
                let max_age = (how & 2 == 0).then_some(Duration::from_secs(1));
                let wish = Preferences { start, max_age, start_frame: u64::from(which >> 6), ..latest() };
                let mut subscription = viewer.subscribe(name, TRACK, wish).await;
                reading.spawn(async move {
                    let mut groups = JoinSet::new();
                    loop {
                        let mut group = subscription.group().await;
                        groups.spawn(async move { drop(group.rest().await) });
                    }
                });
            }
        }
    }

    pub async fn feed(&mut self, what: u8, size: u8) {
        self.feeds.extend(std::iter::from_fn(|| self.publisher.feed().now_or_never()));
        while let Some(fetch) = self.publisher.fetch_asked().now_or_never() {
            let mut group = fetch.group();
            group.frame(1000, &[7; 3]).await;
            group.finish();
        }
        let Some(mut feed) = self.feeds.pop_front() else { return };
        let sequence = self.next;
        self.next += u64::from(what >> 6);
        match what & 0x07 {
            0 => return feed.end(sequence).await,
            1 => return feed.out.reset(size.into()),
            2 => drop(feed.group(sequence).await),
            _ => feed.whole_group(sequence, &[&[7; 3], &vec![8; usize::from(size)]]).await,
        }
        self.feeds.push_back(feed);
    }

    pub async fn second(&mut self, world: &World, what: u8) {
        if let Some((peer, reading)) = self.second.take() {
            return left(&peer, reading).await;
        }
        if what == u8::MAX {
            return world.leave();
        }
        let door = Door { node: what & 1 != 0, ..Door::new(peers::dialect(what >> 1)) };
        self.second = Some((world.connect(door), JoinSet::new()));
    }

    pub async fn leave(self) {
        let Self { publisher, viewer, second, reading, .. } = self;
        left(&publisher, JoinSet::new()).await;
        left(&viewer, reading).await;
        if let Some((peer, reading)) = second {
            left(&peer, reading).await;
        }
    }
}

/// An honest peer goes away. Nobody has cut it off until now, and all that it has read was well-formed.
async fn left(peer: &Peer, mut reading: JoinSet<()>) {
    assert_eq!(peer.conn.closed().now_or_never(), None, "an honest session is over");
    while let Some(done) = reading.try_join_next() {
        done.expect("what the relay sends is well-formed");
    }
    reading.shutdown().await;
    peer.die();
}
