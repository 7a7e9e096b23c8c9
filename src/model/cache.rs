//! The shared byte budget and what gets evicted.
//!
//! Memory is charged in whole slabs when they are allocated and credited when the last group with bytes in a slab
//! leaves the cache. Every group is queued, oldest first, in two accounts: its publisher's and the process's. An
//! account over its limit evicts from the front of its queue; the newest group of a live track moves to the back.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Something that holds groups in the cache, each known by a number of its own.
pub trait Evict: Send + Sync {
    /// Drops the group, unless it must stay for now.
    fn evict(&self, group: u64, why: Why) -> Verdict;
}

/// Why a group should go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The budget is exceeded: everything but the newest group goes, and that too when nothing else is left.
    Memory {
        /// Nothing but newest groups is left.
        last_resort: bool,
    },
    /// It may have outlived the cache's duration.
    Age,
}

/// What became of an eviction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is gone, now or since long.
    Gone,
    /// It is still wanted: try others first.
    Stays,
}

/// Defaults and limits of the cache (`[cache]`).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the process.
    pub capacity: u64,
    /// How long a group that is not its track's newest stays at most.
    pub duration: Duration,
    /// Groups per track; `None` leaves it to bytes and age.
    pub groups: Option<usize>,
}

impl Limits {
    /// One publisher's share before it evicts its own oldest groups. Halved, a few 4K broadcasts of one encoder lose
    /// their backlog; doubled, four hostile publishers fill a small machine's cache.
    pub const PUBLISHER: u64 = 256 << 20;
    /// One track's share.
    pub const TRACK: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { capacity: 1 << 30, duration: Duration::from_secs(30), groups: None }
    }
}

/// The cache of the process.
#[derive(Debug)]
pub struct Cache {
    limits: Limits,
    total: Arc<Account>,
}

impl Cache {
    /// An empty cache.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { total: Account::new(limits.capacity), limits })
    }

    /// What it was configured with.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes charged now.
    pub fn used(&self) -> u64 {
        self.total.used.load(Relaxed)
    }

    /// A publisher's share of this cache.
    pub fn publisher(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share { cache: self.clone(), own: Account::new(Limits::PUBLISHER.min(self.limits.capacity)) })
    }

    /// Drops groups that have outlived the duration, oldest first. Called now and then.
    pub fn sweep(&self) {
        self.total.sweep(self.limits.duration);
    }
}

/// The part of the cache one publisher fills.
#[derive(Debug)]
pub struct Share {
    cache: Arc<Cache>,
    own: Arc<Account>,
}

impl Share {
    /// Charges a slab. Follow with [`Share::shrink`] once no lock is held.
    pub fn charge(&self, bytes: usize) -> Arc<Charge> {
        let bytes = bytes as u64;
        for account in [&self.own, &self.cache.total] {
            account.used.fetch_add(bytes, Relaxed);
        }
        Arc::new(Charge { bytes, accounts: [self.own.clone(), self.cache.total.clone()] })
    }

    /// Queues a new group for eviction; `alive` dangles once it is gone.
    pub fn enqueue(&self, holder: &Weak<dyn Evict>, group: u64, alive: &Arc<()>) {
        for account in [&self.own, &self.cache.total] {
            account.enqueue(Entry {
                holder: holder.clone(),
                group,
                alive: Arc::downgrade(alive),
                since: Instant::now(),
            });
        }
    }

    /// Evicts until both accounts are within their limits. Holders are called without any lock of the cache.
    pub fn shrink(&self) {
        self.own.shrink();
        self.cache.total.shrink();
    }

    /// The cache it is a part of.
    pub const fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }
}

/// Bytes held; dropping it credits them.
#[derive(Debug)]
pub struct Charge {
    bytes: u64,
    accounts: [Arc<Account>; 2],
}

impl Drop for Charge {
    fn drop(&mut self) {
        for account in &self.accounts {
            account.used.fetch_sub(self.bytes, Relaxed);
        }
    }
}

/// A limit, what is used of it, and the groups to drop first.
struct Account {
    limit: u64,
    used: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    oldest: VecDeque<Entry>,
    /// How many entries were left after the last time dead ones were dropped.
    pruned: usize,
}

