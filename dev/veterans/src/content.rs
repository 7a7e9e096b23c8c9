//! What is sent: frames whose bytes follow from their place, so a viewer knows what to expect.

use bytes::Bytes;

/// The track every test broadcast has.
pub const TRACK: &str = "video";

/// The size of the frame that spans many packets and several flow control updates.
const LARGE: usize = 100_000;

/// How many frames a whole group has: small, empty, large, small.
pub const FRAMES: usize = 4;

/// Frame `index` of group `sequence`.
pub fn frame(sequence: u64, index: usize) -> Bytes {
    let label = format!("group {sequence} frame {index}");
    match index {
        1 => Bytes::new(),
        2 => label.bytes().cycle().take(LARGE).collect(),
        _ => Bytes::from(label),
    }
}
