//! What our relay must reach, and whether it does.

use super::{
    entrant::{self, Entrant},
    figures::{CPU_US, ENDS_CPU_US, Figure, MISSING, P99_MS, PEAK_MB, RESETS, SESSION_KB, STARVED},
    sample::Sample,
    series::{self, Series},
    shape::{Case, Kind, Shape},
};
use crate::door::Door;

/// CPU per delivered frame, as a multiple of the floor's.
const CPU_TO_FLOOR: [(&str, f64); 3] = [("video", 1.15), ("chat", 1.4), ("hd", 1.15)];
/// CPU per delivered frame, as a multiple of 0.17.10's.
const CPU_TO_REFERENCE: [(&str, f64); 1] = [("conference", 0.4)];
/// p99 of every shape that delivers frames, as a multiple of 0.17.10's.
const P99_TO_REFERENCE: f64 = 0.5;
/// CPU over WebTransport, as a multiple of raw QUIC's.
const WEBTRANSPORT_TO_QUIC: f64 = 1.1;
/// CPU of each dialect, as a multiple of the cheapest one's.
const DIALECT_TO_CHEAPEST: f64 = 1.15;
/// Memory of an idle session.
const IDLE_KB: f64 = 40.0;
/// What stalled viewers may add to the others' p99.
const STALLED_P99_MS: f64 = 1.0;
/// The process's peak memory beside stalled viewers.
const STALLED_MB: f64 = 150.0;

/// How late frames may be in a crowd.
const CROWD_P99_MS: f64 = 150.0;
/// Memory of a session of it.
const CROWD_KB: f64 = 64.0;

/// CPU of two workers, as a multiple of one's.
const TWO_WORKERS: f64 = 1.15;
/// CPU of frames that cross from one worker to another, as a multiple of those that don't.
const ACROSS: f64 = 1.2;
/// The goals of the shape scale, by case.
const SCALE: [(&str, f64); 4] = [
    ("video, 2 workers", TWO_WORKERS),
    ("video, from one to the other", ACROSS),
    ("chat, 2 workers", TWO_WORKERS),
    ("chat, from one to the other", ACROSS),
];

/// What a link may cost per frame that crosses it, as a multiple of the floor.
const LINK_TO_FLOOR: f64 = 1.3;
/// What a link may add to p99.
const LINK_P99_MS: f64 = 1.0;

/// A line per goal and relay of ours.
pub(crate) fn judge(shape: &Shape, entrants: &[Entrant], samples: &[Sample]) -> Vec<String> {
    let of = |i: usize| Series::new(samples, i, shape.cases[0].name);
    let mut lines = Vec::new();
    for (i, entrant) in entrants.iter().enumerate().filter(|(_, e)| e.is_ours()) {
        let judged = Judged { shape, entrant, mine: of(i) };
        if entrant.main {
            lines.extend(match (shape.kind, shape.cases) {
                (Kind::Frames, _) => {
                    judged.frames(entrant::floor(entrants).map(of), entrant::reference(entrants, entrant).map(of))
                }
                (Kind::Idle, _) => {
                    vec![judged.line(judged.mine.median(SESSION_KB), "idle session", IDLE_KB, "KB", None)]
                }
                (Kind::Stalled, [_, stalled, ..]) => judged.stalled(&Series::new(samples, i, stalled.name)),
                (Kind::Hop, [_, linked, ..]) => {
                    judged.hop(&Series::new(samples, i, linked.name), entrant::floor(entrants).map(of))
                }
                (Kind::Crowd, _) => judged.crowd(),
                (Kind::Scale, cases) => scale(shape, entrant, cases, |case| Series::new(samples, i, case)),
                (Kind::Stalled | Kind::Dialects | Kind::Doors | Kind::Hop, _) => Vec::new(),
            });
        }
        if let (Kind::Frames | Kind::Doors, Door::WebTransport, Some(quic)) =
            (shape.kind, entrant.door, entrant::over_quic(entrants, entrant))
        {
            lines.push(judged.ratio("CPU", "raw QUIC", WEBTRANSPORT_TO_QUIC, Some(&of(quic)), CPU_US));
        }
        if shape.kind == Kind::Dialects {
            let cheapest = series::cheapest(entrant::dialects(entrants, entrant).into_iter().map(of));
            lines.push(judged.ratio("CPU", "the cheapest dialect", DIALECT_TO_CHEAPEST, cheapest.as_ref(), CPU_US));
        }
    }
    lines
}

