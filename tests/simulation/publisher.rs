//! A publisher of one live broadcast: every subscription gets the groups it asks for, and then what is made.

use std::sync::Arc;

use futures::FutureExt;
use moq_relay::{
    transport::Connection,
    types::{HopId, Preferences, Start, code},
    wire::{Dialect, lite::setup::Setup},
};
use tokio::{sync::Mutex, task::JoinSet};

use super::content::{Ended, Ledger, Made, Place, TRACKS, Work};
use crate::common::{Announced, Announcer, Feed, GroupOut, Peer, timestamp};

#[derive(Debug)]
pub struct Publisher {
    /// Its hop id, too.
    pub id: u64,
    pub node: usize,
    pub broadcast: String,
    /// What it is told itself, while it asks for nothing that passed it.
    pub announced: Announced,
    peer: Arc<Peer>,
    studio: Arc<Mutex<Studio>>,
    _tasks: JoinSet<()>,
}

/// How a group is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    Finished,
    Aborted,
    Open,
    /// Open, with half of another frame.
    Half,
}

impl Publisher {
    pub async fn new(
        conn: Connection,
        dialect: &'static Dialect,
        node: usize,
        id: u64,
        broadcast: &str,
        ledger: &Ledger,
    ) -> Self {
        let work = Work { broadcast: broadcast.to_owned(), tracks: Default::default(), ended: false };
        ledger.lock().unwrap().works.insert(id, work);
        let peer = Arc::new(Peer::start(conn, dialect, Setup { hop: HopId(id), ..Setup::default() }));
        let announced = peer.announced_without("", HopId(id)).await;
        let studio =
            Studio { id, broadcast: broadcast.to_owned(), ledger: ledger.clone(), announcer: None, feeds: Vec::new() };
        let studio = Arc::new(Mutex::new(studio));
        let mut tasks = JoinSet::new();
        tasks.spawn(announce(peer.clone(), studio.clone(), broadcast.to_owned()));
        tasks.spawn(serve(peer.clone(), studio.clone()));
        Self { id, node, broadcast: broadcast.to_owned(), announced, peer, studio, _tasks: tasks }
    }

    pub fn lives(&self) -> bool {
        self.peer.conn.closed().now_or_never().is_none()
    }

    /// Goes on with each track: groups of some frames each, the last of which is left as told.
    pub async fn produce(&self, groups: u64, frames: u64, left: Left) {
        let mut studio = self.studio.lock().await;
        studio.forget_who_left();
        for track in 0..TRACKS.len() {
            for group in 1..=groups {
                studio.begin(track).await;
                for _ in 0..frames {
                    studio.frame(track).await;
                }
                studio.leave(track, if group == groups { left } else { Left::Finished }).await;
            }
        }
    }

    /// Says that nothing more will come, and takes the announcement back.
    pub async fn finish(&self) {
        let mut studio = self.studio.lock().await;
        for track in 0..TRACKS.len() {
            studio.leave(track, Left::Finished).await;
        }
        studio.end().await;
    }

    /// Its connection fails.
    pub fn die(&self) {
        self.peer.die();
    }
}

async fn announce(peer: Arc<Peer>, studio: Arc<Mutex<Studio>>, broadcast: String) {
    while let Some(mut announcer) = peer.next_announcer().await {
        announcer.accept(1).await;
        announcer.active(&broadcast).await;
        studio.lock().await.announcer = Some(announcer);
    }
}

async fn serve(peer: Arc<Peer>, studio: Arc<Mutex<Studio>>) {
    while let Some(feed) = peer.next_feed().await {
        studio.lock().await.join(feed).await;
    }
}

#[derive(Debug)]
struct Studio {
    id: u64,
    broadcast: String,
    ledger: Ledger,
    announcer: Option<Announcer>,
    feeds: Vec<Serving>,
}

/// A subscription of the node's.
#[derive(Debug)]
struct Serving {
    feed: Feed,
    track: usize,
    /// The first group of interest.
    from: u64,
    open: Option<GroupOut>,
}

impl Studio {
    async fn join(&mut self, mut feed: Feed) {
        let track = TRACKS.iter().position(|track| *track == feed.subscribe.track);
        let Some(track) = track.filter(|_| feed.subscribe.broadcast.as_str() == self.broadcast) else {
            return feed.out.reset(code::NOT_FOUND);
        };
        if !feed.dialect.implicit_accept {
            feed.start(0).await;
        }
        let (made, ended) = self.look(|work| (work.tracks[track].clone(), work.ended));
        let from = first(&feed.subscribe.preferences, made.len() as u64);
        let mut serving = Serving { feed, track, from, open: None };
        for (group, made) in made.iter().enumerate().skip(usize::try_from(from).unwrap()) {
            serving.begin(group as u64).await;
            for frame in 0..made.frames {
                serving.frame(&self.place(track, group as u64, frame)).await;
            }
            if made.half {
                serving.half(&self.place(track, group as u64, made.frames)).await;
            }
            serving.end(made.end);
        }
        if ended {
            return serving.feed.end(made.len() as u64).await;
        }
        self.feeds.push(serving);
    }

