//! What a subscriber asks of a track.

use std::time::Duration;

/// Where delivery starts (moq-lite, "where delivery starts").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// The newest group that exists, from its first frame.
    Latest,
    /// This group and everything above it.
    At(u64),
    /// The oldest group at or above `floor` that is still inside the subscriber's max age.
    Fresh {
        /// The lowest sequence wanted.
        floor: u64,
    },
}

/// The wishes of a SUBSCRIBE or SUBSCRIBE_UPDATE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preferences {
    /// Higher is sent first.
    pub priority: u8,
    /// How far a group may fall behind the newest before it may be dropped; `None` is unbounded.
    pub max_age: Option<Duration>,
    /// Where to begin.
    pub start: Start,
    /// First frame wanted inside the group that `start` names; 0 is the whole group.
    pub start_frame: u64,
    /// The last group wanted, inclusive; a pause, as an update may raise it.
    pub end: Option<u64>,
    /// The last frame wanted inside group `end`, inclusive.
    pub end_frame: Option<u64>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { priority: 128, max_age: None, start: Start::Latest, start_frame: 0, end: None, end_frame: None }
    }
}

/// Which frames of a group: from `start` up to `end` inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameRange {
    /// The first frame.
    pub start: u64,
    /// The last frame; `None` is the group's last.
    pub end: Option<u64>,
}
