//! The writing side of a track: one source's groups.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{
    Closed, Log, Refused, Track, Wanted,
    log::Came,
    slab::{Allocated, Slab},
};
use crate::{
    model::{
        cache::{Charge, Evict, Share},
        group::{Batch, State},
        watch::{Reader, Watch},
    },
    types::{Start, TrackInfo, code},
};

/// One source of a track. Dropped without [`Producer::finish`], the track has failed, unless another source took over.
/// Either way the track leaves the origin, so that the next viewer asks anew.
#[derive(Debug)]
pub struct Producer {
    track: Arc<Track>,
    source: u64,
    feed: Arc<Feed>,
    /// Group streams seen, whatever came of them.
    streams: AtomicU64,
}

/// What the source's group writers share.
#[derive(Debug)]
struct Feed {
    log: Arc<Watch<Log>>,
    source: u64,
    share: Arc<Share>,
    slab: Mutex<Slab>,
}

impl Feed {
    /// Copies a batch into the track's slab.
    fn copy(&self, batch: &Batch) -> (Bytes, Arc<Charge>, Allocated) {
        let mut slab = self.slab.lock().unwrap_or_else(PoisonError::into_inner);
        slab.copy(&batch.bytes, batch.len(), &self.share)
    }

    /// Makes room in the cache for a slab that was allocated.
    fn settle(&self, allocated: Allocated) {
        if allocated.0 {
            self.share.shrink();
        }
    }
}

impl Producer {
    pub(super) fn new(track: Arc<Track>, source: u64, share: Arc<Share>) -> Self {
        let feed = Feed { log: track.log().clone(), source, share, slab: Mutex::new(Slab::new()) };
        Self { track, source, feed: Arc::new(feed), streams: AtomicU64::new(0) }
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
        self.feed.log.look(|log| log.is_replaced(self.feed.source))
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

    /// Waits until the groups that this source has begun are complete, or void.
    pub async fn written(&self) {
        let mut reader = self.track.reader();
        reader.wait(|log| (!log.is_writing(self.source)).then_some(())).await;
    }

    /// Where to ask the source from, when another one has sent something before.
    pub fn starts_at(&self) -> Option<Start> {
        self.track.look(|log| log.starts_at(self.source))
    }

    /// Tells the track's constants.
    pub fn info(&self, info: TrackInfo) {
        self.feed.log.update(|log| log.set_info(self.feed.source, info));
    }

    /// Tells the first sequence that will never exist.
    pub fn end(&self, end: u64) {
        self.feed.log.update(|log| log.set_end(self.feed.source, end));
    }

    /// Counts a group stream of the source, whether it is taken up or not.
    pub fn count_stream(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    /// How many group streams were counted.
    pub fn streams(&self) -> u64 {
        self.streams.load(Relaxed)
    }

    /// Begins a group of the running track.
    pub fn group(&self, sequence: u64) -> Result<GroupWriter, Refused> {
        self.begin(sequence, Came::Following)
    }

    /// A whole group of the running track that came in a datagram, in one step: nobody sees it half.
    pub fn datagram(&self, sequence: u64, batch: &Batch) -> Result<(), Refused> {
        let (chunk, charge, allocated) = self.feed.copy(batch);
        self.enter(|log| {
            let ordinal = log.begin(self.feed.source, sequence, Came::InDatagram)?;
            // One frame that fits a packet is within every limit.
            let _ = log.append(ordinal, chunk, &batch.frames, &charge);
            log.finish(ordinal, State::Finished);
            Ok(ordinal)
        })?;
        self.feed.settle(allocated);
        Ok(())
    }

    /// Begins a group that was asked for by number.
    pub fn fetched(&self, sequence: u64) -> Result<GroupWriter, Refused> {
        self.begin(sequence, Came::Fetched)
    }

    fn begin(&self, sequence: u64, came: Came) -> Result<GroupWriter, Refused> {
        let ordinal = self.enter(|log| log.begin(self.feed.source, sequence, came))?;
        Ok(GroupWriter { feed: self.feed.clone(), ordinal, ended: false })
    }

    /// Lets a new group into the log, and the cache know of it.
    fn enter(&self, begin: impl FnOnce(&mut Log) -> Result<u64, Refused>) -> Result<u64, Refused> {
        let (ordinal, alive) = self.feed.log.update(|log| {
            let ordinal = begin(log)?;
            Ok((ordinal, log.group(ordinal).map(|group| group.alive.clone())))
        })?;
        if let Some(alive) = alive {
            let log: Weak<Watch<Log>> = Arc::downgrade(&self.feed.log);
            self.feed.share.enqueue(&(log as Weak<dyn Evict>), ordinal, &alive);
        }
        Ok(ordinal)
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
        let (chunk, charge, allocated) = self.feed.copy(batch);
        let result = self.feed.log.update(|log| log.append(self.ordinal, chunk, &batch.frames, &charge));
        batch.clear();
        drop(charge);
        self.feed.settle(allocated);
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
