//! Which groups a viewer has had whole. None comes twice, even if a new way to the publisher brings again what is not
//! cached any more.

/// Runs of sequences, first and last, in order. As long as nothing is missing there is one.
#[derive(Default, Debug)]
pub(super) struct Served(Vec<(u64, u64)>);

impl Served {
    /// With more runs, the oldest gap is closed. Halved, a viewer misses what was cut short and comes late; doubled, it
    /// costs that much more.
    const RUNS: usize = 32;

    pub(super) fn insert(&mut self, sequence: u64) {
        let runs = &mut self.0;
        let at = runs.partition_point(|(_, last)| last.saturating_add(1) < sequence);
        match runs.get_mut(at) {
            Some((first, last)) if *first <= sequence.saturating_add(1) => {
                (*first, *last) = ((*first).min(sequence), (*last).max(sequence));
                self.join(at);
            }
            _ => runs.insert(at, (sequence, sequence)),
        }
        if self.0.len() > Self::RUNS {
            let (first, _) = self.0.remove(0);
            self.0[0].0 = first;
        }
    }

    pub(super) fn contains(&self, sequence: u64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < sequence);
        self.0.get(at).is_some_and(|(first, _)| *first <= sequence)
    }

    /// Makes one of a run and the next, if nothing is between them.
    fn join(&mut self, at: usize) {
        let next = self.0.get(at + 1).copied();
        if let Some((_, last)) = next.filter(|(first, _)| *first <= self.0[at].1.saturating_add(1)) {
            self.0[at].1 = last;
            self.0.remove(at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(sequences in proptest::collection::vec(prop_oneof![0..40u64, u64::MAX - 3..=u64::MAX], 0..60)) {
            let (mut served, mut naive) = (Served::default(), BTreeSet::new());
            for sequence in sequences {
                served.insert(sequence);
                naive.insert(sequence);
                for sequence in (0..42).chain(u64::MAX - 5..=u64::MAX) {
                    prop_assert_eq!(served.contains(sequence), naive.contains(&sequence));
                }
                prop_assert!(served.0.windows(2).all(|runs| runs[0].1 + 1 < runs[1].0), "{served:?}");
            }
        }
    }

    #[test]
    fn the_oldest_gap_is_closed() {
        let mut served = Served::default();
        (0..=Served::RUNS as u64).for_each(|run| served.insert(run * 2));
        assert_eq!(served.0.len(), Served::RUNS);
        assert!(served.contains(1) && !served.contains(3));
    }
}
