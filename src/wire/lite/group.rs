//! Groups and frames on a unidirectional stream ("GROUP and FRAME"). The one hot path of the wire: inlined, straight
//! into the caller's buffer.

use bytes::BufMut;

use crate::wire::{
    DecodeError, Decoder,
    integer::{self, Form},
};

/// The most bytes [`Framing::encode_group`] writes. A body is one byte less at most, unless the peer writes long
/// integers.
pub const MAX_GROUP_HEADER: usize = 1 + 3 * Form::MOST;

/// The most bytes a frame takes before its payload.
pub const MAX_FRAME_HEADER: usize = 2 * Form::MOST;

/// GROUP: what a group stream carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The subscription.
    pub subscribe: u64,
    /// The group.
    pub sequence: u64,
    /// Index in the group of the first frame on this stream.
    pub frame_start: u64,
}

/// FRAME: what precedes a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Timestamp less that of the frame before on this stream, in units of the track's timescale; the first is
    /// absolute. 0 where frames carry none.
    pub delta: i64,
    /// Bytes of payload that follow.
    pub size: u64,
}

/// How a dialect writes groups and frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Frames carry timestamps.
    pub timestamps: bool,
    /// Groups may start at a later frame than their first.
    pub frame_start: bool,
    /// How integers are written, here and in every message of the dialect.
    pub integers: Form,
}

impl Framing {
    /// moq-lite-01 to 04: sizes and payloads.
    pub const LITE_01: Self = Self { timestamps: false, frame_start: false, integers: Form::Quic };
    /// moq-lite-05: with timestamps.
    pub const LITE_05: Self = Self { timestamps: true, ..Self::LITE_01 };
    /// moq-lite-06: with timestamps and frame starts.
    pub const LITE_06: Self = Self { frame_start: true, ..Self::LITE_05 };
    /// moq-lite-07: the same in leading ones.
    pub const LITE_07: Self = Self { integers: Form::LeadingOnes, ..Self::LITE_06 };
    /// The form the relay keeps frames in, which is the richest.
    pub const STORED: Self = Self::LITE_06;

    /// Whether frames look as they are stored, so that whole chunks can be passed on.
    pub const fn frames_as_stored(&self) -> bool {
        self.timestamps && matches!(self.integers, Form::Quic)
    }

    /// Writes length and body of GROUP, at most [`MAX_GROUP_HEADER`] bytes, after the stream type.
    #[inline]
    pub fn encode_group(&self, header: &Header, out: &mut impl BufMut) {
        let integers = self.integers;
        let mut len = integers.len(header.subscribe) + integers.len(header.sequence);
        if self.frame_start {
            len += integers.len(header.frame_start);
        }
        integers.put(out, len as u64);
        integers.put(out, header.subscribe);
        integers.put(out, header.sequence);
        if self.frame_start {
            integers.put(out, header.frame_start);
        }
    }

    /// Reads the body of GROUP, without its length.
    #[inline]
    pub fn decode_group(&self, body: &[u8]) -> Result<Header, DecodeError> {
        let mut input = Decoder::new(body, self.integers);
        let subscribe = input.at("subscribe id").varint()?;
        let sequence = input.at("group").varint()?;
        let frame_start = if self.frame_start { input.at("frame start").varint()? } else { 0 };
        input.finish()?;
        Ok(Header { subscribe, sequence, frame_start })
    }

    /// Writes what precedes a frame's payload, at most [`MAX_FRAME_HEADER`] bytes. Deltas go from -2^61 to 2^61-1.
    #[inline]
    pub fn encode_frame(&self, header: FrameHeader, out: &mut impl BufMut) {
        if self.timestamps {
            self.integers.put(out, integer::zigzag(header.delta));
        }
        self.integers.put(out, header.size);
    }

    /// Reads what precedes a frame's payload and how many bytes that took; `None` when `buf` ends before.
    #[inline]
    pub fn decode_frame(&self, buf: &[u8]) -> Result<Option<(FrameHeader, usize)>, DecodeError> {
        let (delta, skip) = match (self.timestamps, self.integers.get(buf)) {
            (false, _) => (0, 0),
            (true, Some((delta, skip))) => (delta, skip),
            (true, None) => return Ok(None),
        };
        let size = buf.get(skip..).and_then(|buf| self.integers.get(buf));
        let Some((size, len)) = size else { return Ok(None) };
        // Leading ones can say more than the protocol allows.
        match delta.max(size) {
            0..=integer::MAX => Ok(Some((FrameHeader { delta: integer::unzigzag(delta), size }, skip + len))),
            value => Err(DecodeError::Invalid { field: "frame header", value }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::noise;

    const ALL: [Framing; 4] = [Framing::LITE_01, Framing::LITE_05, Framing::LITE_06, Framing::LITE_07];

    #[test]
    fn headers_fit_their_bounds() {
        let header = Header { subscribe: u64::MAX, sequence: u64::MAX, frame_start: u64::MAX };
        let (mut group, mut frame) = (Vec::new(), Vec::new());
        Framing::LITE_07.encode_group(&header, &mut group);
        Framing::LITE_07.encode_frame(FrameHeader { delta: i64::MIN, size: u64::MAX }, &mut frame);
        assert_eq!((group.len(), frame.len()), (MAX_GROUP_HEADER, MAX_FRAME_HEADER));
        assert!(Framing::LITE_07.decode_group(&group[1..]).is_ok());
    }

    proptest! {
        #[test]
        fn groups_are_stable(body in noise()) {
            for framing in ALL {
                let Ok(header) = framing.decode_group(&body) else { continue };
                let mut out = Vec::new();
                framing.encode_group(&header, &mut out);
                prop_assert_eq!(usize::from(out[0]), out.len() - 1);
                prop_assert_eq!(framing.decode_group(&out[1..]), Ok(header));
            }
        }

        #[test]
        fn frames_are_stable(bytes in noise()) {
            for framing in ALL {
                let Ok(Some((header, used))) = framing.decode_frame(&bytes) else { continue };
                prop_assert!(used <= MAX_FRAME_HEADER && used <= bytes.len());
                let mut out = Vec::new();
                framing.encode_frame(header, &mut out);
                prop_assert_eq!(framing.decode_frame(&out), Ok(Some((header, out.len()))));
            }
        }

        #[test]
        fn frames_may_arrive_byte_by_byte(bytes in noise()) {
            for framing in ALL {
                let at_once = framing.decode_frame(&bytes);
                let mut steps = (0..=bytes.len()).map(|len| framing.decode_frame(&bytes[..len]));
                let first = steps.find(|header| *header != Ok(None)).unwrap_or(Ok(None));
                prop_assert_eq!(first, at_once);
            }
        }

        #[test]
        fn deltas_round_trip(delta in -(1i64 << 61)..1 << 61, size in 0..=integer::MAX) {
            for framing in [Framing::STORED, Framing::LITE_07] {
                let mut out = Vec::new();
                framing.encode_frame(FrameHeader { delta, size }, &mut out);
                prop_assert_eq!(framing.decode_frame(&out), Ok(Some((FrameHeader { delta, size }, out.len()))));
            }
        }
    }
}
