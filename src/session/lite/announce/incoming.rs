//! The book of one announce stream of the peer: what it has told, and what of that the origin knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use tracing::debug;

use super::{follow::lock, likeness::Told, malformed};
use crate::{
    model::origin::Publisher,
    session::{Outcome, Shared, Violation, typed},
    transport::ReadError,
    types::{Cost, HopId, Hops, Path},
    wire::{
        dialect::{HopForm, Replace},
        lite::announce::{Announcement, Target},
    },
};

/// The most bytes of an initial set: some thousands of names, which only other nodes have.
const MAX_INIT: usize = 256 << 10;

/// The book of one announce stream: what the peer has told.
pub(super) struct Incoming {
    pub(super) session: Arc<Shared>,
    pub(super) prefix: Path,
    publisher: Arc<Mutex<Option<Publisher>>>,
    /// Announced paths, and the chains they were told with.
    live: HashMap<Path, Hops>,
    /// The same by id, where there are ids.
    told: Told,
    /// The peer, which receivers append to its chains.
    peer: HopId,
}

impl Incoming {
    pub(super) fn new(session: Arc<Shared>, prefix: Path, publisher: Arc<Mutex<Option<Publisher>>>) -> Self {
        Self { session, prefix, publisher, live: HashMap::new(), told: Told::default(), peer: HopId::NONE }
    }

    /// Takes in what comes until the stream ends.
    pub(super) async fn run(&mut self, reader: &mut typed::Reader) -> Outcome {
        let dialect = self.session.dialect;
        if let Some(codec) = &dialect.announce_init {
            match reader.message(codec, MAX_INIT).await {
                Ok(init) => {
                    init.iter().try_for_each(|suffix| self.on_active(suffix, Hops::default(), Cost::UNKNOWN))?
                }
                Err(error) => return self.over(error),
            }
        }
        if let Some(codec) = &dialect.announce_ok {
            match reader.message(codec, typed::MAX_MESSAGE).await {
                Ok(ok) => {
                    self.peer = ok.hop;
                    self.session.learn_hop(ok.hop);
                }
                Err(error) => return self.over(error),
            }
        }
        let codec = &dialect.announcement;
        loop {
            let mut arrived = Some(reader.message(codec, typed::MAX_MESSAGE).await);
            while let Some(message) = arrived.take() {
                match message {
                    Ok(ended @ Announcement::Ended(Target::Path(_))) if self.replaces_by_pairs() => {
                        arrived = reader.message(codec, typed::MAX_MESSAGE).now_or_never();
                        if !arrived.as_ref().is_some_and(|next| self.is_another_way(&ended, next)) {
                            self.on_announcement(ended)?;
                        }
                    }
                    Ok(announcement) => self.on_announcement(announcement)?,
                    Err(error) => return self.over(error),
                }
            }
        }
    }

    /// Whether what the peer ends and announces in one breath may be one broadcast: a node whose dialect has no other
    /// words for it tells so that a broadcast goes another way.
    fn replaces_by_pairs(&self) -> bool {
        self.session.dialect.replace == Replace::Retract && self.session.view.is_node()
    }

    /// Whether what comes after an end takes its place. The same chain again is another broadcast.
    fn is_another_way(&mut self, ended: &Announcement, next: &Result<Announcement, typed::Error>) -> bool {
        let (Announcement::Ended(Target::Path(ended)), Ok(Announcement::Active { suffix, hops, .. })) = (ended, next)
        else {
            return false;
        };
        ended == suffix
            && self.live.get(suffix).is_some_and(|before| before != hops)
            && self.live.remove(suffix).is_some()
    }

    /// How the stream has ended. What came over a connection that is gone is left to the session, which withdraws all of
    /// it as its own end was: the peer may come right back.
    fn over(&mut self, error: typed::Error) -> Outcome {
        if error == typed::Error::Stream(ReadError::Closed) {
            self.live.clear();
        }
        malformed(error).map_or(Ok(()), Err)
    }

    fn on_announcement(&mut self, announcement: Announcement) -> Outcome {
        match self.told.plain(announcement)? {
            Announcement::Active { suffix, hops, cost } => self.on_active(suffix, hops, cost)?,
            Announcement::Restarted { id, hops, cost } => {
                let suffix = self.told.restart(id, hops.clone())?;
                self.announce(&suffix, hops, cost);
            }
            Announcement::Ended(Target::Id(id)) => {
                let suffix = self.told.end(id)?;
                self.on_ended(&suffix);
            }
            Announcement::Ended(Target::Path(suffix)) => self.on_ended(&suffix),
            Announcement::Unknown(kind) => debug!(kind, "unknown announcement skipped"),
            // Worked out above.
            Announcement::ActiveLike { .. } | Announcement::RestartedLike { .. } => {}
        }
        Ok(())
    }

    fn on_active(&mut self, suffix: Path, hops: Hops, cost: Cost) -> Outcome {
        let dialect = self.session.dialect;
        // moq-lite "Announcement life cycle": only moq-lite-05 announces a live path again. One that is not taken up still
        // occupies its path and id.
        if self.live.insert(suffix.clone(), hops.clone()).is_some() && dialect.replace != Replace::Again {
            if dialect.announce_init.is_none() {
                return Err(Violation::AnnouncedTwice(suffix));
            }
            // moq-net 0.3 never ends what it has told in ANNOUNCE_INIT, but announces it anew.
            self.unannounce(&suffix);
        }
        if dialect.replace == Replace::Restart {
            self.told.start(suffix.clone(), hops.clone());
        }
        self.announce(&suffix, hops, cost);
        Ok(())
    }

    fn on_ended(&mut self, suffix: &Path) {
        if self.live.remove(suffix).is_some() {
            self.unannounce(suffix);
        }
    }

    fn announce(&self, suffix: &Path, hops: Hops, cost: Cost) {
        let Ok(path) = self.prefix.join(suffix) else { return };
        let mut guard = lock(&self.publisher);
        let Some(publisher) = guard.as_mut() else { return };
        let link = self.session.price.or(self.session.peer.cost).unwrap_or(1);
        // A dialect without costs still tells how many nodes there are on the way. Taken for free, it would always be the
        // better one. Where there are none, the peer is the publisher, with whom all costs begin.
        let costs = self.session.dialect.costs;
        let way = if costs { 0 } else { hops_before(self.session.dialect.hops, &hops) };
        let cost = if costs || way > 0 || self.session.view.is_node() { cost } else { Cost::FREE };
        let cost = cost.behind(way.saturating_add(link));
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
        if self.session.dialect.hops == HopForm::SenderAppends {
            self.session.learn_hop(hops.last());
        }
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
    pub(super) fn clear(&mut self) {
        for suffix in std::mem::take(&mut self.live).into_keys() {
            self.unannounce(&suffix);
        }
    }
}

/// How many nodes a broadcast has passed before the peer.
fn hops_before(form: HopForm, hops: &Hops) -> u64 {
    let with_peer = !matches!(form, HopForm::ReceiverAppends);
    hops.len().saturating_sub(usize::from(with_peer)) as u64
}