/// Each case that is compared with another. None of them says anything unless the relay shares work out when it should.
fn scale<'a>(
    shape: &'a Shape,
    entrant: &'a Entrant,
    cases: &[Case],
    series: impl Fn(&str) -> Series<'a>,
) -> Vec<String> {
    let shares = cases.iter().filter(|case| case.busy_threads > 1).all(|case| series(case.name).fair > 0);
    let compared = cases.iter().filter_map(|case| {
        let limit = SCALE.iter().find(|(name, _)| *name == case.name)?.1;
        let (mine, other) = (series(case.name), series(case.beside?));
        let ratio = mine.paired(&other, CPU_US, |mine, theirs| mine / theirs);
        let what = format!("CPU, {}", case.name);
        if !shares {
            return Some(format!(
                "not fair: {} {}: {what}: two workers were not seen to work",
                entrant.name, shape.name
            ));
        }
        Some(Judged { shape, entrant, mine }.line(ratio, &what, limit, &format!("× {}", case.beside?), Some(&other)))
    });
    compared.collect()
}

struct Judged<'a> {
    shape: &'a Shape,
    entrant: &'a Entrant,
    mine: Series<'a>,
}

impl Judged<'_> {
    fn frames(&self, floor: Option<Series<'_>>, reference: Option<Series<'_>>) -> Vec<String> {
        let limit = |goals: &[(&str, f64)]| goals.iter().find(|(name, _)| *name == self.shape.name).map(|g| g.1);
        let mut lines = Vec::new();
        if let Some(limit) = limit(&CPU_TO_FLOOR) {
            lines.push(self.ratio("CPU", "floor", limit, floor.as_ref(), CPU_US));
        }
        if let Some(limit) = limit(&CPU_TO_REFERENCE) {
            lines.push(self.ratio("CPU", "0.17.10", limit, reference.as_ref(), CPU_US));
        }
        lines.push(self.ratio("p99", "0.17.10", P99_TO_REFERENCE, reference.as_ref(), P99_MS));
        lines
    }

    fn stalled(&self, stalled: &Series<'_>) -> Vec<String> {
        let added = stalled.paired(&self.mine, P99_MS, |with, without| with - without);
        let lost = stalled.worst(|r| Some(MISSING(r)? + RESETS(r)?));
        vec![
            self.line(added, "p99 added to the others", STALLED_P99_MS, "ms", Some(stalled)),
            self.line(lost, "missed by the others", 0.0, "groups", Some(stalled)),
            self.line(stalled.worst(PEAK_MB), "peak memory", STALLED_MB, "MB", Some(stalled)),
        ]
    }

    fn crowd(&self) -> Vec<String> {
        let lost = self.mine.worst(|r| Some(MISSING(r)? + RESETS(r)? + STARVED(r)?));
        vec![
            self.line(lost, "missed by viewers", 0.0, "groups", None),
            self.line(self.mine.median(P99_MS), "p99", CROWD_P99_MS, "ms", None),
            self.line(self.mine.median(SESSION_KB), "watching session", CROWD_KB, "KB", None),
        ]
    }

    fn hop(&self, linked: &Series<'_>, floor: Option<Series<'_>>) -> Vec<String> {
        let added = |figure| linked.paired(&self.mine, figure, |with, without| with - without);
        let to_floor = |figure: Figure| Some(added(CPU_US)? / floor.as_ref()?.median(figure)?);
        vec![
            self.line(to_floor(CPU_US), "CPU of the link", LINK_TO_FLOOR, "× floor, which only sends", Some(linked)),
            self.line(
                to_floor(ENDS_CPU_US),
                "CPU of the link",
                LINK_TO_FLOOR,
                "× both ends of the floor",
                Some(linked),
            ),
            self.line(added(P99_MS), "p99 added by the link", LINK_P99_MS, "ms", Some(linked)),
        ]
    }

    fn ratio(&self, what: &str, unit: &str, limit: f64, other: Option<&Series<'_>>, figure: Figure) -> String {
        let value = other.and_then(|o| self.mine.paired(o, figure, |mine, theirs| mine / theirs));
        self.line(value, what, limit, &format!("× {unit}"), other)
    }

    /// `other` took part in the figure, so its runs had to be fair too.
    fn line(&self, value: Option<f64>, what: &str, limit: f64, unit: &str, other: Option<&Series<'_>>) -> String {
        let goal = format!("{} {}: {what}", self.entrant.name, self.shape.name);
        let Some(value) = value else { return format!("not measured: {goal} ≤ {limit} {unit}") };
        let fair = other.map_or(self.mine.fair, |o| o.fair.min(self.mine.fair));
        let verdict = match (fair, value <= limit) {
            (0, _) => "not fair",
            (_, true) => "met",
            (_, false) => "missed",
        };
        let runs =
            if fair < self.mine.runs { format!(", {fair} of {} runs fair", self.mine.runs) } else { String::new() };
        format!("{verdict}: {goal} {value:.2} {unit} (goal ≤ {limit}{runs})")
    }
}
