//! QUIC's variable-length integers (RFC 9000 §16) and the zigzag form of signed ones. Runs once per frame: no
//! allocation, no panic.

use bytes::BufMut;

/// The largest number the form carries, 2^62-1.
pub const MAX: u64 = (1 << 62) - 1;

/// How many bytes the shortest form of `value` takes.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Writes the shortest form of `value`, or of [`MAX`] when that is less.
#[inline]
pub fn put(out: &mut impl BufMut, value: u64) {
    match value {
        0..=0x3f => out.put_u8(value as u8),
        0x40..=0x3fff => out.put_u16(value as u16 | 0x4000),
        0x4000..=0x3fff_ffff => out.put_u32(value as u32 | 0x8000_0000),
        _ => out.put_u64(value.min(MAX) | 0xc000_0000_0000_0000),
    }
}

/// The number at the start of `buf` and how many bytes it takes; `None` when more bytes are needed. Longer forms than
/// necessary are fine.
#[inline]
pub fn get(buf: &[u8]) -> Option<(u64, usize)> {
    let first = *buf.first()?;
    match first >> 6 {
        0 => Some((first.into(), 1)),
        1 => buf.first_chunk().map(|bytes| ((u16::from_be_bytes(*bytes) & 0x3fff).into(), 2)),
        2 => buf.first_chunk().map(|bytes| ((u32::from_be_bytes(*bytes) & 0x3fff_ffff).into(), 4)),
        _ => buf.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes) & MAX, 8)),
    }
}

/// Folds the sign into the lowest bit: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One row of `integer.txt`: number, bytes, and whether that is the shortest form.
    fn samples() -> impl Iterator<Item = (i64, Vec<u8>, &'static str)> {
        include_str!("../../tests/samples/integer.txt").lines().filter(|line| !line.starts_with('#')).map(|line| {
            let [_, kind, hex, value] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let bytes = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            (value.parse().unwrap(), bytes, kind)
        })
    }

    #[test]
    fn samples_read_and_write() {
        for (value, bytes, kind) in samples() {
            let raw = if kind == "zigzag" { zigzag(value) } else { value as u64 };
            assert_eq!(get(&bytes), Some((raw, bytes.len())), "{bytes:x?}");
            if kind == "zigzag" {
                assert_eq!(unzigzag(raw), value);
            }
            if kind != "long" {
                let mut out = Vec::new();
                put(&mut out, raw);
                assert_eq!(out, bytes);
            }
        }
    }

    #[test]
    fn beyond_the_largest_is_the_largest() {
        for value in [MAX, MAX + 1, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(get(&out), Some((MAX, 8)));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_put_is_got(value in prop_oneof![0..=MAX, 0..0x8000u64, 0..0x8000_0000u64], more in 0..4usize) {
            let mut out = Vec::new();
            put(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
            for short in 0..out.len() {
                prop_assert_eq!(get(&out[..short]), None);
            }
            let len = out.len();
            out.resize(len + more, 0xff);
            prop_assert_eq!(get(&out), Some((value, len)));
        }

        #[test]
        fn zigzag_round_trips(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
