//! What a frame holds: 8 bytes of time, 8 of sequence, then a filler byte that tells broadcasts apart.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use nix::time::{ClockId, clock_gettime};

/// The smallest payload: time and sequence.
pub(crate) const MIN: usize = 16;

pub(crate) fn put(out: &mut BytesMut, size: usize, seq: u64, filler: u8) {
    let start = out.len();
    out.put_u64(now_ns());
    out.put_u64(seq);
    out.resize(start + size.max(MIN), filler);
}

/// The filler of the `index`-th broadcast.
pub(crate) fn filler(index: usize) -> u8 {
    0xab ^ index as u8
}

/// Nanoseconds on the clock that all processes of this machine share.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    Duration::from(now).as_nanos() as u64
}
