use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::model::{
    cache::Cache,
    group::{Batch, Cursor},
};

const A: Option<HopId> = Some(HopId(1));
const B: Option<HopId> = Some(HopId(2));
const RUNNING: Came = Came::Following;
const FETCHED: Came = Came::Fetched;

/// A log and the one source that writes it.
struct World {
    log: Log,
    source: u64,
    charge: Arc<Charge>,
}

impl World {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let mut log = Log::new(limits);
        let source = log.attach(A);
        Self { log, source, charge: Cache::new(limits).publisher().charge(0) }
    }

    fn info(&mut self, max_age: u64, timescale: u64) {
        let info = TrackInfo { priority: 0, max_age: Duration::from_secs(max_age), timescale };
        self.log.set_info(self.source, info);
    }

    fn begin(&mut self, sequence: u64) -> Result<u64, Refused> {
        self.log.begin(self.source, sequence, RUNNING)
    }

    fn append(&mut self, ordinal: u64, timestamp: u64, payload: Bytes) -> Result<(), u32> {
        let mut batch = Batch::default();
        batch.frame(timestamp, payload.len() as u64, Bytes::from_static(b"h"));
        let chunk = Bytes::from([b"h", &*payload].concat());
        self.log.append(ordinal, chunk, &batch.frames, &self.charge)
    }

    /// A finished group of one frame.
    fn put(&mut self, sequence: u64, timestamp: u64) -> u64 {
        let ordinal = self.begin(sequence).unwrap();
        self.append(ordinal, timestamp, Bytes::from_static(b"payload")).unwrap();
        self.log.finish(ordinal, State::Finished);
        ordinal
    }

    fn floor(&self, start: Start, max_age: Option<u64>) -> u64 {
        let max_age = max_age.map(Duration::from_secs);
        self.log.floor(&Preferences { start, max_age, ..Default::default() })
    }

    /// The cached sequences in order of arrival.
    fn cached(&self) -> Vec<u64> {
        self.log.arrivals(0).map(|(_, group)| group.sequence).collect()
    }

    fn state(&self, sequence: u64) -> Option<State> {
        self.log.find(sequence).map(|(_, group)| group.state())
    }
}

#[test]
fn latest_is_the_highest_whatever_the_order() {
    let mut w = World::new();
    assert_eq!(w.floor(Start::Latest, None), 0, "whatever arrives first");
    for sequence in [4, 9, 5] {
        w.put(sequence, 0);
    }
    assert_eq!((w.log.latest(), w.floor(Start::Latest, Some(0))), (Some(9), 9));
    assert_eq!(w.cached(), [4, 9, 5]);
}

#[test]
fn a_named_start_is_taken_as_it_is() {
    let mut w = World::new();
    w.put(5, 0);
    assert_eq!((w.floor(Start::At(3), Some(0)), w.floor(Start::At(70), Some(0))), (3, 70));
}

#[test]
fn a_fresh_start_reaches_back_as_far_as_the_age() {
    let mut w = World::new();
    w.info(10, 1000);
    for sequence in 0..6 {
        w.put(sequence, sequence * 1000);
    }
    let fresh = |floor, age| w.floor(Start::Fresh { floor }, age);
    assert_eq!(fresh(0, Some(2)), 3, "two seconds behind group 5, inclusive");
    assert_eq!(fresh(4, Some(2)), 4);
    assert_eq!(fresh(0, Some(0)), 5, "the latest is always fresh");
    assert_eq!(fresh(9, Some(2)), 9, "the future is waited for");
    assert_eq!(fresh(0, None), 0);
    w.info(1, 1000);
    assert_eq!(w.floor(Start::Fresh { floor: 0 }, Some(60)), 4, "never more than the source keeps");
    assert_eq!(w.floor(Start::Fresh { floor: 0 }, None), 4);
}

