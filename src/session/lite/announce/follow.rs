//! What the peer announces, into the origin: one announce stream for each prefix it may publish under.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinSet;
use tracing::debug;

use super::malformed;
use crate::{
    model::{
        origin::{Demand, Publisher, Tracks},
        watch::Reader,
    },
    session::{Outcome, Shared, Violation, typed},
    types::{Cost, HopId, Hops, Path, PathError},
    wire::{
        DecodeError,
        dialect::{HopForm, Replace},
        lite::{
            announce::{Announcement, Request, Shared as Shares, Target},
            setup::Role,
            stream,
        },
    },
};

/// The most bytes of an initial set: some thousands of names, which only other nodes have.
const MAX_INIT: usize = 256 << 10;

/// The session as a source of broadcasts. Dropping it withdraws them all, whoever still holds a share of it.
#[derive(Debug)]
pub(in crate::session) struct Source(Arc<Mutex<Option<Publisher>>>, Tracks);

impl Source {
    /// What viewers want of the peer.
    pub(in crate::session) fn demand(&self) -> Option<Reader<Demand>> {
        lock(&self.0).as_ref().map(Publisher::demand)
    }

    /// The peer is about to end the session.
    pub(in crate::session) fn leave(&self) {
        if let Some(publisher) = lock(&self.0).as_mut() {
            publisher.leave();
        }
    }

    /// For the tasks that feed tracks.
    pub(in crate::session) fn tracks(&self) -> Tracks {
        self.1.clone()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let publisher = lock(&self.0).take();
        drop(publisher);
    }
}

/// Asks the peer for its announcements. `None` when it may not publish, or does not want to.
pub(in crate::session) fn follow_all(session: &Arc<Shared>, tasks: &mut JoinSet<Outcome>) -> Option<Source> {
    let prefixes = session.view.publishable();
    if prefixes.is_empty() || session.peer.role == Role::Subscriber {
        return None;
    }
    let publisher = session.view.publisher();
    let tracks = publisher.tracks();
    let publisher = Arc::new(Mutex::new(Some(publisher)));
    for prefix in prefixes {
        tasks.spawn(follow(session.clone(), prefix, publisher.clone()));
    }
    Some(Source(publisher, tracks))
}

async fn follow(session: Arc<Shared>, prefix: Path, publisher: Arc<Mutex<Option<Publisher>>>) -> Outcome {
    let Ok((mut send, recv)) = session.conn.open_bi().await else { return Ok(()) };
    let request = Request { prefix: prefix.clone(), exclude: session.view.origin().hop(), hidden: true };
    let codec = &session.dialect.announce_request;
    if typed::send(&mut send, session.form(), Some(stream::ANNOUNCE), codec, &request).await.is_err() {
        return Ok(());
    }
    let mut book = Incoming::new(&session, prefix, publisher);
    let result = book.run(&session, typed::Reader::new(recv, session.form())).await;
    book.clear();
    result
}

/// The book of one announce stream: what the peer has told.
struct Incoming<'a> {
    session: &'a Shared,
    prefix: Path,
    publisher: Arc<Mutex<Option<Publisher>>>,
    /// Announced paths, with their id where there are ids.
    live: HashMap<Path, u64>,
    by_id: HashMap<u64, Told>,
    next_id: u64,
    /// The peer, which receivers append to its chains.
    peer: HopId,
}

/// What an announcement said, for later ones to build on.
struct Told {
    suffix: Path,
    /// As it was on the wire.
    hops: Hops,
}

impl<'a> Incoming<'a> {
    fn new(session: &'a Shared, prefix: Path, publisher: Arc<Mutex<Option<Publisher>>>) -> Self {
        Self { session, prefix, publisher, live: HashMap::new(), by_id: HashMap::new(), next_id: 0, peer: HopId::NONE }
    }

    async fn run(&mut self, session: &Shared, mut reader: typed::Reader) -> Outcome {
        if let Some(codec) = &session.dialect.announce_init {
            match reader.message(codec, MAX_INIT).await {
                Ok(init) => {
                    init.iter().try_for_each(|suffix| self.on_active(suffix, Hops::default(), Cost::UNKNOWN))?
                }
                Err(error) => return malformed(error).map_or(Ok(()), Err),
            }
        }
        if let Some(codec) = &session.dialect.announce_ok {
            match reader.message(codec, typed::MAX_MESSAGE).await {
                Ok(ok) => self.peer = ok.hop,
                Err(error) => return malformed(error).map_or(Ok(()), Err),
            }
        }
        loop {
            match reader.message(&session.dialect.announcement, typed::MAX_MESSAGE).await {
                Ok(announcement) => self.on_announcement(announcement)?,
                Err(error) => return malformed(error).map_or(Ok(()), Err),
            }
        }
    }

