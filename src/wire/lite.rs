//! moq-lite: one file per message, holding the value, its bytes in every version and what they mean; the versions
//! themselves are in `versions`.

pub mod announce;
pub mod datagram;
pub mod fetch;
pub mod goaway;
pub mod group;
pub mod probe;
pub mod setup;
pub mod subscribe;
pub mod track;
pub mod versions;

#[cfg(test)]
mod samples;

/// The longest track name the relay takes, in bytes.
pub const MAX_TRACK_NAME: usize = 256;

/// Stream types: the first varint of every stream, always a single byte.
pub mod stream {
    /// Bidirectional: announcements under a prefix.
    pub const ANNOUNCE: u64 = 0x1;
    /// Bidirectional: one subscription.
    pub const SUBSCRIBE: u64 = 0x2;
    /// Bidirectional: one group on request.
    pub const FETCH: u64 = 0x3;
    /// Bidirectional: estimates of the path's bitrate.
    pub const PROBE: u64 = 0x4;
    /// Bidirectional: move elsewhere.
    pub const GOAWAY: u64 = 0x5;
    /// Bidirectional: the constants of a track.
    pub const TRACK: u64 = 0x6;
    /// Unidirectional: one group of a subscription.
    pub const GROUP: u64 = 0x0;
    /// Unidirectional: SETUP.
    pub const SETUP: u64 = 0x1;
}

/// Session codes: why a session is closed. A registry of its own, apart from the stream codes in [`crate::types::code`].
pub mod close {
    /// Nothing went wrong.
    pub const NONE: u32 = 0x0;
    /// Something failed on the sender's side.
    pub const INTERNAL: u32 = 0x1;
    /// The credentials do not admit this session.
    pub const UNAUTHORIZED: u32 = 0x2;
    /// The peer broke a rule or sent what cannot be decoded.
    pub const PROTOCOL_VIOLATION: u32 = 0x3;
    /// SETUP has too many parameters.
    pub const KEY_VALUE_FORMATTING: u32 = 0x6;
    /// The peer stayed past the deadline of a GOAWAY.
    pub const GOAWAY_TIMEOUT: u32 = 0x10;
    /// The peer kept a control message waiting for too long.
    pub const CONTROL_TIMEOUT: u32 = 0x11;
    /// No version in common.
    pub const VERSION_NEGOTIATION_FAILED: u32 = 0x15;
}
