//! Announcements told by what they share with earlier ones of their stream (moq-lite-07): the first segments of a path,
//! the last hops of a chain. One side tells, the other works out.

use std::collections::HashMap;

use crate::{
    session::Violation,
    types::{Cost, Hops, Path},
    wire::{
        DecodeError,
        lite::announce::{Announcement, Shared},
    },
};

/// What the peer can build on: the latest announcement, while it is live. Any live one would do; the one before is of the
/// same publisher more often than not, and costs nothing to find.
#[derive(Default, Debug)]
pub(super) struct Latest(Option<(u64, Path, Hops)>);

impl Latest {
    /// The announcement of a path, as short as it gets. It is the latest from here on, with this id.
    pub(super) fn start(&mut self, id: u64, suffix: Path, hops: Hops, cost: Cost) -> Announcement {
        let said = Announcement::Active { suffix: suffix.clone(), hops: hops.clone(), cost };
        let shorter = self.0.as_ref().and_then(|(_, path, chain)| {
            let first = path.segments().zip(suffix.segments()).take_while(|(one, other)| one == other).count();
            let last = chain.iter().rev().zip(hops.iter().rev()).take_while(|(one, other)| one == other).count();
            let rest = suffix.segments().skip(first).collect::<Vec<_>>().join("/");
            let own = Hops::new(hops.iter().take(hops.len() - last)).ok()?;
            (first + last > 0).then_some(Announcement::ActiveLike {
                path: shared(first),
                suffix: Path::parse(&rest).ok()?,
                chain: shared(last),
                hops: own,
                cost,
            })
        });
        self.0 = Some((id, suffix, hops));
        shorter.unwrap_or(said)
    }

    /// An announcement goes another way.
    pub(super) fn restart(&mut self, id: u64, hops: &Hops) {
        if let Some((_, _, chain)) = self.0.as_mut().filter(|(latest, ..)| *latest == id) {
            *chain = hops.clone();
        }
    }

    /// An announcement is over: nothing can build on it.
    pub(super) fn end(&mut self, id: u64) {
        self.0.take_if(|(latest, ..)| *latest == id);
    }
}

/// So much of the latest.
const fn shared(keep: usize) -> Shared {
    Shared { base: if keep > 0 { 1 } else { 0 }, keep: keep as u64 }
}

/// What the peer has told, by the ids it gave.
#[derive(Default, Debug)]
pub(super) struct Told {
    live: HashMap<u64, (Path, Hops)>,
    next: u64,
}

impl Told {
    /// Works out an announcement, if it is told by others.
    pub(super) fn plain(&self, announcement: Announcement) -> Result<Announcement, Violation> {
        Ok(match announcement {
            Announcement::ActiveLike { path, suffix, chain, hops, cost } => {
                Announcement::Active { suffix: self.path(path, &suffix)?, hops: self.chain(chain, &hops)?, cost }
            }
            Announcement::RestartedLike { id, chain, hops, cost } => {
                Announcement::Restarted { id, hops: self.chain(chain, &hops)?, cost }
            }
            plain => plain,
        })
    }

    /// Takes in an announcement; its id is the next.
    pub(super) fn start(&mut self, suffix: Path, hops: Hops) {
        self.live.insert(self.next, (suffix, hops));
        self.next += 1;
    }

    /// Takes in another way and tells whose.
    pub(super) fn restart(&mut self, id: u64, hops: Hops) -> Result<Path, Violation> {
        let (suffix, chain) = self.live.get_mut(&id).ok_or(Violation::UnknownAnnounceId(id))?;
        *chain = hops;
        Ok(suffix.clone())
    }

    /// Forgets an announcement and tells whose it was.
    pub(super) fn end(&mut self, id: u64) -> Result<Path, Violation> {
        self.live.remove(&id).map(|(suffix, _)| suffix).ok_or(Violation::UnknownAnnounceId(id))
    }

    fn base(&self, back: u64) -> Result<&(Path, Hops), Violation> {
        self.next.checked_sub(back).and_then(|id| self.live.get(&id)).ok_or(Violation::UnknownBase)
    }

    /// The first segments of an earlier path, then `rest`.
    fn path(&self, shared: Shared, rest: &Path) -> Result<Path, Violation> {
        if shared.base == 0 {
            return Ok(rest.clone());
        }
        let first = self.base(shared.base)?.0.first_segments(shared.keep).ok_or(Violation::UnknownBase)?;
        first.join(rest).map_err(|error| malformed(error.into()))
    }

