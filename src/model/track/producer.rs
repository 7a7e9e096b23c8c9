//! The writing side of a track: one source's groups.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Closed, Log, Refused, Track, Wanted, log::Fetched, slab::Slab};
use crate::{
    model::{
        cache::{Evict, Share},
        group::{Batch, State},
        watch::{Reader, Watch},
    },
    types::{TrackInfo, code},
};

/// One source of a track. Dropped without [`Producer::finish`], the track has failed, unless another source took over.
/// Either way the track leaves the origin, so that the next viewer asks anew.
#[derive(Debug)]
pub struct Producer {
    track: Arc<Track>,
    source: u64,
    feed: Arc<Feed>,
}

/// What the source's group writers share.
#[derive(Debug)]
struct Feed {
    log: Arc<Watch<Log>>,
    source: u64,
    share: Arc<Share>,
    slab: Mutex<Slab>,
}

impl Producer {
    pub(super) fn new(track: Arc<Track>, source: u64, share: Arc<Share>) -> Self {
        let feed = Feed { log: track.log().clone(), source, share, slab: Mutex::new(Slab::new()) };
        Self { track, source, feed: Arc::new(feed) }
    }

    /// The track it writes.
    pub const fn track(&self) -> &Arc<Track> {
        &self.track
    }

    /// What viewers want, to wait on.
    pub fn wanted(&self) -> Reader<Wanted> {
        Reader::new(self.track.wanted().clone())
    }

    /// Whether another source has taken its place.
    pub fn is_replaced(&self) -> bool {
        self.feed.log.with(|log| log.is_replaced(self.feed.source))
    }

    /// Whether `wanted`, the track's, is still for this source.
    pub const fn is_current(&self, wanted: &Wanted) -> bool {
        wanted.source == self.source
    }

    /// Waits until the source that took its place has sent something, so that this one may leave without a gap.
    pub async fn outlasted(&self) {
        let mut reader = self.track.reader();
        reader.wait(|log| log.is_done(self.source).then_some(())).await;
    }

    /// Tells the track's constants.
    pub fn info(&self, info: TrackInfo) {
        self.feed.log.update(|log| log.set_info(self.feed.source, info));
    }

    /// Tells the first sequence that will never exist.
    pub fn end(&self, end: u64) {
        self.feed.log.update(|log| log.set_end(self.feed.source, end));
    }

    /// Begins a group of the running track.
    pub fn group(&self, sequence: u64) -> Result<GroupWriter, Refused> {
        self.begin(sequence, Fetched(false))
    }

    /// Begins a group that was asked for by number.
    pub fn fetched(&self, sequence: u64) -> Result<GroupWriter, Refused> {
        self.begin(sequence, Fetched(true))
    }

    fn begin(&self, sequence: u64, fetched: Fetched) -> Result<GroupWriter, Refused> {
        let (ordinal, alive) = self.feed.log.update(|log| {
            let ordinal = log.begin(self.feed.source, sequence, fetched)?;
            Ok((ordinal, log.group(ordinal).map(|group| group.alive.clone())))
        })?;
        if let Some(alive) = alive {
            let log: Weak<Watch<Log>> = Arc::downgrade(&self.feed.log);
            self.feed.share.enqueue(&(log as Weak<dyn Evict>), ordinal, &alive);
        }
        Ok(GroupWriter { feed: self.feed.clone(), ordinal, ended: false })
    }

    /// A group could not be fetched.
    pub fn missing(&self, sequence: u64, code: u32) {
        self.track.refuse(sequence, code);
    }

    /// The source has sent everything.
    pub fn finish(&self) {
        self.close(Closed::Ended);
    }

    /// The source refused or broke off.
    pub fn abort(&self, code: u32) {
        self.close(Closed::Failed(code));
    }

    fn close(&self, how: Closed) {
        if self.is_replaced() {
            return;
        }
        self.track.end(&|| {
            self.feed.log.update(|log| {
                let current = log.is_current(self.feed.source);
                if current {
                    log.close(how);
                }
                current
            })
        });
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close(Closed::Failed(code::SESSION_CLOSED));
    }
}

/// Writes one group. Dropped without [`GroupWriter::finish`], the group is cut short.
#[derive(Debug)]
pub struct GroupWriter {
    feed: Arc<Feed>,
    ordinal: u64,
    ended: bool,
}

impl GroupWriter {
    /// Appends and empties the batch: one copy, one lock, and one wake-up for each reader that is up to date.
    /// An error is the code to stop the source with.
    pub fn append(&self, batch: &mut Batch) -> Result<(), u32> {
        if batch.is_empty() {
            return Ok(());
        }
        let (chunk, charge, allocated) = {
            let mut slab = self.feed.slab.lock().unwrap_or_else(PoisonError::into_inner);
            slab.copy(&batch.bytes, batch.len(), &self.feed.share)
        };
        let result = self.feed.log.update(|log| log.append(self.ordinal, chunk, &batch.frames, &charge));
        batch.clear();
        drop(charge);
        if allocated.0 {
            self.feed.share.shrink();
        }
        result
    }

    /// The group is complete.
    pub fn finish(mut self) {
        self.end(State::Finished);
    }

    /// The group was cut short.
    pub fn abort(mut self, code: u32) {
        self.end(State::Aborted(code));
    }

    fn end(&mut self, state: State) {
        if !std::mem::replace(&mut self.ended, true) {
            self.feed.log.update(|log| log.finish(self.ordinal, state));
        }
    }
}

impl Drop for GroupWriter {
    fn drop(&mut self) {
        self.end(State::Aborted(code::SESSION_CLOSED));
    }
}
