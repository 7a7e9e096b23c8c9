//! One run, kept: who ran what, what came of it, and whether it counts.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{
    QUIET_CPU_PCT,
    entrant::Entrant,
    fair,
    shape::{Case, Kind, Shape},
};
use crate::report::Report;

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its bytes are checked; its figures mean nothing.
    Verify,
    /// Its figures count; all entrants run once per round.
    Round(usize),
}

#[derive(Serialize)]
pub(crate) struct Sample {
    pub(crate) shape: &'static str,
    pub(crate) case: &'static str,
    #[serde(skip)]
    kind: Kind,
    #[serde(skip)]
    pub(crate) entrant: usize,
    relay: String,
    door: &'static str,
    version: &'static str,
    pub(crate) run: Purpose,
    /// Why it does not count.
    pub(crate) unfair: Vec<String>,
    /// The report, or why there is none.
    pub(crate) outcome: Result<Report, String>,
}

impl Sample {
    pub(crate) fn new(
        shape: &'static Shape,
        case: &'static Case,
        index: usize,
        entrant: &Entrant,
        run: Purpose,
        outcome: Result<Report, String>,
    ) -> Self {
        let unfair = match (&outcome, run) {
            (Ok(report), Purpose::Round(_)) => fair::objections(shape, case, report),
            _ => Vec::new(),
        };
        let (door, version) = (entrant.door.name(), entrant.version.name);
        let relay = entrant.name.clone();
        let case = case.name;
        Self { shape: shape.name, case, kind: shape.kind, entrant: index, relay, door, version, run, unfair, outcome }
    }

    /// The round it belongs to and what it found, unless it is a verifying run or failed.
    pub(crate) fn round(&self) -> Option<(usize, &Report)> {
        match (self.run, &self.outcome) {
            (Purpose::Round(n), Ok(report)) => Some((n, report)),
            _ => None,
        }
    }

    /// Whether others took so much of the cores that its latencies are theirs. What memory a session takes, they cannot
    /// change.
    pub(crate) fn disturbed(&self) -> bool {
        self.kind != Kind::Idle && self.round().is_some_and(|(_, report)| report.others_cpu_pct > QUIET_CPU_PCT)
    }

    /// Where and when, as a reader of notes wants it.
    pub(crate) fn place(&self) -> String {
        let case = if self.case.is_empty() { String::new() } else { format!(" ({})", self.case) };
        match self.run {
            Purpose::Verify => format!("{}{case}, verifying run", self.relay),
            Purpose::Round(n) => format!("{}{case}, run {n}", self.relay),
        }
    }

    /// What went so wrong that the bench itself fails.
    pub(crate) fn failure(&self) -> Option<String> {
        let what = match &self.outcome {
            Err(e) => e.clone(),
            Ok(r) if r.corrupt > 0 => format!("{} corrupt", r.corrupt),
            Ok(r) if r.frames_per_s == 0 && r.subscribers > 0 => "nothing was delivered".into(),
            Ok(_) => return None,
        };
        Some(format!("{}: {}: {what}", self.shape, self.place()))
    }
}

/// A line of progress.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.shape, self.place())?;
        let report = match &self.outcome {
            Ok(report) => report,
            Err(e) => return write!(f, "FAILED: {e}"),
        };
        if self.run == Purpose::Verify {
            return write!(f, "{} frames/s, {} corrupt", report.frames_per_s, report.corrupt);
        }
        match (&report.server, self.kind) {
            (Some(cost), Kind::Idle) => write!(f, "{} KB/session", cost.kb_per_conn)?,
            (Some(cost), _) => write!(f, "{} µs/frame, p99 {} µs", cost.cpu_us_per_frame, report.p99_us)?,
            (None, _) => {}
        }
        if !self.unfair.is_empty() {
            write!(f, ", not fair: {}", self.unfair.join(", "))?;
        }
        Ok(())
    }
}

impl Serialize for Purpose {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Verify => to.serialize_str("verify"),
            Self::Round(n) => to.serialize_u64(*n as u64),
        }
    }
}
