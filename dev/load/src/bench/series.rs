//! The runs of one entrant in one case of a shape, and what they come to.
//!
//! Medians are taken over fair runs only. Whatever counts against a relay is the worst of all its runs, or a run that is
//! unfair because something was lost would hide the loss.

use super::{
    figures::CPU_US,
    sample::{Purpose, Sample},
};
use crate::report::Report;

pub(crate) struct Series<'a> {
    /// By round: the fair runs, or all of them when none is.
    counting: Vec<(usize, &'a Report)>,
    all: Vec<&'a Report>,
    /// How many runs are fair.
    pub(crate) fair: usize,
    /// How many were meant to be measured, failed ones included.
    pub(crate) runs: usize,
    /// Over all runs, the verifying one included.
    pub(crate) corrupt: u64,
}

impl<'a> Series<'a> {
    pub(crate) fn new(samples: &'a [Sample], entrant: usize, case: &str) -> Self {
        let mine: Vec<&Sample> = samples.iter().filter(|s| s.entrant == entrant && s.case == case).collect();
        let measured = || mine.iter().filter_map(|s| Some((s.round()?, s.unfair.is_empty())));
        let fair = measured().filter(|(_, fair)| *fair).count();
        Self {
            counting: measured().filter(|(_, is_fair)| *is_fair || fair == 0).map(|(round, _)| round).collect(),
            all: measured().map(|((_, report), _)| report).collect(),
            fair,
            runs: mine.iter().filter(|s| s.run != Purpose::Verify).count(),
            corrupt: mine.iter().filter_map(|s| Some(s.outcome.as_ref().ok()?.corrupt)).sum(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn median(&self, figure: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
        median(self.counting.iter().filter_map(|(_, r)| figure(r)).collect())
    }

    /// The largest of all runs.
    pub(crate) fn worst(&self, figure: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
        self.all.iter().filter_map(|r| figure(r)).reduce(f64::max)
    }

    /// The median of `combine(mine, theirs)` over the rounds that count for both.
    pub(crate) fn paired(
        &self,
        other: &Series<'_>,
        figure: impl Fn(&Report) -> Option<f64>,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let pairs = self.counting.iter().filter_map(|(round, mine)| {
            let (_, theirs) = other.counting.iter().find(|(n, _)| n == round)?;
            Some(combine(figure(mine)?, figure(theirs)?))
        });
        median(pairs.filter(|v| v.is_finite()).collect())
    }
}

/// The one that costs the least CPU.
pub(crate) fn cheapest<'a>(all: impl Iterator<Item = Series<'a>>) -> Option<Series<'a>> {
    let costs = all.filter_map(|series| Some((series.median(CPU_US)?, series)));
    costs.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, series)| series)
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
