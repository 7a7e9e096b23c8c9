//! What all subscribers of a run have seen.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use hdrhistogram::Histogram;

/// Whatever takes longer took this long.
const LONGEST_US: u64 = 60_000_000;

#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) frames: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Groups that ended before their last frame, from the first second on.
    pub(crate) resets: AtomicU64,
    /// Frames or groups whose bytes, order or number were wrong (`--verify`).
    pub(crate) corrupt: AtomicU64,
    /// Frames and latencies count while this is set.
    pub(crate) measuring: AtomicBool,
    /// One entry per subscriber, so that they don't contend.
    pub(crate) subscribers: Mutex<Vec<Arc<Subscriber>>>,
}

/// What one subscriber has seen.
pub(crate) struct Subscriber {
    /// From a frame's creation to its last byte's arrival, in microseconds.
    latency: Mutex<Histogram<u32>>,
    /// By subscribe id.
    groups: Mutex<Vec<Arrivals>>,
}

impl Subscriber {
    pub(crate) fn new(subscriptions: usize) -> Self {
        Self { latency: Mutex::new(histogram()), groups: Mutex::new(vec![Arrivals::default(); subscriptions]) }
    }

    pub(crate) fn frame(&self, micros: u64) {
        let recorded = self.latency.lock().unwrap().record(micros.clamp(1, LONGEST_US));
        recorded.expect("a histogram grows with what it is given");
    }

    pub(crate) fn group(&self, subscribe: u64, sequence: u64) {
        if let Some(arrivals) = self.groups.lock().unwrap().get_mut(subscribe as usize) {
            arrivals.add(sequence);
        }
    }
}

impl Stats {
    pub(crate) fn subscriber(&self, subscriptions: usize) -> Arc<Subscriber> {
        let subscriber = Arc::new(Subscriber::new(subscriptions));
        self.subscribers.lock().unwrap().push(subscriber.clone());
        subscriber
    }

    pub(crate) fn measuring(&self) -> bool {
        self.measuring.load(Relaxed)
    }

    pub(crate) fn latency(&self) -> Latency {
        let mut sum = Latency { all: histogram(), worst_p99: 0, starved: 0 };
        for subscriber in self.subscribers.lock().unwrap().iter() {
            let one = subscriber.latency.lock().unwrap();
            sum.starved += one.is_empty() as u64;
            sum.worst_p99 = sum.worst_p99.max(one.value_at_quantile(0.99));
            sum.all.add(&*one).expect("a histogram grows with what it is given");
        }
        sum
    }

    /// The groups that subscribers are waiting for although later ones have arrived.
    pub(crate) fn gaps(&self) -> BTreeSet<Gap> {
        let mut all = BTreeSet::new();
        for (i, subscriber) in self.subscribers.lock().unwrap().iter().enumerate() {
            for (k, arrivals) in subscriber.groups.lock().unwrap().iter().enumerate() {
                all.extend(arrivals.gaps.iter().map(|sequence| (i, k, *sequence)));
            }
        }
        all
    }
}

/// Subscriber, subscribe id, group sequence.
pub(crate) type Gap = (usize, usize, u64);

pub(crate) struct Latency {
    pub(crate) all: Histogram<u32>,
    pub(crate) worst_p99: u64,
    /// Subscribers that received no frame at all.
    pub(crate) starved: u64,
}

/// The group sequences that arrived on one subscription, in whatever order.
#[derive(Clone, Default)]
struct Arrivals {
    newest: Option<u64>,
    /// Below the newest and above the first, but not here yet.
    gaps: BTreeSet<u64>,
}

impl Arrivals {
    fn add(&mut self, sequence: u64) {
        match self.newest {
            Some(newest) if sequence <= newest => drop(self.gaps.remove(&sequence)),
            Some(newest) => {
                self.gaps.extend(newest + 1..sequence);
                self.newest = Some(sequence);
            }
            None => self.newest = Some(sequence),
        }
    }
}

/// It takes as much memory as its largest value asks for: there is one for each of thousands of subscribers.
fn histogram() -> Histogram<u32> {
    Histogram::new(3).expect("three digits are possible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_group_closes_its_gap() {
        let mut arrivals = Arrivals::default();
        for sequence in [5, 3, 6, 9, 7] {
            arrivals.add(sequence);
        }
        assert_eq!(arrivals.gaps, [8].into());
    }
}
