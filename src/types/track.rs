//! Constants of a track and the price of a route.

use std::time::Duration;

/// What a publisher says of a track once and for all (TRACK_INFO).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackInfo {
    /// Higher is more important.
    pub priority: u8,
    /// How long the publisher keeps a group that is not the newest.
    pub max_age: Duration,
    /// Timestamp units per second; never 0.
    pub timescale: u64,
}

impl TrackInfo {
    /// Assumed of publishers whose dialect has no TRACK_INFO: millisecond stamps, five seconds.
    pub const ASSUMED: Self = Self { priority: 127, max_age: Duration::from_millis(5000), timescale: 1000 };
}

/// What one more subscription over a route costs, accumulated over its links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cost {
    /// Now, with what is already carried.
    pub warm: u64,
    /// With nothing cached.
    pub cold: u64,
}

impl Cost {
    /// The largest number the wire carries.
    pub const MAX: u64 = (1 << 62) - 1;
    /// A publisher's own broadcast.
    pub const FREE: Self = Self { warm: 0, cold: 0 };
    /// Of a session that is about to end.
    pub const LAST_RESORT: Self = Self { warm: Self::MAX, cold: Self::MAX };
    /// Of a peer whose dialect carries no cost.
    pub const UNKNOWN: Self = Self { warm: 0, cold: Self::MAX };

    /// This route behind one more link of the given price; saturates.
    pub fn behind(self, link: u64) -> Self {
        Self {
            warm: self.warm.saturating_add(link).min(Self::MAX),
            cold: self.cold.saturating_add(link).min(Self::MAX),
        }
    }
}