struct Entry {
    holder: Weak<dyn Evict>,
    group: u64,
    alive: Weak<()>,
    since: Instant,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("limit", &self.limit).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Account {
    fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0), queue: Mutex::default() })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Groups mostly leave by themselves; dropping their entries when the queue has doubled keeps it short.
    fn enqueue(&self, entry: Entry) {
        let mut queue = self.queue();
        if queue.oldest.len() > 2 * queue.pruned + 64 {
            queue.oldest.retain(|entry| entry.alive.strong_count() > 0);
            queue.pruned = queue.oldest.len();
        }
        queue.oldest.push_back(entry);
    }

    fn shrink(&self) {
        for last_resort in [false, true] {
            // Each group is asked once a round, so a queue of groups that must stay ends the round.
            let mut left = self.queue().oldest.len();
            while left > 0 && self.used.load(Relaxed) > self.limit {
                left -= 1;
                let Some(entry) = self.queue().oldest.pop_front() else { return };
                self.ask(entry, Why::Memory { last_resort });
            }
        }
    }

    fn sweep(&self, duration: Duration) {
        let now = Instant::now();
        loop {
            let entry = {
                let mut queue = self.queue();
                match queue.oldest.front() {
                    Some(entry) if now.duration_since(entry.since) >= duration => queue.oldest.pop_front(),
                    _ => None,
                }
            };
            let Some(entry) = entry else { return };
            self.ask(entry, Why::Age);
        }
    }

    /// Asks the holder to drop the group; one that stays goes to the back.
    fn ask(&self, entry: Entry, why: Why) {
        if entry.alive.strong_count() > 0
            && let Some(holder) = entry.holder.upgrade()
            && holder.evict(entry.group, why) == Verdict::Stays
        {
            self.enqueue(Entry { since: Instant::now(), ..entry });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A track of the test: group → charge; the highest is the newest.
    #[derive(Default)]
    struct Holder(Mutex<BTreeMap<u64, Held>>);

    type Held = (Arc<Charge>, Arc<()>);

    impl Evict for Holder {
        fn evict(&self, group: u64, why: Why) -> Verdict {
            let mut groups = self.0.lock().unwrap();
            let newest = groups.last_key_value().is_some_and(|(newest, _)| *newest == group);
            if newest && why != (Why::Memory { last_resort: true }) {
                return Verdict::Stays;
            }
            groups.remove(&group);
            Verdict::Gone
        }
    }

    fn add(holder: &Arc<Holder>, share: &Share, group: u64, bytes: usize) {
        let alive = Arc::new(());
        let weak: Weak<Holder> = Arc::downgrade(holder);
        share.enqueue(&(weak as Weak<dyn Evict>), group, &alive);
        holder.0.lock().unwrap().insert(group, (share.charge(bytes), alive));
        share.shrink();
    }

    fn groups(holder: &Holder) -> Vec<u64> {
        holder.0.lock().unwrap().keys().copied().collect()
    }

    #[test]
    fn oldest_go_first_and_newest_last() {
        let cache = Cache::new(Limits { capacity: 100, ..Default::default() });
        let (a, b) = (Arc::new(Holder::default()), Arc::new(Holder::default()));
        let (one, two) = (cache.publisher(), cache.publisher());
        add(&a, &one, 0, 40);
        add(&b, &two, 0, 40);
        add(&b, &two, 1, 40);
        assert_eq!((groups(&a), groups(&b)), (vec![0], vec![1]), "a's only group outlives b's older one");
        add(&b, &two, 2, 90);
        assert!(cache.used() <= 100);
        assert_eq!((groups(&a), groups(&b)), (vec![], vec![2]));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_returns() {
        let cache = Cache::new(Limits::default());
        let holder = Arc::new(Holder::default());
        let share = cache.publisher();
        for group in 0..1000 {
            add(&holder, &share, group, 10);
        }
        cache.sweep();
        assert_eq!(cache.used(), 10_000, "too young");
        tokio::time::advance(Limits::default().duration).await;
        cache.sweep();
        assert_eq!(cache.used(), 10, "the newest stays");
        drop(holder);
        assert_eq!(cache.used(), 0);
    }

    #[test]
    fn the_queue_forgets_groups_that_left() {
        let cache = Cache::new(Limits::default());
        let share = cache.publisher();
        for _ in 0..1000 {
            add(&Arc::new(Holder::default()), &share, 0, 1);
        }
        assert!(cache.total.queue().oldest.len() < 100);
    }
}
