//! What a subscription may get: a run of one publisher's groups without a gap, then perhaps another's, until it is
//! reset or ends.

use std::collections::{BTreeMap, HashSet};

use super::{
    content::{Ended, Made, Truth, Work},
    viewer::{Heard, Transcript},
};
use crate::common::End;

/// Whether everything that is on its way has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled(pub bool);

/// Holds what came against what was made.
pub fn judge(
    transcript: &Transcript,
    truth: &Truth,
    broadcast: &str,
    track: usize,
    settled: Settled,
) -> Result<(), String> {
    let mut complete = HashSet::new();
    for heard in &transcript.groups {
        group(heard, truth, track)?;
        if heard.end == Some(End::Fin) && !complete.insert(heard.sequence) {
            return Err(format!("group {} came twice", heard.sequence));
        }
    }
    let ended = |work: &&Work| work.broadcast == broadcast && work.ended;
    let finished = |last: u64| truth.works.values().filter(ended).any(|work| work.tracks[track].len() as u64 == last);
    match (transcript.end, transcript.last) {
        (Some(End::Fin), None) if !truth.works.values().any(|work| ended(&work)) => {
            return Err("the subscription is finished, and no publisher has finished".to_owned());
        }
        (_, Some(last)) if !finished(last) => {
            return Err(format!("the subscription ends at group {last}, and no publisher has ended there"));
        }
        (Some(End::FinInside), _) => return Err("the subscription ends inside a message".to_owned()),
        _ => {}
    }
    if settled.0 {
        let runs: Vec<_> = runs(&transcript.groups).collect();
        for (i, run) in runs.iter().enumerate() {
            let is_last = i + 1 == runs.len();
            gaps(run, truth, track, is_last && transcript.end == Some(End::Fin))?;
        }
    }
    Ok(())
}

/// Groups of one publisher in a row.
fn runs(groups: &[Heard]) -> impl Iterator<Item = Vec<&Heard>> {
    let named: Vec<_> = groups.iter().filter(|heard| heard.publisher.is_some()).collect();
    let runs: Vec<Vec<_>> = named.chunk_by(|a, b| a.publisher == b.publisher).map(<[_]>::to_vec).collect();
    runs.into_iter()
}

/// Every frame is right, and only a group that its publisher finished is finished.
fn group<'a>(heard: &Heard, truth: &'a Truth, track: usize) -> Result<Option<&'a Made>, String> {
    let sequence = heard.sequence;
    if let Some(wrong) = &heard.wrong {
        return Err(format!("group {sequence}: {wrong}"));
    }
    let made = heard.publisher.map(|publisher| {
        let made = truth.works.get(&publisher).and_then(|work| work.tracks[track].get(usize::try_from(sequence).ok()?));
        made.ok_or_else(|| format!("publisher {publisher} has made no group {sequence}"))
    });
    let made = made.transpose()?;
    match heard.end {
        Some(End::Fin) => match made {
            Some(made) if made.end == Some(Ended::Finished) && made.frames == heard.frames => Ok(Some(made)),
            made => {
                Err(format!("group {sequence} is finished after {} frames, but was made so: {made:?}", heard.frames))
            }
        },
        Some(End::FinInside) => Err(format!("group {sequence} is finished inside a frame")),
        Some(End::Reset(_) | End::Closed) | None => Ok(made),
    }
}

/// Between the first and the last complete group of a run, no group is missing that its publisher has finished, as long
/// as links and publishers stayed: a new way need not have what was made before it was taken.
fn gaps(run: &[&Heard], truth: &Truth, track: usize, to_the_end: bool) -> Result<(), String> {
    let Some(work) = run.first().and_then(|heard| truth.works.get(&heard.publisher?)) else { return Ok(()) };
    let made = &work.tracks[track];
    let mut complete = BTreeMap::new();
    for heard in run.iter().filter(|heard| heard.end == Some(End::Fin)) {
        complete.insert(heard.sequence, heard.changes);
    }
    if to_the_end && work.ended {
        complete.insert(made.len() as u64, truth.changes);
    }
    for ((before, _), (after, changes)) in complete.iter().zip(complete.iter().skip(1)) {
        let calm = made[*before as usize].changes == *changes;
        for missing in before + 1..*after {
            let on_its_way = run.iter().any(|heard| heard.sequence == missing && heard.end.is_none());
            let finished = made[missing as usize].end == Some(Ended::Finished);
            if finished && !on_its_way && calm {
                return Err(format!("group {missing} is missing between {before} and {after}"));
            }
        }
    }
    Ok(())
}
