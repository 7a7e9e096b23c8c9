//! What is cached of a track: groups in the order they arrived, found by sequence, and how the track stands.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    model::{
        cache::{Charge, Evict, Limits, Verdict, Why},
        group::{BatchFrame, Group, State},
        splice::{Arrival, Sources},
        watch::Watch,
    },
    types::{HopId, Preferences, Start, TrackInfo, code},
};
use std::sync::Arc;

/// How a track has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Its source finished it.
    Ended,
    /// Its source is gone or refused, with a stream code.
    Failed(u32),
}

/// Why a source may not write a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Another source writes now.
    Replaced,
    /// The group is there already: the first copy wins.
    Duplicate,
    /// The track has ended.
    Closed,
}

/// How a group comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// On a stream, following the track.
    Following,
    /// In a datagram, following the track.
    InDatagram,
    /// Asked for by number.
    Fetched,
}

/// The groups of a track.
#[derive(Debug)]
pub struct Log {
    limits: Limits,
    info: Option<TrackInfo>,
    sources: Sources,
    /// What is cached, by ordinal: in order of arrival.
    groups: BTreeMap<u64, Group>,
    /// The ordinal the next arrival gets.
    next: u64,
    /// Sequence to ordinal, newest copy.
    by_sequence: BTreeMap<u64, u64>,
    /// The highest sequence of this epoch, cached or not.
    latest: Option<u64>,
    /// Counts how often the content was replaced by another publisher's.
    epoch: u64,
    end: Option<u64>,
    closed: Option<Closed>,
    bytes: usize,
    /// Groups asked for by number that are not there.
    fetches: BTreeMap<u64, Fetching>,
}

/// What has become of a request for one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fetching {
    /// The source has been asked.
    Asked,
    /// It has not got the group, with a stream code.
    Missing(u32),
}