    /// Goes on with the group that is open, or begins one.
    async fn begin(&mut self, track: usize) {
        let changes = self.ledger.lock().unwrap().changes;
        let group = self.look(|work| {
            let made = &mut work.tracks[track];
            let open = made.last().is_some_and(|made| made.end.is_none());
            (!open).then(|| {
                made.push(Made { frames: 0, half: false, end: None, changes });
                made.len() as u64 - 1
            })
        });
        if let Some(group) = group {
            for serving in self.feeds.iter_mut().filter(|serving| serving.track == track && serving.from <= group) {
                serving.begin(group).await;
            }
        }
    }

    /// One more frame of the open group; one that is begun is completed.
    async fn frame(&mut self, track: usize) {
        let Some((group, made)) = self.open(track) else { return };
        let place = self.place(track, group, made.frames);
        for serving in self.feeds.iter_mut().filter(|serving| serving.track == track) {
            if made.half {
                serving.other_half(&place).await;
            } else {
                serving.frame(&place).await;
            }
        }
        self.change(track, |made| (made.frames, made.half) = (made.frames + 1, false));
    }

    async fn leave(&mut self, track: usize, left: Left) {
        let Some((group, made)) = self.open(track) else { return };
        match left {
            Left::Open => {}
            Left::Half => {
                let place = self.place(track, group, made.frames);
                for serving in self.feeds.iter_mut().filter(|serving| serving.track == track) {
                    serving.half(&place).await;
                }
                self.change(track, |made| made.half = true);
            }
            Left::Finished => {
                if made.half || made.frames == 0 {
                    self.frame(track).await;
                }
                self.close(track, Ended::Finished);
            }
            Left::Aborted => self.close(track, Ended::Aborted),
        }
    }

    fn close(&mut self, track: usize, end: Ended) {
        self.change(track, |made| made.end = Some(end));
        for serving in self.feeds.iter_mut().filter(|serving| serving.track == track) {
            serving.end(Some(end));
        }
    }

    async fn end(&mut self) {
        let lens = self.look(|work| {
            work.ended = true;
            work.tracks.each_ref().map(|made| made.len() as u64)
        });
        for serving in std::mem::take(&mut self.feeds) {
            serving.feed.end(lens[serving.track]).await;
        }
        if let Some(announcer) = &mut self.announcer {
            announcer.ended(&self.broadcast).await;
        }
    }

    fn forget_who_left(&mut self) {
        self.feeds.retain_mut(|serving| serving.feed.out.stopped().now_or_never().is_none());
    }

    fn place(&self, track: usize, group: u64, frame: u64) -> Place {
        let broadcast = self.broadcast.clone();
        Place { publisher: self.id, broadcast, track: TRACKS[track].to_owned(), group, frame }
    }

    fn open(&self, track: usize) -> Option<(u64, Made)> {
        self.look(|work| {
            let made = &work.tracks[track];
            Some((made.len().checked_sub(1)? as u64, *made.last()?)).filter(|(_, made)| made.end.is_none())
        })
    }

    fn change(&self, track: usize, change: impl FnOnce(&mut Made)) {
        self.look(|work| work.tracks[track].last_mut().map(change));
    }

    fn look<R>(&self, look: impl FnOnce(&mut Work) -> R) -> R {
        look(self.ledger.lock().unwrap().works.get_mut(&self.id).unwrap())
    }
}

impl Serving {
    async fn begin(&mut self, group: u64) {
        self.open = self.feed.try_group(group).await;
    }

    async fn frame(&mut self, place: &Place) {
        if let Some(out) = &mut self.open {
            out.frame(timestamp(place.group, place.frame), &place.payload()).await;
        }
    }

    async fn half(&mut self, place: &Place) {
        if let Some(out) = &mut self.open {
            let payload = place.payload();
            out.begin(timestamp(place.group, place.frame), payload.len()).await;
            out.payload(&payload[..payload.len() / 2]).await;
        }
    }

    async fn other_half(&mut self, place: &Place) {
        if let Some(out) = &mut self.open {
            let payload = place.payload();
            out.payload(&payload[payload.len() / 2..]).await;
        }
    }

    fn end(&mut self, end: Option<Ended>) {
        let Some(end) = end else { return };
        if let Some(out) = self.open.take() {
            match end {
                Ended::Finished => out.finish(),
                Ended::Aborted => out.reset(code::CANCELLED),
            }
        }
    }
}

/// The first group of interest, when so many are made.
fn first(wishes: &Preferences, made: u64) -> u64 {
    let latest = made.saturating_sub(1);
    match wishes.start {
        Start::Latest => latest,
        Start::At(group) => group,
        Start::Fresh { floor } if wishes.max_age.is_some_and(|age| age.is_zero()) => floor.max(latest),
        Start::Fresh { floor } => floor,
    }
}
