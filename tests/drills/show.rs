//! Who publishes and who watches during a drill, and what the viewer saw.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use bytes::Bytes;
use moq_relay::{
    transport::Connection,
    types::{Cost, HopId, Preferences},
    wire::{
        dialect::HopForm,
        lite::{
            group::{FrameHeader, Header},
            stream,
        },
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::node::Node;
use crate::common::{Announcer, Event, Feed, GroupIn, Peer, Subscription, VIDEO};

/// A group each.
pub const TICK: Duration = Duration::from_millis(20);
/// Group 0 of everybody: a standby goes on where the main publisher has stopped.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Groups are larger than a datagram.
const SIZE: usize = 2500;
/// Viewers do not want groups that are this much behind the newest one.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Groups that come sooner than this after they were made are live.
const LIVE: Duration = Duration::from_secs(1);

/// Sends a group of each broadcast each [`TICK`] to whoever asks, until dropped.
pub struct Publisher {
    peer: Arc<Peer>,
    announcer: Announcer,
    _sending: JoinSet<()>,
}

impl Publisher {
    /// `behind`: as if there were as many relays before the node.
    pub async fn new(node: &Node, name: &'static str, hop: u64, behind: u64) -> Self {
        let peer = Arc::new(node.peer(HopId(hop)).await);
        let mut announcer = peer.announcer().await;
        announcer.accept(0).await;
        let mut sending = JoinSet::new();
        sending.spawn(serve(peer.clone(), name));
        let mut publisher = Self { peer: peer.clone(), announcer, _sending: sending };
        let own = (peer.dialect.hops != HopForm::ReceiverAppends).then_some(hop);
        let way: Vec<_> = (1..=behind).map(|relay| hop + relay).chain(own).collect();
        publisher.announcer.active_over(name_of(name), &way, Cost::FREE).await;
        publisher
    }

    pub async fn announce(&mut self, broadcast: &str) {
        self.announcer.active(broadcast).await;
    }

    /// Its process is gone, and the system says so.
    pub fn die(&self) {
        self.peer.die();
    }
}

/// Publishers of the same broadcast have names that begin alike.
fn name_of(publisher: &str) -> &str {
    publisher.split('-').next().unwrap_or(publisher)
}

async fn serve(peer: Arc<Peer>, name: &'static str) {
    let mut feeds = JoinSet::new();
    while let Some(feed) = peer.next_feed().await {
        feeds.spawn(send(peer.conn.clone(), feed, name));
    }
}

async fn send(conn: Connection, mut feed: Feed, name: &'static str) {
    let mut sequence = (EPOCH.elapsed().as_micros() / TICK.as_micros()) as u64 + 1;
    feed.start(sequence).await;
    loop {
        tokio::select! {
            () = sleep_until(*EPOCH + TICK * sequence as u32) => {}
            update = feed.update() => match update {
                Ok(_) => continue,
                Err(_) => return,
            },
            _ = conn.closed() => return,
        }
        let mut payload = format!("{name} {sequence} {} ", EPOCH.elapsed().as_micros()).into_bytes();
        payload.resize(SIZE, b'.');
        let framing = feed.dialect.framing;
        let mut out = vec![stream::GROUP as u8];
        framing.encode_group(&Header { subscribe: feed.subscribe.id, sequence, frame_start: 0 }, &mut out);
        let delta = (sequence * TICK.as_micros() as u64).cast_signed();
        framing.encode_frame(FrameHeader { delta, size: SIZE as u64 }, &mut out);
        out.extend(payload);
        let Ok(mut stream) = conn.open_uni().await else { return };
        if stream.write(Bytes::from(out)).await.is_ok() {
            stream.finish();
        }
        sequence += 1;
    }
}

/// One group as it has come, whole.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: Instant,
    pub made: Instant,
    pub sequence: u64,
    pub publisher: String,
}

impl Arrival {
    fn latency(&self) -> Duration {
        self.at - self.made
    }
}

#[derive(Default, Debug)]
struct Seen {
    arrivals: Vec<Arrival>,
    /// Broadcasts that are announced.
    live: HashSet<String>,
    subscriptions: usize,
}

/// Watches a broadcast as a player does: subscribes when it is announced, and again when the subscription has ended.
pub struct Viewer {
    seen: Arc<Mutex<Seen>>,
    _watching: JoinSet<()>,
}

impl Viewer {
    pub async fn new(node: &Node, broadcast: &'static str) -> Self {
        static HOPS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(9001);
        let peer = node.peer(HopId(HOPS.fetch_add(1, std::sync::atomic::Ordering::Relaxed))).await;
        let seen = Arc::<Mutex<Seen>>::default();
        let mut watching = JoinSet::new();
        watching.spawn(watch(peer, broadcast, seen.clone()));
        Self { seen, _watching: watching }
    }

    fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    pub fn subscriptions(&self) -> usize {
        self.seen(|seen| seen.subscriptions)
    }

    /// Whether live groups made after `since` have come, and a broadcast is announced.
    pub fn is_right(&self, since: Instant, announced: &str) -> bool {
        self.seen(|seen| {
            let is_live = |arrival: &Arrival| arrival.made > since && arrival.latency() < LIVE;
            seen.live.contains(announced) && seen.arrivals.iter().rev().any(is_live)
        })
    }

    /// Waits for that, and says how long it took; `None` when it was not to be.
    pub async fn gets_right(&self, since: Instant, announced: &str, patience: Duration) -> Option<Duration> {
        while !self.is_right(since, announced) {
            if since.elapsed() > patience {
                return None;
            }
            sleep(Duration::from_millis(5)).await;
        }
        Some(since.elapsed())
    }

    /// Whether live groups come from this publisher.
    pub fn watches(&self, publisher: &str) -> bool {
        self.seen(|seen| seen.arrivals.last().is_some_and(|it| it.publisher == publisher && it.at.elapsed() < LIVE))
    }

    /// Longest time without news from then on: groups below those that have come are none.
    pub fn gap(&self, from: Instant) -> Duration {
        self.seen(|seen| {
            let (mut last, mut highest, mut gap) = (from, 0, Duration::ZERO);
            for arrival in seen.arrivals.iter().filter(|arrival| arrival.at > from) {
                if arrival.sequence > highest {
                    highest = arrival.sequence;
                    gap = gap.max(arrival.at - last);
                    last = arrival.at;
                }
            }
            gap.max(last.elapsed())
        })
    }

    /// Groups between the first and the last that never came.
    pub fn lost(&self) -> u64 {
        self.seen(|seen| {
            let numbers: BTreeSet<_> = seen.arrivals.iter().map(|arrival| arrival.sequence).collect();
            match (numbers.first(), numbers.last()) {
                (Some(first), Some(last)) => last - first + 1 - numbers.len() as u64,
                _ => 0,
            }
        })
    }

    /// The 99th percentile of what groups made in this time took to come.
    pub fn p99(&self, from: Instant, to: Instant) -> Duration {
        let mut all: Vec<_> = self.seen(|seen| {
            let made_then = seen.arrivals.iter().filter(|arrival| arrival.made >= from && arrival.made < to);
            made_then.map(Arrival::latency).collect()
        });
        all.sort();
        all.get(all.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(Duration::MAX)
    }
}

async fn watch(peer: Peer, broadcast: &'static str, seen: Arc<Mutex<Seen>>) {
    let mut announced = peer.announced("").await;
    let mut subscription: Option<Subscription> = None;
    let mut groups = JoinSet::new();
    loop {
        let is_live = seen.lock().unwrap().live.contains(broadcast);
        if is_live && subscription.is_none() {
            seen.lock().unwrap().subscriptions += 1;
            let preferences = Preferences { max_age: Some(MAX_AGE), ..Preferences::default() };
            subscription = Some(peer.subscribe(broadcast, VIDEO, preferences).await);
        }
        let group = async {
            match &mut subscription {
                Some(subscription) => subscription.group_or_end().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            change = announced.change() => match change {
                Ok(Event::Active { suffix, .. }) => drop(seen.lock().unwrap().live.insert(suffix)),
                Ok(Event::Ended(suffix)) => drop(seen.lock().unwrap().live.remove(&suffix)),
                Ok(Event::Restarted { .. }) => {}
                Err(_) => return,
            },
            group = group => match group {
                Ok(group) => drop(groups.spawn(take(group, seen.clone()))),
                Err(end) => {
                    eprintln!("{broadcast}: the subscription ended with {end:?}");
                    subscription = None;
                    sleep(Duration::from_millis(20)).await;
                }
            },
        }
        while groups.try_join_next().is_some() {}
    }
}

async fn take(mut group: GroupIn, seen: Arc<Mutex<Seen>>) {
    let Ok(frame) = group.frame().await else { return };
    let at = Instant::now();
    let text = String::from_utf8(frame.payload.to_vec()).unwrap();
    let mut words = text.split(' ');
    let publisher = words.next().unwrap().to_owned();
    let sequence = words.next().unwrap().parse().unwrap();
    let made = *EPOCH + Duration::from_micros(words.next().unwrap().parse().unwrap());
    seen.lock().unwrap().arrivals.push(Arrival { at, made, sequence, publisher });
}
