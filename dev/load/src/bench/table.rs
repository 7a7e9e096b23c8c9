//! A shape's figures as a Markdown table.

use super::{
    entrant::{self, Entrant},
    figures::{
        BUSY_THREADS, CONNECT_S, CPU_US, DELIVERED_PCT, ENDS_CPU_US, Figure, IMBALANCE, LOAD_CPU_PCT, MISSING,
        OTHERS_CPU_PCT, P50_MS, P99_MS, PEAK_MB, RESETS, RSS_MB, SESSION_KB, STARVED,
    },
    sample::Sample,
    series::{self, Series},
    shape::{Kind, Shape},
};

/// One entrant in one case, and what it may be compared with.
struct Row<'a> {
    name: &'a str,
    case: &'a str,
    mine: Series<'a>,
    floor: Option<Series<'a>>,
    reference: Option<Series<'a>>,
    /// The same relay through the same door in the version that costs the least CPU.
    cheapest: Option<Series<'a>>,
    /// The same relay in the same version over raw QUIC.
    quic: Option<Series<'a>>,
    /// The same entrant in the case that this is compared with.
    beside: Option<Series<'a>>,
}

impl Row<'_> {
    /// What it has more than the case beside it.
    fn added(&self, figure: Figure) -> Option<f64> {
        self.mine.paired(self.beside.as_ref()?, figure, |mine, theirs| mine - theirs)
    }

    /// The CPU that it has more than the case beside it, as a multiple of the floor's.
    fn added_to_floor(&self, floor: Figure) -> Option<f64> {
        Some(self.added(CPU_US)? / self.floor.as_ref()?.median(floor)?)
    }
}

type Column = (&'static str, fn(&Row<'_>) -> String);

