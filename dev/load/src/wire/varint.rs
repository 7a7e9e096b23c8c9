//! QUIC variable-length integers (RFC 9000 §16), the only integers of moq-lite 03 to 06.

use bytes::{Buf, BufMut};

pub(crate) fn put_varint(out: &mut impl BufMut, v: u64) {
    match v {
        0..=0x3f => out.put_u8(v as u8),
        0x40..=0x3fff => out.put_u16(v as u16 | 0x4000),
        0x4000..=0x3fff_ffff => out.put_u32(v as u32 | 0x8000_0000),
        _ => out.put_u64(v | 0xc000_0000_0000_0000),
    }
}

/// Decode a varint from the front of `buf`, or None when it is incomplete.
pub(crate) fn get_varint(buf: &mut impl Buf) -> Option<u64> {
    if !buf.has_remaining() {
        return None;
    }
    let first = buf.chunk()[0];
    let len = 1usize << (first >> 6);
    if buf.remaining() < len {
        return None;
    }
    Some(match len {
        1 => buf.get_u8() as u64,
        2 => (buf.get_u16() & 0x3fff) as u64,
        4 => (buf.get_u32() & 0x3fff_ffff) as u64,
        _ => buf.get_u64() & 0x3fff_ffff_ffff_ffff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        for (bytes, value) in [
            (&[0x3f][..], 63),
            (&[0x40, 0x40], 64),
            (&[0x80, 0x00, 0x40, 0x00], 16384),
            (&[0xc0, 0, 0, 0, 0xff, 0x0d, 0xad, 0x02], 0xff0d_ad02),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(get_varint(&mut &bytes[..]), Some(value));
            assert_eq!(get_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
