//! The two forms of variable-length integers, QUIC's (RFC 9000 §16) and leading ones, and the zigzag form of signed
//! numbers. Runs once per frame: no allocation, no panic.

use bytes::BufMut;

/// The largest number on the wire, 2^62-1. Leading ones could carry more; peers refuse it.
pub const MAX: u64 = (1 << 62) - 1;

/// How a dialect writes its integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The first two bits tell the length: 1, 2, 4 or 8 bytes.
    Quic,
    /// As many more bytes as the first has leading ones (moq-lite-07): 1 to 9 bytes of 7 bits each, 8 in the last.
    LeadingOnes,
}

impl Form {
    /// The most bytes of one integer.
    pub const MOST: usize = 9;

    /// How many bytes the shortest form of `value` takes.
    #[inline]
    pub const fn len(self, value: u64) -> usize {
        match self {
            Self::Quic => varint_len(value),
            Self::LeadingOnes => leading_ones_len(value),
        }
    }

    /// Writes the shortest form of `value`, or of [`MAX`] when that is less.
    #[inline]
    pub fn put(self, out: &mut impl BufMut, value: u64) {
        match self {
            Self::Quic => put(out, value),
            Self::LeadingOnes => put_leading_ones(out, value.min(MAX)),
        }
    }

    /// The number at the start of `buf` and how many bytes it takes; `None` when more bytes are needed. Longer forms
    /// than necessary are fine; numbers may exceed [`MAX`].
    #[inline]
    pub fn get(self, buf: &[u8]) -> Option<(u64, usize)> {
        match self {
            Self::Quic => get(buf),
            Self::LeadingOnes => get_leading_ones(buf),
        }
    }
}

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

/// The form of 7 bytes is read but never written.
const fn leading_ones_len(value: u64) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        0x1000_0000..0x8_0000_0000 => 5,
        0x8_0000_0000..0x400_0000_0000 => 6,
        0x400_0000_0000..0x100_0000_0000_0000 => 8,
        _ => 9,
    }
}

fn put_leading_ones(out: &mut impl BufMut, value: u64) {
    let len = leading_ones_len(value);
    let mut bytes = [0; Form::MOST];
    bytes[1..].copy_from_slice(&value.to_be_bytes());
    let bytes = &mut bytes[Form::MOST - len..];
    // As many ones as there are bytes after the first.
    bytes[0] |= !(0xff_u16 >> (len - 1)) as u8;
    out.put_slice(bytes);
}

fn get_leading_ones(buf: &[u8]) -> Option<(u64, usize)> {
    let first = *buf.first()?;
    let more = first.leading_ones() as usize;
    let rest = buf.get(1..=more)?;
    let head = u64::from(first) & (0x7f >> more);
    Some((rest.iter().fold(head, |value, byte| value << 8 | u64::from(*byte)), 1 + more))
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

    const FORMS: [Form; 2] = [Form::Quic, Form::LeadingOnes];

    #[test]
    fn samples_read_and_write() {
        for (value, bytes, kind) in samples() {
            let raw = if kind == "zigzag" { zigzag(value) } else { value as u64 };
            let form = if kind.starts_with("ones") { Form::LeadingOnes } else { Form::Quic };
            assert_eq!(form.get(&bytes), Some((raw, bytes.len())), "{bytes:x?}");
            if kind == "zigzag" {
                assert_eq!(unzigzag(raw), value);
            }
            if !kind.ends_with("long") {
                let mut out = Vec::new();
                form.put(&mut out, raw);
                assert_eq!(out, bytes);
            }
        }
    }

    #[test]
    fn beyond_the_largest_is_the_largest() {
        for (form, len) in [(Form::Quic, 8), (Form::LeadingOnes, 9)] {
            for value in [MAX, MAX + 1, u64::MAX] {
                let mut out = Vec::new();
                form.put(&mut out, value);
                assert_eq!(form.get(&out), Some((MAX, len)));
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_put_is_got(
            value in prop_oneof![0..=MAX, 0..0x8000u64, 0..0x8000_0000u64, 0..1u64 << 57],
            more in 0..4usize,
        ) {
            for form in FORMS {
                let mut out = Vec::new();
                form.put(&mut out, value);
                prop_assert_eq!(out.len(), form.len(value));
                for short in 0..out.len() {
                    prop_assert_eq!(form.get(&out[..short]), None);
                }
                let len = out.len();
                out.resize(len + more, 0xff);
                prop_assert_eq!(form.get(&out), Some((value, len)));
            }
        }

        #[test]
        fn zigzag_round_trips(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
