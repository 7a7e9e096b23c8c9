//! Where payload is copied to, once: large blocks shared by small groups, so that caching is cheap and honest.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::{Duration, Instant};

use crate::model::cache::{Charge, Share};

/// The block a source is filling now.
#[derive(Debug)]
pub(super) struct Slab {
    block: BytesMut,
    charge: Option<Arc<Charge>>,
    size: usize,
    allocated: Instant,
}

impl Slab {
    /// The first block of a source: enough for a catalog.
    const SMALLEST: usize = 2 << 10;
    /// Halved, busy tracks allocate twice as often; doubled, a group that stays pins twice the memory.
    const LARGEST: usize = 64 << 10;
    /// A source this long without a new block starts small again.
    const QUIET: Duration = Duration::from_secs(10);

    pub(super) fn new() -> Self {
        Self { block: BytesMut::new(), charge: None, size: Self::SMALLEST / 2, allocated: Instant::now() }
    }

    /// Copies `pieces`, `len` bytes in all, into one contiguous chunk. Tells whether a block was allocated.
    pub(super) fn copy(&mut self, pieces: &[Bytes], len: usize, share: &Share) -> (Bytes, Arc<Charge>, Allocated) {
        let mut allocated = Allocated(false);
        let charge = match &self.charge {
            Some(charge) if self.block.capacity() >= len => charge.clone(),
            _ => {
                allocated = Allocated(true);
                self.allocate(len, share)
            }
        };
        for piece in pieces {
            self.block.extend_from_slice(piece);
        }
        (self.block.split().freeze(), charge, allocated)
    }

    fn allocate(&mut self, len: usize, share: &Share) -> Arc<Charge> {
        let now = Instant::now();
        let quiet = now.duration_since(self.allocated) > Self::QUIET;
        self.size = if quiet { Self::SMALLEST } else { (self.size * 2).min(Self::LARGEST) };
        self.allocated = now;
        let size = self.size.max(len);
        self.block = BytesMut::with_capacity(size);
        self.charge.insert(share.charge(size)).clone()
    }
}

/// Whether a new block was allocated, so that the cache may be over its budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Allocated(pub(super) bool);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cache::{Cache, Limits};

    #[test]
    fn small_chunks_share_a_block_and_large_ones_fit() {
        let cache = Cache::new(Limits::default());
        let share = cache.publisher();
        let mut slab = Slab::new();
        let piece = [Bytes::from_static(&[7; 1000])];
        let (a, ca, _) = slab.copy(&piece, 1000, &share);
        let (b, cb, fresh) = slab.copy(&piece, 1000, &share);
        assert!(Arc::ptr_eq(&ca, &cb) && fresh == Allocated(false));
        assert_eq!((a.len(), b.len(), cache.used()), (1000, 1000, Slab::SMALLEST as u64));
        let large = [Bytes::from(vec![1; 100_000])];
        let (c, _, fresh) = slab.copy(&large, 100_000, &share);
        assert_eq!((c.len(), fresh), (100_000, Allocated(true)));
        drop((ca, cb, slab));
        assert_eq!(cache.used(), 0);
    }
}
