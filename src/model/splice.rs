//! One logical track out of successive sources: who may write, and what a group from a new source means.
//!
//! ```text
//!            attach(same publisher)                     its first group
//!  current ──────────────────────────► current+previous ───────────────► current   (groups go on by number)
//!     │      attach(another publisher)                  above the last: TakesOver   (half-sent groups are reset)
//!     └──────────────────────────────► current+previous ───────────────► current
//!                                                       at or below:    Replaces   (old content is dropped)
//! ```
//!
//! Until the new source's first group, the one before may go on writing: a better route must not open a gap.

use crate::types::HopId;

/// The sources of one track, each known by a number.
#[derive(Default, Debug)]
pub(super) struct Sources {
    current: u64,
    /// Who publishes over the current source.
    publisher: Option<HopId>,
    /// The source that wrote last, and its publisher; `None` before the first group.
    wrote: Option<(u64, Option<HopId>)>,
    /// Whether the one that wrote last may go on until the current one's first group.
    lingers: bool,
}

/// What a new group does to the track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// Its source may not write any more.
    Refused,
    /// It goes on where the track is.
    Continues,
    /// Another publisher goes on above; groups that sources before left open are cut.
    TakesOver,
    /// Another publisher starts over: everything before is void.
    Replaces,
}

impl Sources {
    /// A new source, of the publisher that the route's first hop names, if it does.
    pub(super) fn attach(&mut self, publisher: Option<HopId>) -> u64 {
        self.publisher = publisher;
        self.lingers = true;
        self.current += 1;
        self.current
    }

    /// Whether this is the newest source.
    pub(super) const fn is_current(&self, source: u64) -> bool {
        self.current == source
    }

    /// Whether this source may write: it is the newest, or the one that wrote last while the newest has sent nothing.
    pub(super) fn may_write(&self, source: u64) -> bool {
        self.current == source || (self.lingers && self.wrote.is_some_and(|(last, _)| last == source))
    }

    /// Whether a group of this source would be the first of another publisher than the one whose groups are cached.
    pub(super) fn is_stranger(&self, source: u64) -> bool {
        let other = |(last, publisher): (u64, Option<HopId>)| {
            last != source && !publisher.zip(self.publisher).is_some_and(|(old, new)| old.is(new))
        };
        self.current == source && self.wrote.is_some_and(other)
    }

    /// Whether the newest source is one whose first group is to come.
    pub(super) fn is_between_publishers(&self) -> bool {
        self.is_stranger(self.current)
    }

    /// Whether what this source sends continues what was written before it.
    pub(super) fn goes_on(&self, source: u64) -> bool {
        self.wrote.is_some_and(|(last, _)| last != source) && !self.is_stranger(source)
    }

    /// A group that is not cached arrives from a source, while `latest` is the highest so far.
    pub(super) fn arrive(&mut self, source: u64, sequence: u64, latest: Option<u64>) -> Arrival {
        if source != self.current {
            return if self.may_write(source) { Arrival::Continues } else { Arrival::Refused };
        }
        let stranger = self.is_stranger(source);
        self.wrote = Some((source, self.publisher));
        self.lingers = false;
        match (stranger, latest) {
            (false, _) => Arrival::Continues,
            (true, Some(latest)) if sequence <= latest => Arrival::Replaces,
            (true, _) => Arrival::TakesOver,
        }
    }

    /// A group of the current source was fetched: from now on, the cache is its publisher's.
    pub(super) fn fetched(&mut self) {
        self.wrote.get_or_insert((self.current, self.publisher));
    }

    /// The one before may not go on until the current one's first group.
    pub(super) const fn exclude_previous(&mut self) {
        self.lingers = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<HopId> = Some(HopId(1));
    const B: Option<HopId> = Some(HopId(2));

    #[test]
    fn the_same_publisher_goes_on_by_number() {
        let mut sources = Sources::default();
        let one = sources.attach(A);
        assert_eq!(sources.arrive(one, 5, None), Arrival::Continues);
        let two = sources.attach(A);
        assert_eq!(sources.arrive(one, 6, Some(5)), Arrival::Continues, "no gap while the new one starts");
        assert_eq!(sources.arrive(two, 3, Some(6)), Arrival::Continues);
        assert_eq!(sources.arrive(one, 7, Some(6)), Arrival::Refused);
    }

    #[test]
    fn a_standby_above_takes_over_and_one_below_replaces() {
        let mut sources = Sources::default();
        let one = sources.attach(A);
        sources.arrive(one, 5, None);
        let two = sources.attach(B);
        assert_eq!(sources.arrive(two, 6, Some(5)), Arrival::TakesOver);
        assert_eq!(sources.arrive(two, 4, Some(6)), Arrival::Continues, "only its first group decides");
        let three = sources.attach(A);
        assert_eq!(sources.arrive(three, 0, Some(6)), Arrival::Replaces);
    }

    #[test]
    fn anonymous_publishers_are_never_the_same() {
        let mut sources = Sources::default();
        let one = sources.attach(None);
        sources.arrive(one, 5, None);
        let two = sources.attach(None);
        assert_eq!(sources.arrive(two, 5, Some(5)), Arrival::Replaces);
    }

    #[test]
    fn a_stranger_that_never_sent_still_counts() {
        let mut sources = Sources::default();
        let one = sources.attach(A);
        sources.arrive(one, 5, None);
        sources.attach(B);
        let three = sources.attach(B);
        assert_eq!(sources.arrive(three, 2, Some(5)), Arrival::Replaces);
    }

    #[test]
    fn a_publisher_whose_rival_never_sent_goes_on() {
        let mut sources = Sources::default();
        let one = sources.attach(A);
        sources.arrive(one, 5, None);
        let rival = sources.attach(B);
        assert!(sources.may_write(one) && sources.may_write(rival));
        let again = sources.attach(A);
        assert!(sources.may_write(one) && !sources.may_write(rival));
        assert_eq!(sources.arrive(again, 5, Some(5)), Arrival::Continues);
        assert!(!sources.may_write(one));
    }
}