#[tokio::test(start_paused = true)]
async fn without_timestamps_age_is_by_arrival() {
    let mut w = World::new();
    w.info(10, 1000);
    w.begin(0).unwrap();
    advance(Duration::from_secs(3)).await;
    w.begin(1).unwrap();
    assert_eq!(w.floor(Start::Fresh { floor: 0 }, Some(2)), 1);
    assert_eq!(w.floor(Start::Fresh { floor: 0 }, Some(3)), 0);
}

#[test]
fn an_unknown_time_scale_is_no_crash() {
    let mut w = World::new();
    w.info(10, 0);
    w.put(0, 0);
    w.put(1, u64::MAX);
    assert_eq!(w.floor(Start::Fresh { floor: 0 }, Some(1)), 1);
}

#[test]
fn the_first_copy_wins() {
    let mut w = World::new();
    w.put(3, 0);
    assert_eq!(w.begin(3), Err(Refused::Duplicate));
    let open = w.begin(4).unwrap();
    assert_eq!(w.begin(4), Err(Refused::Duplicate), "an open one, too");
    assert_eq!(w.append(open, 0, Bytes::new()), Ok(()));
    assert_eq!(w.cached(), [3, 4]);
}

#[test]
fn a_copy_that_was_cut_short_is_replaced() {
    let mut w = World::new();
    let cut = w.begin(3).unwrap();
    w.append(cut, 0, Bytes::from_static(b"half")).unwrap();
    w.log.finish(cut, State::Aborted(code::CANCELLED));
    let whole = w.put(3, 0);
    assert!(whole > cut && w.log.group(cut).is_none());
    assert_eq!((w.cached(), w.state(3)), (vec![3], Some(State::Finished)));
    assert_eq!(w.log.bytes, 8);
}

#[test]
fn a_refused_source_changes_nothing() {
    let mut w = World::new();
    let cut = w.begin(3).unwrap();
    w.log.finish(cut, State::Aborted(code::CANCELLED));
    let old = w.source;
    w.source = w.log.attach(A);
    w.put(4, 0);
    assert_eq!(w.log.begin(old, 3, RUNNING), Err(Refused::Replaced));
    assert_eq!(w.cached(), [3, 4], "readers still learn how group 3 ended");
}

#[test]
fn duplicates_of_a_fetched_group_still_tell_how_far_the_track_is() {
    let mut w = World::new();
    w.log.begin(w.source, 0, FETCHED).unwrap();
    assert_eq!((w.log.latest(), w.cached()), (None, vec![0]));
    assert_eq!(w.begin(0), Err(Refused::Duplicate));
    assert_eq!(w.log.latest(), Some(0), "or the only group of a catalog would expire");
}

#[test]
fn fetched_groups_do_not_move_the_track() {
    let mut w = World::new();
    w.put(5, 0);
    w.log.begin(w.source, 2, FETCHED).unwrap();
    w.log.begin(w.source, 8, FETCHED).unwrap();
    assert_eq!((w.log.latest(), w.floor(Start::Latest, None)), (Some(5), 5));
    assert_eq!(w.log.begin(w.source, 2, FETCHED), Err(Refused::Duplicate));
}

#[test]
fn fetched_groups_of_a_source_that_is_not_followed_are_refused() {
    let mut w = World::new();
    w.put(5, 0);
    let old = w.source;
    let stranger = w.log.attach(B);
    assert_eq!(w.log.begin(old, 1, FETCHED), Err(Refused::Replaced));
    assert_eq!(w.log.begin(stranger, 1, FETCHED), Err(Refused::Replaced), "would mix two publishers");
    w.source = stranger;
    w.put(6, 0);
    assert!(w.log.begin(stranger, 1, FETCHED).is_ok());
}

