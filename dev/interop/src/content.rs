//! What is sent: frames whose bytes follow from their place, so a viewer knows what to expect.

use bytes::Bytes;
use moq_net::Timestamp;

/// The track every test broadcast has.
pub const TRACK: &str = "video";

/// The size of the frame that spans many packets and several flow control updates.
const LARGE: usize = 100_000;

/// How many frames [`group`] returns.
pub const FRAMES: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub timestamp: Timestamp,
    pub payload: Bytes,
}

/// The frames of one group: small, empty, large, one older than its predecessor, small.
pub fn group(sequence: u64) -> Vec<Frame> {
    (0..FRAMES).map(|index| frame(sequence, index)).collect()
}

/// Frame `index` of group `sequence`.
pub fn frame(sequence: u64, index: usize) -> Frame {
    let label = format!("group {sequence} frame {index}");
    let (offset, payload) = match index % FRAMES {
        1 => (5, Bytes::new()),
        2 => (20, large(&label)),
        // Video with B-frames: presentation time runs backwards.
        3 => (10, Bytes::from(label)),
        step => (step as u64 * 10, Bytes::from(label)),
    };
    Frame { timestamp: timestamp(sequence, offset), payload }
}

/// The payload of the datagram that is group `sequence`.
pub fn datagram(sequence: u64) -> Frame {
    Frame { timestamp: timestamp(sequence, 0), payload: Bytes::from(format!("datagram {sequence}")) }
}

fn timestamp(sequence: u64, offset: u64) -> Timestamp {
    let millis = 1_000 + sequence * 50 + offset;
    Timestamp::from_scale(millis, 1_000).expect("a few seconds fit any timestamp")
}

fn large(label: &str) -> Bytes {
    let mut text = label.repeat(LARGE.div_ceil(label.len()));
    text.truncate(LARGE);
    text.into()
}
