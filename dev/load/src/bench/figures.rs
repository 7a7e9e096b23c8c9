//! The figures of a report that tables show and goals are about.

use crate::report::Report;

/// A figure, where the run has it.
pub(crate) type Figure = fn(&Report) -> Option<f64>;

pub(crate) const CPU_US: Figure = |r| r.server.as_ref().map(|c| c.cpu_us_per_frame);
/// The same of both ends, where the load generator does nothing but receive. It takes times, too, which costs little.
pub(crate) const ENDS_CPU_US: Figure =
    |r| Some(CPU_US(r)? + r.load_cpu_pct * 1e4 / (r.frames_per_s > 0).then_some(r.frames_per_s as f64)?);
pub(crate) const P50_MS: Figure = |r| (r.subscribers > 0).then(|| r.p50_us as f64 / 1000.0);
pub(crate) const P99_MS: Figure = |r| (r.subscribers > 0).then(|| r.p99_us as f64 / 1000.0);
pub(crate) const SESSION_KB: Figure = |r| r.server.as_ref().map(|c| c.kb_per_conn);
pub(crate) const RSS_MB: Figure = |r| r.server.as_ref().map(|c| c.rss_mb);
pub(crate) const PEAK_MB: Figure = |r| r.server.as_ref().map(|c| c.peak_mb);
pub(crate) const CONNECT_S: Figure = |r| Some(r.connect_ms as f64 / 1000.0);
pub(crate) const DELIVERED_PCT: Figure = |r| r.delivered_pct;
pub(crate) const MISSING: Figure = |r| Some(r.missing_groups as f64);
pub(crate) const STARVED: Figure = |r| Some(r.starved as f64);
pub(crate) const RESETS: Figure = |r| Some(r.resets as f64);
pub(crate) const BUSY_THREADS: Figure = |r| r.server.as_ref().map(|c| c.busy_threads as f64);
/// How much more the fullest worker has than it would if all had the same.
pub(crate) const IMBALANCE: Figure = |r| {
    let (most, sum) = (r.viewers_by_worker.iter().max()?, r.viewers_by_worker.iter().sum::<u64>());
    (sum > 0).then(|| (*most as f64 * r.viewers_by_worker.len() as f64 / sum as f64 - 1.0) * 100.0)
};
pub(crate) const LOAD_CPU_PCT: Figure = |r| Some(r.load_cpu_pct);
pub(crate) const OTHERS_CPU_PCT: Figure = |r| Some(r.others_cpu_pct);