    /// `first`, then the last hops of an earlier chain.
    fn chain(&self, shared: Shared, first: &Hops) -> Result<Hops, Violation> {
        if shared.base == 0 {
            return Ok(first.clone());
        }
        let base = &self.base(shared.base)?.1;
        let skip = usize::try_from(shared.keep).ok().and_then(|keep| base.len().checked_sub(keep));
        let last = base.iter().skip(skip.ok_or(Violation::UnknownBase)?);
        let hops = Hops::new(first.iter().chain(last)).map_err(|error| malformed(error.into()))?;
        if hops.has_repeat() { Err(malformed(DecodeError::RepeatedHop)) } else { Ok(hops) }
    }
}

const fn malformed(error: DecodeError) -> Violation {
    Violation::Malformed { what: "announcement", error }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::HopId;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn hops(ids: &[u64]) -> Hops {
        Hops::new(ids.iter().map(|id| HopId(*id))).unwrap()
    }

    fn like(path: (u64, u64), suffix: &str, chain: (u64, u64), ids: &[u64]) -> Announcement {
        let shared = |(base, keep)| Shared { base, keep };
        let (path, chain) = (shared(path), shared(chain));
        Announcement::ActiveLike {
            path,
            suffix: Path::parse(suffix).unwrap(),
            chain,
            hops: hops(ids),
            cost: Cost::FREE,
        }
    }

    #[test]
    fn the_example_of_the_reference_is_worked_out() {
        let mut told = Told::default();
        told.start(path("room/cam"), hops(&[7]));
        let plain = told.plain(like((1, 1), "mic", (1, 1), &[])).unwrap();
        assert_eq!(plain, Announcement::Active { suffix: path("room/mic"), hops: hops(&[7]), cost: Cost::FREE });
    }

    #[test]
    fn only_what_is_live_and_there_can_be_built_on() {
        let mut told = Told::default();
        told.start(path("a/b"), hops(&[7]));
        told.start(path("c"), hops(&[8]));
        for wrong in [
            like((3, 1), "x", (0, 0), &[]),
            like((2, 3), "x", (0, 0), &[]),
            like((0, 0), "x", (1, 2), &[]),
            like((u64::MAX, 0), "x", (0, 0), &[]),
        ] {
            assert_eq!(told.plain(wrong), Err(Violation::UnknownBase));
        }
        let circle = told.plain(like((0, 0), "x", (1, 1), &[8]));
        assert_eq!(circle, Err(malformed(DecodeError::RepeatedHop)));
        assert_eq!(told.end(1), Ok(path("c")));
        assert_eq!(told.plain(like((1, 1), "x", (0, 0), &[])), Err(Violation::UnknownBase), "it has ended");
        assert!(told.plain(like((2, 2), "x", (2, 1), &[9])).is_ok());
        assert_eq!(told.end(1), Err(Violation::UnknownAnnounceId(1)));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Start(String, Vec<u64>),
        Restart(usize, Vec<u64>),
        End(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        // Few names and hops, so that much is shared; a chain names nobody twice.
        let chain = || proptest::sample::subsequence(vec![1u64, 2, 3, 4, 5], 0..4).prop_shuffle();
        let op = prop_oneof![
            4 => ("([ab]/){0,3}[ab]?", chain()).prop_map(|(path, chain)| Op::Start(path, chain)),
            1 => (0usize..8, chain()).prop_map(|(at, chain)| Op::Restart(at, chain)),
            1 => (0usize..8).prop_map(Op::End),
        ];
        proptest::collection::vec(op, 0..40)
    }

    proptest! {
        #[test]
        fn what_is_told_is_worked_out(ops in ops()) {
            let (mut latest, mut told, mut ids, mut next) = (Latest::default(), Told::default(), Vec::new(), 0);
            for op in ops {
                match op {
                    Op::Start(text, chain) => {
                        let (suffix, hops) = (path(&text), hops(&chain));
                        let said = latest.start(next, suffix.clone(), hops.clone(), Cost::FREE);
                        let plain = told.plain(said).unwrap();
                        prop_assert_eq!(
                            plain,
                            Announcement::Active { suffix: suffix.clone(), hops: hops.clone(), cost: Cost::FREE }
                        );
                        told.start(suffix, hops);
                        ids.push(next);
                        next += 1;
                    }
                    Op::Restart(at, chain) if !ids.is_empty() => {
                        let id = ids[at % ids.len()];
                        latest.restart(id, &hops(&chain));
                        told.restart(id, hops(&chain)).unwrap();
                    }
                    Op::End(at) if !ids.is_empty() => {
                        let id = ids.remove(at % ids.len());
                        latest.end(id);
                        told.end(id).unwrap();
                    }
                    Op::Restart(..) | Op::End(_) => {}
                }
            }
        }
    }
}
