//! A track: what is cached of it, who writes it and who wants it.
//!
//! Frames run down: a source's [`Producer`] appends groups to the [`Log`], readers look at it. Demand runs up: viewers
//! leave their wishes in [`Wanted`], the source's session reads the merged wish. A track outlives its sources; which
//! source may write is decided in `model/splice.rs`.

mod log;
mod producer;
mod slab;
mod wanted;

use std::sync::{Arc, Weak};

pub use log::{Closed, Log, Refused};
pub use producer::{GroupWriter, Producer};
pub use wanted::{Interest, Subscription, Wanted};

use super::{
    cache::{Limits, Share},
    watch::{Reader, Watch},
};
use crate::types::{HopId, Path, Preferences};

/// Where tracks are found.
pub(super) trait Home: std::fmt::Debug + Send + Sync {
    /// Runs `close` and, if that closed the track, takes it out, so that the next viewer asks anew.
    fn end(&self, track: &Arc<Track>, close: &dyn Fn() -> bool);
}

/// One track as everybody holds it.
#[derive(Debug)]
pub struct Track {
    /// The broadcast, absolute.
    pub broadcast: Path,
    /// Its name inside the broadcast; opaque.
    pub name: String,
    log: Arc<Watch<Log>>,
    wanted: Arc<Watch<Wanted>>,
    home: Weak<dyn Home>,
}

impl Track {
    pub(super) fn new(broadcast: Path, name: String, limits: Limits, home: Weak<dyn Home>) -> Arc<Self> {
        let (log, wanted) = (Watch::new(Log::new(limits)), Watch::new(Wanted::default()));
        Arc::new(Self { broadcast, name, log, wanted, home })
    }

    /// A reader of its groups.
    pub fn reader(&self) -> Reader<Log> {
        Reader::new(self.log.clone())
    }

    /// Looks at its groups once.
    pub fn look<R>(&self, look: impl FnOnce(&Log) -> R) -> R {
        self.log.look(look)
    }

    /// Asks the source for groups; dropping the subscription takes the wish back.
    pub fn subscribe(self: &Arc<Self>, preferences: Preferences) -> Subscription {
        Subscription::new(self.clone(), self.wanted.clone(), preferences)
    }

    /// Keeps the track alive without asking for groups.
    pub(super) fn interest(self: &Arc<Self>) -> Interest {
        Interest::new(self.clone(), self.wanted.clone())
    }

    /// The group will not come, with a stream code: those who wait for it are told.
    pub fn refuse(&self, sequence: u64, code: u32) {
        self.log.update(|log| log.set_missing(sequence, code));
    }

    /// Notes that a group is asked for by number; whether the source must be.
    pub(super) fn ask(&self, sequence: u64) -> bool {
        self.log.with(|log| log.ask(sequence))
    }

    /// Whether nobody holds an interest.
    pub(super) fn is_unwanted(&self) -> bool {
        self.wanted.look(|wanted| wanted.is_unwanted())
    }

    /// Makes a new source the one that writes.
    pub(super) fn attach(self: &Arc<Self>, publisher: Option<HopId>, share: Arc<Share>) -> Producer {
        let source = self.log.update(|log| log.attach(publisher));
        self.wanted.update(|wanted| wanted.source = source);
        Producer::new(self.clone(), source, share)
    }

    /// The current source is gone and no other is there.
    pub(super) fn fail(&self, code: u32) {
        self.log.update(|log| log.close(Closed::Failed(code)));
    }

    /// Its current source closes it, if `close` finds that it may.
    fn end(self: &Arc<Self>, close: &dyn Fn() -> bool) {
        match self.home.upgrade() {
            Some(home) => home.end(self, close),
            None => drop(close()),
        }
    }

    pub(super) const fn log(&self) -> &Arc<Watch<Log>> {
        &self.log
    }

    pub(super) const fn wanted(&self) -> &Arc<Watch<Wanted>> {
        &self.wanted
    }
}
