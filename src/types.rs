//! Nouns that the wire and the model share: plain values with only order and parsing.

mod address;
mod certificate;
mod hops;
mod path;
mod preferences;
mod scope;
mod track;

pub use address::{Address, AddressError};
pub use certificate::Certificate;
pub use hops::{HopId, Hops, TooManyHops};
pub use path::{Path, PathError};
pub use preferences::{FrameRange, Preferences, Start};
pub use scope::Scope;
pub use track::{Cost, TrackInfo};

/// Stream codes: why a stream was reset or stopped (moq-lite, stream registry).
pub mod code {
    /// Something failed on the sender's side; also JavaScript's only code.
    pub const INTERNAL: u32 = 0x0;
    /// The reader went away.
    pub const CANCELLED: u32 = 0x1;
    /// The session that carried the source has died.
    pub const SESSION_CLOSED: u32 = 0x3;
    /// The sender is shutting down.
    pub const GOING_AWAY: u32 = 0x4;
    /// A frame or message of the track could not be decoded.
    pub const MALFORMED: u32 = 0x12;
    /// No answer within the deadline.
    pub const TIMEOUT: u32 = 0x31;
    /// A group is larger than the relay carries.
    pub const GROUP_TOO_LARGE: u32 = 0x32;
    /// No such broadcast, track or group.
    pub const NOT_FOUND: u32 = 0x33;
    /// Superseded or expired.
    pub const OLD: u32 = 0x34;
    /// Dropped from the cache for lack of memory.
    pub const EVICTED: u32 = 0x35;
    /// Every source would lead back to the asking peer.
    pub const UNROUTABLE: u32 = 0x36;
    /// A frame is larger than the relay carries.
    pub const FRAME_TOO_LARGE: u32 = 0x38;
}
