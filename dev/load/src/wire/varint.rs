//! Variable-length integers: QUIC's (RFC 9000 §16) up to moq-lite-06, leading ones after it.

use bytes::{Buf, BufMut};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Varint {
    /// The first two bits tell the length: 1, 2, 4 or 8 bytes.
    Quic,
    /// As many one bits as there are further bytes, then a zero bit unless there are eight.
    LeadingOnes,
}

impl Varint {
    pub(crate) fn put(self, out: &mut impl BufMut, v: u64) {
        match (self, v) {
            (_, 0..=0x3f) | (Self::LeadingOnes, 0x40..=0x7f) => out.put_u8(v as u8),
            (Self::Quic, 0x40..=0x3fff) => out.put_u16(v as u16 | 0x4000),
            (Self::Quic, 0x4000..=0x3fff_ffff) => out.put_u32(v as u32 | 0x8000_0000),
            (Self::Quic, _) => out.put_u64(v | 0xc000_0000_0000_0000),
            (Self::LeadingOnes, _) => {
                let more = match (64 - v.leading_zeros() as usize).div_ceil(7) - 1 {
                    6 => 7, // the form of seven bytes is never written
                    more => more.min(8),
                };
                let mut bytes = (v as u128).to_be_bytes();
                let start = bytes.len() - 1 - more;
                bytes[start] |= !(0xff_u16 >> more) as u8;
                out.put_slice(&bytes[start..]);
            }
        }
    }

    /// Takes an integer off the front of `buf`, or None when it is incomplete.
    pub(crate) fn get(self, buf: &mut &[u8]) -> Option<u64> {
        let first = *buf.first()?;
        let (more, bits) = match self {
            Self::Quic => ((1_usize << (first >> 6)) - 1, first & 0x3f),
            Self::LeadingOnes => {
                let more = first.leading_ones() as usize;
                (more, first & (0x7f_u16 >> more) as u8)
            }
        };
        let rest = buf.get(1..=more)?;
        let value = rest.iter().fold(bits as u64, |value, byte| value << 8 | *byte as u64);
        buf.advance(1 + more);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        for (varint, bytes, value) in [
            (Varint::Quic, &[0x3f][..], 63),
            (Varint::Quic, &[0x40, 0x40], 64),
            (Varint::Quic, &[0x80, 0x00, 0x40, 0x00], 16384),
            (Varint::Quic, &[0xc0, 0, 0, 0, 0xff, 0x0d, 0xad, 0x02], 0xff0d_ad02),
            (Varint::LeadingOnes, &[0x7f], 127),
            (Varint::LeadingOnes, &[0x80, 0x80], 128),
            (Varint::LeadingOnes, &[0xbf, 0xff], 16383),
            (Varint::LeadingOnes, &[0xc0, 0x40, 0], 16384),
            (Varint::LeadingOnes, &[0xe0, 0x20, 0, 0], 1 << 21),
            (Varint::LeadingOnes, &[0xf0, 0x10, 0, 0, 0], 1 << 28),
            (Varint::LeadingOnes, &[0xf8, 0x08, 0, 0, 0, 0], 1 << 35),
            (Varint::LeadingOnes, &[0xfe, 0, 0x04, 0, 0, 0, 0, 0], 1 << 42),
            (Varint::LeadingOnes, &[0xff, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], (1 << 62) - 1),
        ] {
            let mut out = Vec::new();
            varint.put(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(varint.get(&mut &bytes[..]), Some(value));
            assert_eq!(varint.get(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn longer_forms_than_needed_are_read() {
        assert_eq!(Varint::Quic.get(&mut &[0x40, 0x25][..]), Some(37));
        assert_eq!(Varint::LeadingOnes.get(&mut &[0xfc, 0, 0, 0, 0, 0, 37][..]), Some(37));
    }
}