#[tokio::test(start_paused = true)]
async fn groups_expire_by_the_shorter_age() {
    for (cache, publisher, kept) in [(30, 4, 4), (3, 60, 3)] {
        let mut w = World::with(Limits { duration: Duration::from_secs(cache), ..Default::default() });
        w.info(publisher, 1000);
        for second in 0..10 {
            w.put(second, second * 1000);
            advance(Duration::from_secs(1)).await;
        }
        w.put(10, 0);
        assert_eq!(w.cached(), (10 - kept..=10).collect::<Vec<_>>());
        assert_eq!(w.log.latest(), Some(10));
        assert!(w.log.find(10 - kept - 1).is_none() && w.log.find(10 - kept).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_keeps_a_group() {
    let mut w = World::new();
    w.info(5, 1000);
    w.put(0, 0);
    w.put(1, 0);
    advance(Duration::from_secs(4)).await;
    w.log.touch(0);
    w.log.touch(77);
    advance(Duration::from_secs(4)).await;
    w.put(2, 0);
    assert!(w.log.find(0).is_some());
    advance(Duration::from_secs(2)).await;
    w.put(3, 0);
    assert_eq!(w.cached(), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_outlives_everything() {
    let mut w = World::with(Limits { groups: Some(1), ..Default::default() });
    w.info(1, 1000);
    w.put(9, 0);
    advance(Duration::from_secs(100)).await;
    let late = w.begin(3).unwrap();
    assert_eq!(w.cached(), [9], "newer by number, older by arrival");
    assert_eq!(w.append(late, 0, Bytes::new()), Err(code::EVICTED));
    w.put(10, 0);
    assert_eq!(w.cached(), [10]);
}

#[test]
fn groups_per_track_are_limited() {
    let mut w = World::with(Limits { groups: Some(3), ..Default::default() });
    for sequence in [10, 1, 11, 2, 12] {
        w.put(sequence, 0);
    }
    assert_eq!(w.cached(), [11, 2, 12]);
}

#[test]
fn a_high_group_in_front_costs_nothing() {
    let mut w = World::with(Limits { groups: Some(3), ..Default::default() });
    w.put(1 << 60, 0);
    for sequence in 0..1000 {
        w.put(sequence, 0);
    }
    assert_eq!(w.cached(), [1 << 60, 998, 999]);
    assert_eq!((w.log.groups.len(), w.log.by_sequence.len()), (3, 3));
}

#[test]
fn a_track_is_limited_to_its_share() {
    let mut w = World::new();
    let chunk = Bytes::from(vec![0; 16 << 20]);
    let charge = w.charge.clone();
    for sequence in 0..6 {
        let ordinal = w.begin(sequence).unwrap();
        w.log.append(ordinal, chunk.clone(), &[], &charge).unwrap();
        assert!(w.log.bytes as u64 <= Limits::TRACK);
    }
    assert_eq!(w.cached(), [2, 3, 4, 5]);
    assert_eq!(w.log.bytes as u64, Limits::TRACK);
}

#[test]
fn a_group_is_limited_in_bytes() {
    let mut w = World::new();
    let (ordinal, charge) = (w.begin(0).unwrap(), w.charge.clone());
    let half = Bytes::from(vec![0; Log::GROUP_BYTES / 2]);
    w.log.append(ordinal, half.clone(), &[], &charge).unwrap();
    w.log.append(ordinal, half, &[], &charge).unwrap();
    assert_eq!(w.log.append(ordinal, Bytes::from_static(b"x"), &[], &charge), Err(code::GROUP_TOO_LARGE));
    assert_eq!(w.state(0), Some(State::Aborted(code::GROUP_TOO_LARGE)));
    assert_eq!(w.log.append(ordinal, Bytes::new(), &[], &charge), Err(code::GROUP_TOO_LARGE), "and stays so");
    assert_eq!(w.log.bytes, Log::GROUP_BYTES);
}

#[test]
fn a_group_is_limited_in_frames() {
    let mut w = World::new();
    let ordinal = w.begin(0).unwrap();
    for i in 0..Log::GROUP_FRAMES as u64 {
        w.append(ordinal, i, Bytes::new()).unwrap();
    }
    assert_eq!(w.append(ordinal, 0, Bytes::new()), Err(code::GROUP_TOO_LARGE));
    assert_eq!(w.log.group(ordinal).unwrap().frames().len(), Log::GROUP_FRAMES);
}

#[test]
fn an_ended_group_takes_nothing_more() {
    let mut w = World::new();
    let ordinal = w.put(0, 0);
    assert_eq!(w.append(ordinal, 0, Bytes::new()), Err(code::INTERNAL));
    w.log.finish(ordinal, State::Aborted(code::OLD));
    assert_eq!(w.state(0), Some(State::Finished), "the first end counts");
}

#[test]
fn a_stranger_at_or_below_starts_over() {
    for first in [0, 4, 5] {
        let mut w = World::new();
        w.put(4, 0);
        let open = w.begin(5).unwrap();
        w.log.set_end(w.source, 6);
        let old = w.source;
        w.source = w.log.attach(B);
        assert_eq!((w.log.epoch(), w.cached()), (0, vec![4, 5]), "nothing is lost until it sends");
        w.put(first, 0);
        assert_eq!((w.log.epoch(), w.cached(), w.log.latest(), w.log.end()), (1, vec![first], Some(first), None));
        assert_eq!(w.log.append(open, Bytes::new(), &[], &w.charge), Err(code::EVICTED));
        assert_eq!(w.log.begin(old, 6, RUNNING), Err(Refused::Replaced));
        assert_eq!(w.log.bytes, 8);
    }
}

#[test]
fn a_stranger_above_takes_over() {
    let mut w = World::new();
    w.put(4, 0);
    let open = w.begin(5).unwrap();
    let old = w.source;
    w.source = w.log.attach(B);
    assert!(w.log.begin(old, 6, RUNNING).is_ok(), "the one before goes on until then");
    w.put(7, 0);
    assert_eq!((w.log.epoch(), w.cached(), w.log.latest()), (0, vec![4, 5, 6, 7], Some(7)));
    let states: Vec<_> = [4, 5, 6, 7].map(|sequence| w.state(sequence).unwrap()).into();
    let cut = State::Aborted(code::OLD);
    assert_eq!(states, [State::Finished, cut, cut, State::Finished], "half-sent groups are cut");
    assert_eq!(w.log.append(open, Bytes::new(), &[], &w.charge), Err(code::OLD));
}

#[test]
fn a_take_over_cuts_groups_of_every_source_before() {
    let mut w = World::new();
    w.begin(5).unwrap();
    w.log.attach(A);
    w.source = w.log.attach(B);
    w.put(6, 0);
    assert_eq!(w.state(5), Some(State::Aborted(code::OLD)));
}

#[test]
fn a_stranger_on_a_fetched_group_starts_over() {
    let mut w = World::new();
    w.put(1, 0);
    w.log.begin(w.source, 9, FETCHED).unwrap();
    w.source = w.log.attach(B);
    w.put(9, 0);
    assert_eq!((w.log.epoch(), w.cached()), (1, vec![9]), "not two groups of one number");
}

#[test]
fn the_same_publisher_goes_on_by_number() {
    let mut w = World::new();
    let open = w.begin(5).unwrap();
    w.source = w.log.attach(A);
    w.put(6, 0);
    assert_eq!(w.append(open, 0, Bytes::new()), Ok(()), "its last group may end over the old route");
    assert_eq!(w.begin(5), Err(Refused::Duplicate));
    assert_eq!((w.log.epoch(), w.cached()), (0, vec![5, 6]));
}

#[test]
fn a_new_source_tells_its_own_end() {
    let mut w = World::new();
    w.put(4, 0);
    w.log.set_end(w.source, 5);
    let old = w.source;
    w.source = w.log.attach(B);
    w.log.set_end(old, 5);
    assert_eq!(w.log.end(), None);
    w.put(5, 0);
    w.log.set_end(w.source, 6);
    assert_eq!(w.log.end(), Some(6));
}

#[test]
fn another_time_scale_is_another_track() {
    let mut w = World::new();
    w.info(5, 1000);
    w.put(4, 0);
    w.info(9, 1000);
    assert_eq!((w.log.epoch(), w.cached()), (0, vec![4]));
    let old = w.source;
    w.source = w.log.attach(A);
    w.info(9, 90_000);
    assert_eq!((w.log.epoch(), w.cached(), w.log.latest()), (1, vec![], None));
    assert_eq!(w.log.begin(old, 5, RUNNING), Err(Refused::Replaced), "its timestamps would be misread");
    w.put(5, 0);
    assert_eq!(w.log.epoch(), 1);
}

#[test]
fn only_the_current_source_speaks_for_the_track() {
    let mut w = World::new();
    w.log.attach(A);
    w.info(5, 1000);
    w.log.set_end(w.source, 3);
    assert_eq!((w.log.info(), w.log.end()), (None, None));
}

#[test]
fn a_finished_track_lets_its_groups_end() {
    let mut w = World::new();
    let open = w.begin(7).unwrap();
    w.log.close(Closed::Ended);
    assert_eq!((w.log.closed(), w.log.end()), (Some(Closed::Ended), Some(8)));
    assert_eq!(w.append(open, 0, Bytes::new()), Ok(()));
    assert!(w.begin(6).is_ok(), "streams overtake each other");
    w.log.close(Closed::Failed(code::SESSION_CLOSED));
    assert_eq!(w.log.closed(), Some(Closed::Ended), "the first end counts");
    assert_eq!(w.state(7), Some(State::Open));
}

#[test]
fn an_empty_track_ends_at_zero_and_a_told_end_stays() {
    let mut w = World::new();
    w.log.close(Closed::Ended);
    assert_eq!(w.log.end(), Some(0));
    let mut w = World::new();
    w.put(3, 0);
    w.log.set_end(w.source, 9);
    w.log.close(Closed::Ended);
    assert_eq!(w.log.end(), Some(9));
}

#[test]
fn a_failed_track_cuts_open_groups_and_takes_no_more() {
    let mut w = World::new();
    w.put(6, 0);
    let open = w.begin(7).unwrap();
    w.log.close(Closed::Failed(code::SESSION_CLOSED));
    assert_eq!((w.state(6), w.state(7)), (Some(State::Finished), Some(State::Aborted(code::SESSION_CLOSED))));
    assert_eq!(w.append(open, 0, Bytes::new()), Err(code::SESSION_CLOSED));
    assert_eq!(w.begin(8), Err(Refused::Closed));
    assert_eq!(w.log.begin(w.source, 8, FETCHED), Err(Refused::Closed));
    assert!(!w.log.is_current(w.source));
}

#[test]
fn refused_fetches_are_told_to_everybody_and_bounded() {
    let mut w = World::new();
    assert!(w.log.ask(3) && !w.log.ask(3), "the source is asked once");
    w.log.set_missing(3, code::NOT_FOUND);
    assert_eq!((w.log.missing(3), w.log.missing(3)), (Some(code::NOT_FOUND), Some(code::NOT_FOUND)));
    assert!(w.log.ask(3), "whoever comes later asks anew");
    assert_eq!(w.log.missing(3), None);
    w.source = w.log.attach(None);
    assert_eq!(w.log.missing(3), Some(code::SESSION_CLOSED), "nobody answers any more");
    w.log.set_missing(7, code::NOT_FOUND);
    w.begin(7).unwrap();
    assert_eq!(w.log.missing(7), None, "it came after all");
    for sequence in 0..5000 {
        w.log.set_missing(sequence, code::NOT_FOUND);
    }
    assert!(w.log.fetches.len() <= Log::FETCHES);
    assert_eq!(w.log.missing(4999), Some(code::NOT_FOUND));
}

#[tokio::test(start_paused = true)]
async fn eviction_spares_the_newest_of_a_live_track() {
    let mut w = World::new();
    w.put(0, 0);
    w.put(1, 0);
    let watch = Watch::new(w.log);
    let memory = |last_resort| Why::Memory { last_resort };
    assert_eq!(watch.evict(0, Why::Age), Verdict::Stays, "too young");
    assert_eq!(watch.evict(1, memory(false)), Verdict::Stays);
    assert_eq!(watch.evict(0, memory(false)), Verdict::Gone);
    assert_eq!(watch.evict(0, memory(false)), Verdict::Gone);
    advance(Limits::default().duration).await;
    assert_eq!(watch.evict(1, Why::Age), Verdict::Stays, "a catalog's only group");
    watch.with(|log| log.close(Closed::Ended));
    assert_eq!(watch.evict(1, Why::Age), Verdict::Gone);
    watch.with(|log| assert_eq!((log.bytes, log.groups.len(), log.latest()), (0, 0, Some(1))));
}

/// The slow readable version: every group there ever was.
#[derive(Default)]
struct Naive {
    groups: Vec<NaiveGroup>,
    latest: Option<u64>,
    epoch: u64,
    current: u64,
    publisher: Option<HopId>,
    /// Whose groups these are: the source that wrote last and its publisher.
    wrote: Option<(u64, Option<HopId>)>,
    /// It may go on until the current one writes.
    lingers: bool,
}

struct NaiveGroup {
    sequence: u64,
    source: u64,
    state: State,
    cached: bool,
    bytes: Vec<u8>,
    payload: Vec<u8>,
}

impl Naive {
    fn attach(&mut self, publisher: Option<HopId>) {
        self.publisher = publisher;
        self.lingers = true;
        self.current += 1;
    }

    fn cached(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.groups.len()).filter(|ordinal| self.groups[*ordinal].cached)
    }

    fn find(&self, sequence: u64) -> Option<usize> {
        self.cached().find(|ordinal| self.groups[*ordinal].sequence == sequence)
    }

    fn begin(&mut self, source: u64, sequence: u64, fetched: bool, most: usize) -> Result<(), Refused> {
        let current = source == self.current;
        let other = |(last, publisher): (u64, Option<HopId>)| {
            last != source && (publisher.is_none() || publisher != self.publisher)
        };
        let stranger = current && self.wrote.is_some_and(other);
        if fetched && (!current || stranger) {
            return Err(Refused::Replaced);
        }
        let copy = self.find(sequence);
        let cut = copy.is_some_and(|copy| matches!(self.groups[copy].state, State::Aborted(_)));
        if copy.is_some() && !cut && !stranger {
            if !fetched && current {
                self.latest = self.latest.max(Some(sequence));
            }
            return Err(Refused::Duplicate);
        }
        let lingers = self.lingers && self.wrote.is_some_and(|(last, _)| last == source);
        if !fetched && !current && !lingers {
            return Err(Refused::Replaced);
        }
        if stranger {
            if copy.is_some() || self.latest.is_some_and(|latest| sequence <= latest) {
                self.groups.iter_mut().for_each(|group| group.cached = false);
                (self.latest, self.epoch) = (None, self.epoch + 1);
            } else {
                let open = self.groups.iter_mut().filter(|group| group.cached && group.state == State::Open);
                open.for_each(|group| group.state = State::Aborted(code::OLD));
            }
        }
        if let Some(copy) = copy {
            self.groups[copy].cached = false;
        }
        if !fetched {
            self.latest = self.latest.max(Some(sequence));
            if current {
                (self.wrote, self.lingers) = (Some((source, self.publisher)), false);
            }
        } else if self.wrote.is_none() {
            self.wrote = Some((source, self.publisher));
        }
        let (bytes, payload) = (Vec::new(), Vec::new());
        self.groups.push(NaiveGroup { sequence, source, state: State::Open, cached: true, bytes, payload });
        for ordinal in 0..self.groups.len() {
            if self.cached().count() > most && Some(self.groups[ordinal].sequence) != self.latest {
                self.groups[ordinal].cached = false;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Op {
    Attach(Option<HopId>),
    /// By the source `back` before the current one.
    Begin {
        back: u64,
        sequence: u64,
        fetched: bool,
    },
    Append {
        group: prop::sample::Index,
        payload: Vec<u8>,
        split: bool,
    },
    Finish {
        group: prop::sample::Index,
        cut: bool,
    },
    Evict {
        group: prop::sample::Index,
        last_resort: bool,
    },
    Read,
}

fn op() -> impl Strategy<Value = Op> {
    let publisher = prop::option::weighted(0.9, (1..3u64).prop_map(HopId));
    let group = any::<prop::sample::Index>;
    prop_oneof![
        1 => publisher.prop_map(Op::Attach),
        6 => (prop_oneof![8 => Just(0), 2 => 1..3u64], 0..12u64, prop::bool::weighted(0.2))
            .prop_map(|(back, sequence, fetched)| Op::Begin { back, sequence, fetched }),
        10 => (group(), prop::collection::vec(any::<u8>(), 0..5), any::<bool>())
            .prop_map(|(group, payload, split)| Op::Append { group, payload, split }),
        4 => (group(), prop::bool::weighted(0.3)).prop_map(|(group, cut)| Op::Finish { group, cut }),
        2 => (group(), any::<bool>()).prop_map(|(group, last_resort)| Op::Evict { group, last_resort }),
        4 => Just(Op::Read),
    ]
}

/// A reader as egress is one: arrivals in order, each with a cursor of its own.
#[derive(Default)]
struct Collector {
    next: u64,
    groups: BTreeMap<u64, Collected>,
}

#[derive(Default)]
struct Collected {
    stored: Cursor,
    frames: Cursor,
    bytes: Vec<Bytes>,
    payload: Vec<Bytes>,
}

impl Collector {
    fn read(&mut self, log: &Log) {
        for (ordinal, _) in log.arrivals(self.next) {
            assert!(self.groups.insert(ordinal, Collected::default()).is_none());
        }
        self.next = log.next();
        for (ordinal, collected) in &mut self.groups {
            if let Some(group) = log.group(*ordinal) {
                collected.stored.stored(group, usize::MAX, &mut collected.bytes);
                collected.frames.frames(group, None, usize::MAX, |_| None, &mut collected.payload);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn readers_see_what_was_accepted(
        ops in prop::collection::vec(op(), 1..120),
        most in prop::option::of(1..6usize),
    ) {
        let limits = Limits { groups: most, ..Default::default() };
        let charge = Cache::new(limits).publisher().charge(0);
        let (watch, mut naive, mut reader) = (Watch::new(Log::new(limits)), Naive::default(), Collector::default());
        let most = most.unwrap_or(usize::MAX);
        naive.attach(A);
        watch.with(|log| log.attach(A));
        for op in ops {
            match op {
                Op::Attach(publisher) => {
                    naive.attach(publisher);
                    prop_assert_eq!(watch.with(|log| log.attach(publisher)), naive.current);
                }
                Op::Begin { back, sequence, fetched } => {
                    let source = naive.current.saturating_sub(back).max(1);
                    let ordinal = naive.groups.len() as u64;
                    let expected = naive.begin(source, sequence, fetched, most).map(|()| ordinal);
                    prop_assert_eq!(watch.with(|log| log.begin(source, sequence, if fetched { FETCHED } else { RUNNING })), expected);
                }
                Op::Append { group, payload, split } => {
                    let Some(ordinal) = (!naive.groups.is_empty()).then(|| group.index(naive.groups.len())) else { continue };
                    let group = &mut naive.groups[ordinal];
                    let mut batch = Batch::default();
                    batch.frame(0, payload.len() as u64, Bytes::from_static(b"hd"));
                    let stored = [b"hd", &payload[..]].concat();
                    // A frame may come in two pieces.
                    let at = if split { stored.len() - payload.len() / 2 } else { stored.len() };
                    let expected = match (group.cached, group.state) {
                        (false, _) => Err(code::EVICTED),
                        (_, State::Open) => Ok(()),
                        (_, State::Aborted(code)) => Err(code),
                        (_, State::Finished) => Err(code::INTERNAL),
                    };
                    let chunks = [Bytes::copy_from_slice(&stored[..at]), Bytes::copy_from_slice(&stored[at..])];
                    for (chunk, frames) in chunks.into_iter().zip([&batch.frames[..], &[]]) {
                        let result = watch.with(|log| log.append(ordinal as u64, chunk, frames, &charge));
                        prop_assert_eq!(result, expected);
                    }
                    if expected.is_ok() {
                        group.bytes.extend(stored);
                        group.payload.extend(payload);
                    }
                }
                Op::Finish { group, cut } => {
                    let Some(ordinal) = (!naive.groups.is_empty()).then(|| group.index(naive.groups.len())) else { continue };
                    let state = if cut { State::Aborted(code::CANCELLED) } else { State::Finished };
                    watch.with(|log| log.finish(ordinal as u64, state));
                    let group = &mut naive.groups[ordinal];
                    if group.cached && group.state == State::Open {
                        group.state = state;
                    }
                }
                Op::Evict { group, last_resort } => {
                    let Some(ordinal) = (!naive.groups.is_empty()).then(|| group.index(naive.groups.len())) else { continue };
                    let newest = Some(naive.groups[ordinal].sequence) == naive.latest;
                    let group = &mut naive.groups[ordinal];
                    let stays = group.cached && newest && !last_resort;
                    group.cached &= stays;
                    let verdict = if stays { Verdict::Stays } else { Verdict::Gone };
                    prop_assert_eq!(watch.evict(ordinal as u64, Why::Memory { last_resort }), verdict);
                }
                Op::Read => watch.with(|log| reader.read(log)),
            }
            watch.with(|log| -> Result<(), TestCaseError> {
                let cached: Vec<_> = naive.cached().collect();
                prop_assert_eq!(log.arrivals(0).map(|(ordinal, _)| ordinal as usize).collect::<Vec<_>>(), cached.clone());
                prop_assert_eq!(log.by_sequence.len(), cached.len(), "one group a number");
                prop_assert_eq!(log.bytes, cached.iter().map(|ordinal| naive.groups[*ordinal].bytes.len()).sum::<usize>());
                prop_assert_eq!((log.latest(), log.epoch()), (naive.latest, naive.epoch));
                prop_assert_eq!(log.next(), naive.groups.len() as u64);
                for ordinal in cached {
                    let (expected, group) = (&naive.groups[ordinal], log.group(ordinal as u64).unwrap());
                    prop_assert_eq!(log.find(expected.sequence).map(|(at, _)| at as usize), Some(ordinal));
                    prop_assert_eq!((group.sequence, group.state(), group.source), (expected.sequence, expected.state, expected.source));
                }
                Ok(())
            })?;
        }
        watch.with(|log| reader.read(log));
        for (ordinal, collected) in &reader.groups {
            let group = &naive.groups[*ordinal as usize];
            let (bytes, payload) = (collected.bytes.concat(), collected.payload.concat());
            if group.cached {
                prop_assert_eq!((&bytes, &payload), (&group.bytes, &group.payload));
            } else {
                prop_assert!(group.bytes.starts_with(&bytes) && group.payload.starts_with(&payload));
            }
        }
        let collected: Vec<_> = reader.groups.keys().map(|ordinal| *ordinal as usize).collect();
        prop_assert!(naive.cached().all(|ordinal| collected.contains(&ordinal)), "nothing in the cache is missed");
    }
}
