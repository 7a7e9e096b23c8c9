//! A viewer: what it is told, and what its subscriptions get, all of it written down.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use moq_relay::{
    transport::{Connection, SendStream},
    types::{HopId, Preferences},
    wire::{
        Dialect,
        lite::{setup::Setup, subscribe::Reply},
    },
};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet};

use super::content::{Ledger, Place, TRACKS};
use crate::common::{Announced, End, Event, GroupIn, Peer, Reader, latest};

#[derive(Debug)]
pub struct Viewer {
    /// Its hop id, too.
    pub id: u64,
    pub node: usize,
    pub announced: Announced,
    /// Every name it has been told of, with the hops to it.
    pub live: BTreeMap<String, Vec<u64>>,
    pub subscriptions: Vec<Watching>,
    peer: Peer,
    ledger: Ledger,
}

impl Viewer {
    pub async fn new(conn: Connection, dialect: &'static Dialect, node: usize, id: u64, ledger: &Ledger) -> Self {
        let peer = Peer::start(conn, dialect, Setup { hop: HopId(id), ..Setup::default() });
        let announced = peer.announced("").await;
        let ledger = ledger.clone();
        Self { id, node, announced, live: BTreeMap::new(), subscriptions: Vec::new(), peer, ledger }
    }

    pub fn lives(&self) -> bool {
        self.peer.conn.closed().now_or_never().is_none()
    }

    /// Takes in what it is told, and returns it.
    pub async fn listen(&mut self) -> Vec<Event> {
        let events = self.announced.rest().await;
        for event in &events {
            match event {
                Event::Active { suffix, hops, .. } | Event::Restarted { suffix, hops, .. } => {
                    self.live.insert(suffix.clone(), hops.clone());
                }
                Event::Ended(suffix) => {
                    self.live.remove(suffix);
                    let crossed = |watching: &&mut Watching| watching.broadcast == *suffix && !watching.went_on;
                    self.subscriptions.iter_mut().filter(crossed).for_each(|watching| watching.crossed = true);
                }
            }
        }
        events
    }

    pub async fn subscribe(&mut self, broadcast: &str, track: usize) {
        let wishes = Preferences { priority: 100, ..latest() };
        let subscription = self.peer.subscribe(broadcast, TRACKS[track], wishes).await;
        let (out, replies, groups) = subscription.into_parts();
        let transcript = Arc::<Mutex<Transcript>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(hear(self.peer.dialect, replies, transcript.clone()));
        let scribe = Scribe {
            broadcast: broadcast.to_owned(),
            track,
            transcript: transcript.clone(),
            ledger: self.ledger.clone(),
        };
        tasks.spawn(scribe.groups(groups));
        self.subscriptions.push(Watching {
            broadcast: broadcast.to_owned(),
            track,
            transcript,
            went_on: false,
            crossed: false,
            out,
            _tasks: tasks,
        });
    }

    /// Its connection fails.
    pub fn die(&self) {
        self.peer.die();
    }
}

/// A subscription.
#[derive(Debug)]
pub struct Watching {
    pub broadcast: String,
    pub track: usize,
    pub transcript: Arc<Mutex<Transcript>>,
    /// It went on when the world was at rest last.
    pub went_on: bool,
    /// It was asked for while the end of its broadcast was on its way: it may be of what was there before, or of what
    /// came next, and nobody promises to move it.
    pub crossed: bool,
    out: SendStream,
    _tasks: JoinSet<()>,
}

impl Watching {
    /// Unsubscribes.
    pub fn leave(mut self) {
        self.out.finish();
    }
}

/// What a subscription got.
#[derive(Default, Debug)]
pub struct Transcript {
    /// In the order they were opened.
    pub groups: Vec<Heard>,
    /// The first sequence that will never exist, as the relay says.
    pub last: Option<u64>,
    pub end: Option<End>,
}

/// A group, as far as it got.
#[derive(Debug)]
pub struct Heard {
    pub sequence: u64,
    /// Who has made its first frame.
    pub publisher: Option<u64>,
    pub frames: u64,
    pub end: Option<End>,
    /// [`Truth::changes`](super::content::Truth::changes) when it was opened.
    pub changes: u64,
    /// What is wrong with its frames.
    pub wrong: Option<String>,
}

async fn hear(dialect: &'static Dialect, mut replies: Reader, transcript: Arc<Mutex<Transcript>>) {
    loop {
        let reply = replies.message(&dialect.subscribe_reply).await;
        let mut transcript = transcript.lock().unwrap();
        match reply {
            Ok(Reply::End { group, .. }) => transcript.last = Some(group),
            Ok(_) => {}
            Err(end) => {
                transcript.end = Some(end);
                return;
            }
        }
    }
}

/// Writes down the groups of one subscription.
#[derive(Clone)]
struct Scribe {
    broadcast: String,
    track: usize,
    transcript: Arc<Mutex<Transcript>>,
    ledger: Ledger,
}

impl Scribe {
    async fn groups(self, mut groups: UnboundedReceiver<GroupIn>) {
        let mut open = JoinSet::new();
        while let Some(group) = groups.recv().await {
            let sequence = group.sequence();
            let changes = self.ledger.lock().unwrap().changes;
            let mut transcript = self.transcript.lock().unwrap();
            let heard = Heard { sequence, publisher: None, frames: 0, end: None, changes, wrong: None };
            transcript.groups.push(heard);
            open.spawn(self.clone().group(transcript.groups.len() - 1, group));
        }
        open.join_all().await;
    }

    async fn group(self, at: usize, mut group: GroupIn) {
        loop {
            let frame = group.next_frame().await;
            let heard = &mut self.transcript.lock().unwrap().groups[at];
            let payload = match frame {
                Ok(frame) => frame.payload,
                Err(end) => {
                    heard.end = Some(end);
                    return;
                }
            };
            let place = Place::of(&payload);
            let publisher = heard.publisher.or_else(|| Some(place.as_ref()?.publisher));
            heard.publisher = publisher;
            let expected = publisher.map(|publisher| Place {
                publisher,
                broadcast: self.broadcast.clone(),
                track: TRACKS[self.track].to_owned(),
                group: heard.sequence,
                frame: heard.frames,
            });
            if place.is_none() || place != expected {
                heard.wrong.get_or_insert_with(|| format!("{place:?} where {expected:?} belongs"));
            }
            heard.frames += 1;
        }
    }
}