    fn on_announcement(&mut self, announcement: Announcement) -> Outcome {
        match announcement {
            Announcement::Active { suffix, hops, cost } => self.on_active(suffix, hops, cost)?,
            Announcement::ActiveLike { path, suffix, chain, hops, cost } => {
                let (suffix, hops) = (self.path_like(path, &suffix)?, self.chain_like(chain, hops)?);
                self.on_active(suffix, hops, cost)?;
            }
            Announcement::Restarted { id, hops, cost } => self.on_restart(id, hops, cost)?,
            Announcement::RestartedLike { id, chain, hops, cost } => {
                let hops = self.chain_like(chain, hops)?;
                self.on_restart(id, hops, cost)?;
            }
            Announcement::Ended(Target::Id(id)) => {
                let Told { suffix, .. } = self.by_id.remove(&id).ok_or(Violation::UnknownAnnounceId(id))?;
                self.live.remove(&suffix);
                self.unannounce(&suffix);
            }
            Announcement::Ended(Target::Path(suffix)) => {
                if let Some(id) = self.live.remove(&suffix) {
                    self.by_id.remove(&id);
                    self.unannounce(&suffix);
                }
            }
            Announcement::Unknown(kind) => debug!(kind, "unknown announcement skipped"),
        }
        Ok(())
    }

    fn on_active(&mut self, suffix: Path, hops: Hops, cost: Cost) -> Outcome {
        // moq-lite "Announcement life cycle": only moq-lite-05 announces a live path again.
        if self.live.contains_key(&suffix) && self.session.dialect.replace != Replace::Again {
            return Err(Violation::AnnouncedTwice(suffix));
        }
        // An announcement that is not taken up still occupies its path and id.
        self.live.insert(suffix.clone(), self.next_id);
        if self.session.dialect.replace == Replace::Restart {
            self.by_id.insert(self.next_id, Told { suffix: suffix.clone(), hops: hops.clone() });
            self.next_id += 1;
        }
        self.announce(&suffix, hops, cost);
        Ok(())
    }

    fn on_restart(&mut self, id: u64, hops: Hops, cost: Cost) -> Outcome {
        let told = self.by_id.get_mut(&id).ok_or(Violation::UnknownAnnounceId(id))?;
        told.hops = hops.clone();
        let suffix = told.suffix.clone();
        self.announce(&suffix, hops, cost);
        Ok(())
    }

    /// The announcement that lies so far back from the next id.
    fn base(&self, back: u64) -> Result<&Told, Violation> {
        let id = self.next_id.checked_sub(back).ok_or(Violation::UnknownBase)?;
        self.by_id.get(&id).ok_or(Violation::UnknownBase)
    }

    /// The first segments of an earlier path, then `rest`.
    fn path_like(&self, shared: Shares, rest: &Path) -> Result<Path, Violation> {
        if shared.base == 0 {
            return Ok(rest.clone());
        }
        let first = self.base(shared.base)?.suffix.first_segments(shared.keep).ok_or(Violation::UnknownBase)?;
        let too_long = |error: PathError| Violation::Malformed { what: "announcement", error: error.into() };
        first.join(rest).map_err(too_long)
    }

    /// `first`, then the last hops of an earlier chain.
    fn chain_like(&self, shared: Shares, first: Hops) -> Result<Hops, Violation> {
        if shared.base == 0 {
            return Ok(first);
        }
        let base = &self.base(shared.base)?.hops;
        let skip = usize::try_from(shared.keep).ok().and_then(|keep| base.len().checked_sub(keep));
        let hops = Hops::new(first.iter().chain(base.iter().skip(skip.ok_or(Violation::UnknownBase)?)));
        let hops = hops
            .map_err(DecodeError::from)
            .and_then(|hops| if hops.has_repeat() { Err(DecodeError::RepeatedHop) } else { Ok(hops) });
        hops.map_err(|error| Violation::Malformed { what: "announcement", error })
    }

    fn announce(&self, suffix: &Path, hops: Hops, cost: Cost) {
        let Ok(path) = self.prefix.join(suffix) else { return };
        let mut guard = lock(&self.publisher);
        let Some(publisher) = guard.as_mut() else { return };
        let link = self.session.peer.cost.unwrap_or(1);
        let cost = if self.session.dialect.costs { cost.behind(link) } else { cost };
        let session = self.session.view.session();
        match self.chain(hops) {
            Some(hops) => {
                if let Err(reason) = publisher.announce(&path, hops, cost) {
                    debug!(%session, ?path, %reason, "announcement not taken up");
                }
            }
            None => {
                publisher.unannounce(&path);
                debug!(%session, ?path, "announcement not taken up: its chain is too long or names the peer twice");
            }
        }
    }

    fn unannounce(&self, suffix: &Path) {
        let Ok(path) = self.prefix.join(suffix) else { return };
        if let Some(publisher) = lock(&self.publisher).as_mut() {
            publisher.unannounce(&path);
        }
    }

    /// The full chain with the peer at its end (moq-lite, "hops, identity and loops").
    fn chain(&self, mut hops: Hops) -> Option<Hops> {
        if self.session.dialect.hops == HopForm::ReceiverAppends {
            if hops.contains(self.peer) {
                return None;
            }
            hops.push(self.peer).ok()?;
        }
        if hops.is_empty() {
            hops.push(HopId::NONE).ok()?;
        }
        // Without a name of its own, a publisher that reconnects must look like a new one.
        if hops.publisher().is_none() {
            hops.push_front(self.session.stamp).ok()?;
        }
        Some(hops)
    }

    /// The stream is over: so are its announcements.
    fn clear(&mut self) {
        for (suffix, _) in std::mem::take(&mut self.live) {
            self.unannounce(&suffix);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