const FRAMES: &[Column] = &[
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("× floor", |r| ratio(r, &r.floor, CPU_US)),
    ("× 0.17.10", |r| ratio(r, &r.reference, CPU_US)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
    ("p99 × 0.17.10", |r| ratio(r, &r.reference, P99_MS)),
];

const DIALECTS: &[Column] = &[
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("× cheapest", |r| ratio(r, &r.cheapest, CPU_US)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
];

const DOORS: &[Column] = &[
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("× raw QUIC", |r| ratio(r, &r.quic, CPU_US)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
];

const IDLE: &[Column] = &[
    ("KB/session", |r| number(r.mine.median(SESSION_KB), 1)),
    ("× floor", |r| ratio(r, &r.floor, SESSION_KB)),
    ("× 0.17.10", |r| ratio(r, &r.reference, SESSION_KB)),
    ("connect s", |r| number(r.mine.median(CONNECT_S), 1)),
];

const HOP: &[Column] = &[
    ("case", |r| r.case.into()),
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("link µs/frame", |r| number(r.added(CPU_US), 1)),
    ("link × floor", |r| number(r.added_to_floor(CPU_US), 2)),
    ("link × both ends of the floor", |r| number(r.added_to_floor(ENDS_CPU_US), 2)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
    ("p99 added", |r| number(r.added(P99_MS), 2)),
];

const STALLING: &[Column] = &[
    ("case", |r| r.case.into()),
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
    ("p99 added", |r| number(r.added(P99_MS), 2)),
];

const CROWD: &[Column] = &[
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("× floor", |r| ratio(r, &r.floor, CPU_US)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 1)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 1)),
    ("KB/session", |r| number(r.mine.median(SESSION_KB), 1)),
    ("KB × floor", |r| ratio(r, &r.floor, SESSION_KB)),
    ("connect s", |r| number(r.mine.median(CONNECT_S), 1)),
];

const SCALE: &[Column] = &[
    ("case", |r| r.case.into()),
    ("CPU µs/frame", |r| number(r.mine.median(CPU_US), 1)),
    ("× the case above", |r| ratio(r, &r.beside, CPU_US)),
    ("busy threads", |r| number(r.mine.median(BUSY_THREADS), 0)),
    ("fullest worker above average %", |r| number(r.mine.worst(IMBALANCE), 0)),
    ("p50 ms", |r| number(r.mine.median(P50_MS), 2)),
    ("p99 ms", |r| number(r.mine.median(P99_MS), 2)),
];

/// The columns that every table ends with; the last counts fair runs.
const COMMON: &[Column] = &[
    ("delivered %", |r| number(r.mine.median(DELIVERED_PCT), 1)),
    ("missing groups", |r| number(r.mine.worst(MISSING), 0)),
    ("starved", |r| number(r.mine.worst(STARVED), 0)),
    ("resets", |r| number(r.mine.worst(RESETS), 0)),
    ("corrupt", |r| r.mine.corrupt.to_string()),
    ("load CPU %", |r| number(r.mine.worst(LOAD_CPU_PCT), 0)),
    ("others' CPU %", |r| number(r.mine.worst(OTHERS_CPU_PCT), 0)),
    ("RSS MB (peak)", |r| format!("{} ({})", number(r.mine.median(RSS_MB), 0), number(r.mine.worst(PEAK_MB), 0))),
    ("fair runs", |r| format!("{}/{}{}", r.mine.fair, r.mine.runs, if r.mine.fair == 0 { " †" } else { "" })),
];

pub(crate) fn render(shape: &Shape, entrants: &[Entrant], samples: &[Sample]) -> String {
    let special = match shape.kind {
        Kind::Frames => FRAMES,
        Kind::Dialects => DIALECTS,
        Kind::Doors => DOORS,
        Kind::Idle => IDLE,
        Kind::Stalled => STALLING,
        Kind::Hop => HOP,
        Kind::Crowd => CROWD,
        Kind::Scale => SCALE,
    };
    let columns: Vec<&Column> = special.iter().chain(COMMON).collect();
    let rows = rows(shape, entrants, samples);

    let mut out = format!("## {}: {}\n\n", shape.name, shape.about);
    out += &line("relay", columns.iter().map(|(name, _)| name.to_string()));
    out += &line("---", columns.iter().map(|_| "---".into()));
    for row in &rows {
        out += &line(row.name, columns.iter().map(|(_, cell)| cell(row)));
    }
    if rows.iter().any(|r| r.mine.fair == 0) {
        out += "\n† no run was fair: figures of all runs, for orientation only.\n";
    }
    for (i, sample) in samples.iter().filter(|s| !s.unfair.is_empty()).enumerate() {
        let gap = if i == 0 { "\n" } else { "" };
        out += &format!("{gap}- not fair: {}: {}\n", sample.place(), sample.unfair.join(", "));
    }
    out
}

fn rows<'a>(shape: &'a Shape, entrants: &'a [Entrant], samples: &'a [Sample]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (i, entrant) in entrants.iter().enumerate() {
        for case in shape.cases {
            let of = |i| Series::new(samples, i, case.name);
            // Bare quinn has no nodes to link.
            let floor_case = if shape.kind == Kind::Hop { shape.cases[0].name } else { case.name };
            rows.push(Row {
                name: &entrant.name,
                case: case.name,
                mine: of(i),
                floor: entrant::floor(entrants).map(|i| Series::new(samples, i, floor_case)),
                reference: entrant::reference(entrants, entrant).map(of),
                cheapest: series::cheapest(entrant::dialects(entrants, entrant).into_iter().map(of)),
                quic: entrant::over_quic(entrants, entrant).map(of),
                beside: case.beside.map(|other| Series::new(samples, i, other)),
            });
        }
    }
    rows.retain(|r| !r.mine.is_empty());
    rows
}

fn line(first: &str, cells: impl Iterator<Item = String>) -> String {
    cells.fold(format!("| {first} |"), |line, cell| line + &format!(" {cell} |")) + "\n"
}

fn ratio(row: &Row<'_>, other: &Option<Series<'_>>, figure: Figure) -> String {
    number(other.as_ref().and_then(|other| row.mine.paired(other, figure, |mine, theirs| mine / theirs)), 2)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |v| format!("{v:.digits$}"))
}
