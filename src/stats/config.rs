//! What can be set about counting.

use std::time::Duration;

/// What is counted and published as broadcasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Whether anything is.
    pub enabled: bool,
    /// Where, among the names of broadcasts.
    pub prefix: String,
    /// How this node is called there.
    pub node: Option<String>,
    /// How often. Halved, graphs are finer and cost twice as much; doubled, short peaks are missed.
    pub interval: Duration,
    /// How many segments of a broadcast's name are told apart.
    pub depth: u64,
    /// How long names that are gone are still told apart.
    pub linger: Duration,
    /// What sessions with a client certificate are counted under.
    pub certificate_tier: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            prefix: ".stats".into(),
            node: None,
            interval: Duration::from_secs(1),
            depth: 0,
            linger: Duration::from_secs(300),
            certificate_tier: String::new(),
        }
    }
}
