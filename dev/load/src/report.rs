//! What one run found, as one line of JSON.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Report {
    pub(crate) label: String,
    pub(crate) subscribers: usize,
    /// Of the frames that were due; None when nobody subscribed.
    pub(crate) delivered_pct: Option<f64>,
    pub(crate) frames_per_s: u64,
    pub(crate) mbps: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    pub(crate) worst_subscriber_p99_us: u64,
    pub(crate) starved: u64,
    pub(crate) resets: u64,
    pub(crate) missing_groups: u64,
    pub(crate) corrupt: u64,
    pub(crate) connect_ms: u64,
    /// Connections of those who do not publish, by the worker that their first packets were sent to.
    pub(crate) viewers_by_worker: Vec<u64>,
    pub(crate) load_cpu_pct: f64,
    /// What other programs used of the cores that server and load generator run on, in percent of one core.
    pub(crate) others_cpu_pct: f64,
    #[serde(flatten)]
    pub(crate) server: Option<Cost>,
}

/// What the load cost the server process.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Cost {
    pub(crate) cpu_pct: f64,
    pub(crate) cpu_us_per_frame: f64,
    pub(crate) cpu_s_per_gb: f64,
    pub(crate) ctx_per_frame: f64,
    pub(crate) rss_mb: f64,
    pub(crate) peak_mb: f64,
    /// Growth since before the first viewer, per connection.
    pub(crate) kb_per_conn: f64,
    pub(crate) threads: u64,
    /// Those that used a tenth of the CPU or more.
    pub(crate) busy_threads: u64,
}

/// Rounds to `digits` after the point, so that lines stay readable.
pub(crate) fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
