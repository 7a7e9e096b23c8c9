//! Whether a run counts.

use super::shape::{Case, Kind, Shape};
use crate::report::Report;

/// At least this much of what was due must have been delivered.
const DELIVERED_PCT: f64 = 99.5;
/// Beyond this the load generator, not the relay, is being measured.
pub(super) const LOAD_CPU_PCT: f64 = 85.0;

/// Why a run is not fair; empty when it is.
pub(crate) fn objections(shape: &Shape, case: &Case, report: &Report) -> Vec<String> {
    let mut reasons = Vec::new();
    // The one viewer beside idle sessions is due too few frames for a percentage.
    if let Some(delivered) = report.delivered_pct.filter(|d| *d < DELIVERED_PCT && shape.kind != Kind::Idle) {
        reasons.push(format!("delivered {delivered} %"));
    }
    for (count, what) in [(report.starved, "starved"), (report.resets, "resets"), (report.corrupt, "corrupt")] {
        if count > 0 {
            reasons.push(format!("{count} {what}"));
        }
    }
    let cores = shape.load_cores.split(',').count() as f64;
    if report.load_cpu_pct > cores * LOAD_CPU_PCT {
        reasons.push(format!("load generator at {} % CPU", report.load_cpu_pct));
    }
    let busy = report.server.as_ref().map_or(0, |cost| cost.busy_threads);
    if busy < case.busy_threads {
        reasons.push(format!("{busy} of {} threads do the work", case.busy_threads));
    }
    // Who shares a core has to leave the other room there.
    let both = report.load_cpu_pct + report.server.as_ref().map_or(0.0, |cost| cost.cpu_pct);
    if shape.shares_cores() && both > 2.0 * LOAD_CPU_PCT {
        reasons.push(format!("server and load generator at {both:.0} % CPU on two cores"));
    }
    reasons
}
