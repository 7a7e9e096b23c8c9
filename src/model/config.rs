//! What can be set about the cache.

use std::time::Duration;

/// How much is kept for viewers who come late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Bytes of media kept in all, over every track.
    pub capacity: u64,
    /// How long a group that is not the newest of its track is kept at most.
    pub duration: Duration,
    /// How many groups a track keeps at most.
    pub groups: Option<u64>,
    /// Memory to leave free for everybody else on this machine, in bytes.
    pub headroom: Option<u64>,
}

impl Config {
    /// Holds 30 s of some two thousand 1 MB/s broadcasts. Half of it: a busy node evicts groups that late viewers and
    /// fetches still want. Double: on a large machine the cache takes memory that kernel buffers serve better with.
    pub const DEFAULT_CAPACITY: u64 = 8 << 30;

    /// Outlives any usual group and a viewer's reconnect. Half: a viewer who rejoins or a standby that takes over
    /// finds gaps where groups are long. Double: twice the memory per track for groups hardly anybody asks for.
    pub const DEFAULT_DURATION: Duration = Duration::from_secs(30);
}

impl Default for Config {
    fn default() -> Self {
        Self { capacity: Self::DEFAULT_CAPACITY, duration: Self::DEFAULT_DURATION, groups: None, headroom: None }
    }
}