impl Log {
    /// The most frames of one group; peers refuse more.
    pub const GROUP_FRAMES: usize = 8192;
    /// The most bytes of one group.
    pub const GROUP_BYTES: usize = 32 << 20;
    /// The most groups of one track unless configured: what a group costs beside its bytes is not charged.
    const GROUPS: usize = 8192;
    /// How far back a new source is asked for groups that the one before has not finished.
    const REPAIRED: u64 = 8;
    /// How many answers to fetches are kept for those who wait for them.
    const FETCHES: usize = 256;

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            info: None,
            sources: Sources::default(),
            groups: BTreeMap::new(),
            next: 0,
            by_sequence: BTreeMap::new(),
            latest: None,
            epoch: 0,
            end: None,
            closed: None,
            bytes: 0,
            fetches: BTreeMap::new(),
        }
    }

    /// The track's constants, once its source has told them.
    pub const fn info(&self) -> Option<TrackInfo> {
        self.info
    }

    /// Which publisher's content this is: readers of another epoch have read something else.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The highest sequence that exists.
    pub const fn latest(&self) -> Option<u64> {
        self.latest
    }

    /// The first sequence that will never exist, once known.
    pub const fn end(&self) -> Option<u64> {
        self.end
    }

    /// How the track has ended, if it has.
    pub const fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// The ordinal the next arrival gets.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The group of an ordinal, while cached.
    pub fn group(&self, ordinal: u64) -> Option<&Group> {
        self.groups.get(&ordinal)
    }

    /// The group of a sequence, while cached.
    pub fn find(&self, sequence: u64) -> Option<(u64, &Group)> {
        let ordinal = *self.by_sequence.get(&sequence)?;
        Some((ordinal, self.group(ordinal)?))
    }

    /// Cached groups from an ordinal on, in order of arrival.
    pub fn arrivals(&self, from: u64) -> impl Iterator<Item = (u64, &Group)> {
        self.groups.range(from..).map(|(ordinal, group)| (*ordinal, group))
    }

    /// The lowest sequence a subscription is served, as things stand (moq-lite, "where delivery starts").
    pub fn floor(&self, preferences: &Preferences) -> u64 {
        match preferences.start {
            Start::Latest => self.latest.unwrap_or(0),
            Start::At(sequence) => sequence,
            Start::Fresh { floor } => {
                let newest = self.latest.and_then(|latest| self.find(latest)).map(|(_, group)| group);
                let max_age = match (preferences.max_age, self.info) {
                    (Some(age), Some(info)) => age.min(info.max_age),
                    (age, info) => age.or_else(|| info.map(|info| info.max_age)).unwrap_or(Duration::MAX),
                };
                let fresh = |group: &Group| newest.is_none_or(|newest| self.behind(group, newest) <= max_age);
                let oldest =
                    self.by_sequence.range(floor..).find(|(_, ordinal)| self.group(**ordinal).is_some_and(fresh));
                oldest.map_or(floor, |(sequence, _)| *sequence)
            }
        }
    }

    /// How far a group is behind another, by the time of their first frames or else of their arrival.
    pub fn behind(&self, group: &Group, newest: &Group) -> Duration {
        let media = |g: &Group| Some((g.timestamp()?, self.info?.timescale));
        match (media(group), media(newest)) {
            (Some((a, scale)), Some((b, _))) => {
                let units = u128::from(b.saturating_sub(a)) * 1000 / u128::from(scale.max(1));
                Duration::from_millis(u64::try_from(units).unwrap_or(u64::MAX))
            }
            _ => newest.arrived.saturating_duration_since(group.arrived),
        }
    }

    /// Where a new source begins, if what is cached decides that and not the viewers. Another publisher's groups have
    /// other numbers than those that viewers know: its newest decides what becomes of them. The same publisher goes on
    /// at the first of the newest groups that is not complete, so that nothing is missing and little comes twice.
    pub(super) fn starts_at(&self, source: u64) -> Option<Start> {
        if self.sources.is_stranger(source) {
            return Some(Start::Latest);
        }
        if !self.sources.is_current(source) || !self.sources.goes_on(source) {
            return None;
        }
        let next = self.latest?.saturating_add(1);
        let newest = self.by_sequence.range(next.saturating_sub(Self::REPAIRED)..);
        let is_cut = |ordinal: &u64| self.group(*ordinal).is_some_and(|group| group.state() != State::Finished);
        let mut cut = newest.filter(|(_, ordinal)| is_cut(ordinal)).map(|(sequence, _)| *sequence);
        Some(Start::At(cut.next().unwrap_or(next)))
    }

    /// Whether everything cached is of another publisher than the newest source's, which has sent nothing yet.
    pub fn is_between_publishers(&self) -> bool {
        self.sources.is_between_publishers()
    }

    /// Whether a source is still writing a group.
    pub(super) fn is_writing(&self, source: u64) -> bool {
        self.groups.values().rev().any(|group| group.source == source && group.state() == State::Open)
    }

    /// Why a group that was asked for by number will not come.
    pub fn missing(&self, sequence: u64) -> Option<u32> {
        match self.fetches.get(&sequence) {
            Some(Fetching::Missing(code)) => Some(*code),
            Some(Fetching::Asked) | None => None,
        }
    }

    /// Keeps a fetched group longer.
    pub fn touch(&mut self, sequence: u64) {
        let Some(ordinal) = self.by_sequence.get(&sequence) else { return };
        if let Some(group) = self.groups.get_mut(ordinal) {
            group.touched = Instant::now();
        }
    }

    pub(super) fn attach(&mut self, publisher: Option<HopId>) -> u64 {
        if self.closed.is_none() {
            self.end = None; // the new source tells its own
        }
        // Nobody answers any more what the source before was asked.
        for fetch in self.fetches.values_mut() {
            if *fetch == Fetching::Asked {
                *fetch = Fetching::Missing(code::SESSION_CLOSED);
            }
        }
        self.sources.attach(publisher)
    }

    /// Notes that a group is asked for; whether the source must be.
    pub(super) fn ask(&mut self, sequence: u64) -> bool {
        self.fetches.insert(sequence, Fetching::Asked) != Some(Fetching::Asked)
    }

    /// Whether `source` may speak for the track.
    pub(super) fn is_current(&self, source: u64) -> bool {
        self.sources.is_current(source) && self.closed.is_none()
    }

    /// Whether a newer source than this one is there.
    pub(super) const fn is_replaced(&self, source: u64) -> bool {
        !self.sources.is_current(source)
    }

    /// Whether a source has nothing more to say: a newer one writes.
    pub(super) fn is_done(&self, source: u64) -> bool {
        self.closed.is_some() || !self.sources.may_write(source)
    }

    /// The source tells the track's constants. Another time scale makes it another track.
    pub(super) fn set_info(&mut self, source: u64, info: TrackInfo) {
        if self.is_current(source) {
            if self.info.is_some_and(|old| old.timescale != info.timescale) && self.latest.is_some() {
                self.sources.exclude_previous();
                self.replace();
            }
            self.info = Some(info);
        }
    }

    pub(super) fn set_end(&mut self, source: u64, end: u64) {
        if self.is_current(source) {
            self.end = Some(end);
        }
    }

    pub(super) fn set_missing(&mut self, sequence: u64, code: u32) {
        if self.fetches.len() >= Self::FETCHES {
            self.fetches.retain(|_, fetch| *fetch == Fetching::Asked);
        }
        self.fetches.insert(sequence, Fetching::Missing(code));
    }

    /// The track ends. Groups still open stay with their writers.
    pub(super) fn close(&mut self, how: Closed) {
        if self.closed.is_none() {
            if how == Closed::Ended && self.sources.is_between_publishers() {
                let end = self.end;
                self.replace();
                self.end = end;
            }
            self.closed = Some(how);
            if let Closed::Failed(code) = how {
                self.abort_open(|_| true, code);
            } else if self.end.is_none() {
                self.end = Some(self.latest.map_or(0, |latest| latest.saturating_add(1)));
            }
        }
    }

    /// Begins a group and returns its ordinal. A fetched group says nothing about how far the track is.
    pub(super) fn begin(&mut self, source: u64, sequence: u64, came: Came) -> Result<u64, Refused> {
        let fetched = came == Came::Fetched;
        if matches!(self.closed, Some(Closed::Failed(_))) {
            return Err(Refused::Closed);
        }
        if fetched && (self.sources.is_stranger(source) || !self.sources.is_current(source)) {
            return Err(Refused::Replaced);
        }
        let cached = self.find(sequence).map(|(ordinal, group)| (ordinal, group.state()));
        // The same publisher's group again, over another route: what is there goes on, unless it was cut short.
        if let Some((_, State::Open | State::Finished)) = cached
            && !self.sources.is_stranger(source)
        {
            if !fetched && self.sources.is_current(source) {
                self.latest = self.latest.max(Some(sequence)); // it may have been fetched before it came
            }
            return Err(Refused::Duplicate);
        }
        if fetched {
            self.sources.fetched();
        } else {
            let highest = self.latest.max(cached.map(|_| sequence));
            match self.sources.arrive(source, sequence, highest) {
                Arrival::Refused => return Err(Refused::Replaced),
                Arrival::Continues => {}
                Arrival::Replaces => self.replace(),
                Arrival::TakesOver => self.abort_open(|group| group.source != source, code::OLD),
            }
            self.latest = self.latest.max(Some(sequence));
        }
        if let Some((cut, _)) = cached {
            self.drop_group(cut);
        }
        let ordinal = self.next;
        self.next += 1;
        let datagram = came == Came::InDatagram;
        self.groups.insert(ordinal, Group::new(sequence, source, datagram));
        self.by_sequence.insert(sequence, ordinal);
        self.fetches.remove(&sequence);
        self.expire();
        Ok(ordinal)
    }

    /// Appends to a group; an error is the code to stop its source with.
    pub(super) fn append(
        &mut self,
        ordinal: u64,
        chunk: Bytes,
        frames: &[BatchFrame],
        charge: &Arc<Charge>,
    ) -> Result<(), u32> {
        let len = chunk.len();
        let group = self.groups.get_mut(&ordinal).ok_or(code::EVICTED)?;
        match group.state() {
            State::Open => {}
            State::Aborted(code) => return Err(code),
            State::Finished => return Err(code::INTERNAL),
        }
        if group.len() + len > Self::GROUP_BYTES || group.frames().len() + frames.len() > Self::GROUP_FRAMES {
            group.end(State::Aborted(code::GROUP_TOO_LARGE));
            return Err(code::GROUP_TOO_LARGE);
        }
        group.append(chunk, frames, charge);
        self.bytes += len;
        if self.bytes as u64 > Limits::TRACK {
            self.expire();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, ordinal: u64, state: State) {
        if let Some(group) = self.groups.get_mut(&ordinal) {
            group.end(state);
        }
    }

    /// Another publisher's content takes the place of this one's.
    fn replace(&mut self) {
        self.epoch += 1;
        self.groups.clear();
        self.by_sequence.clear();
        self.bytes = 0;
        self.latest = None;
        self.end = None;
    }

    fn abort_open(&mut self, which: impl Fn(&Group) -> bool, code: u32) {
        for group in self.groups.values_mut().filter(|group| which(group)) {
            group.end(State::Aborted(code));
        }
    }

    /// Drops what is over the track's share or older than its source or the cache keeps groups.
    fn expire(&mut self) {
        let now = Instant::now();
        let age = self.info.map_or(self.limits.duration, |info| info.max_age.min(self.limits.duration));
        let most = self.limits.groups.unwrap_or(Self::GROUPS);
        let mut from = 0;
        while let Some((&ordinal, group)) = self.groups.range(from..).next() {
            let kept_until = group.appended.max(group.touched) + age;
            if self.bytes as u64 <= Limits::TRACK && self.by_sequence.len() <= most && now <= kept_until {
                return;
            }
            if Some(group.sequence) != self.latest {
                self.drop_group(ordinal);
            }
            from = ordinal + 1;
        }
    }

    fn drop_group(&mut self, ordinal: u64) {
        let Some(group) = self.groups.remove(&ordinal) else { return };
        self.bytes -= group.len();
        if self.by_sequence.get(&group.sequence) == Some(&ordinal) {
            self.by_sequence.remove(&group.sequence);
        }
    }
}

impl Evict for Watch<Log> {
    fn evict(&self, ordinal: u64, why: Why) -> Verdict {
        let verdict = self.with(|log| {
            let Some(group) = log.group(ordinal) else { return Verdict::Gone };
            let newest = Some(group.sequence) == log.latest && log.closed.is_none();
            let young = group.appended.max(group.touched).elapsed() < log.limits.duration;
            match why {
                Why::Age if newest || young => return Verdict::Stays,
                Why::Memory { last_resort: false } if newest => return Verdict::Stays,
                _ => {}
            }
            log.drop_group(ordinal);
            Verdict::Gone
        });
        if verdict == Verdict::Gone {
            self.update(|_| ()); // readers of the group must not wait for ever
        }
        verdict
    }
}

#[cfg(test)]
mod tests;
