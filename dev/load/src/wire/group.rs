//! What is ahead of a group's and of a frame's bytes.

use bytes::{Bytes, BytesMut};

use super::{Version, encoder::Encoder};

/// GROUP, stream type included.
pub(crate) fn group_header(version: &Version, subscribe: u64, sequence: u64) -> Bytes {
    let mut body = Encoder::new(version.varint);
    body.int(subscribe).int(sequence);
    if version.frame_bounds {
        body.int(0);
    }
    body.framed(&[0x0])
}

/// The bytes ahead of a frame's payload. `delta` is the timestamp's distance from the previous frame's, in ms.
pub(crate) fn frame_header(version: &Version, delta: u64, size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    if version.timestamps {
        version.varint.put(&mut out, delta << 1); // zigzag
    }
    version.varint.put(&mut out, size as u64);
    out.freeze()
}
