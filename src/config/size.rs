//! How much memory the cache may take.

use bytesize::ByteSize;

use super::value::{Reason, Value};
use crate::model;

/// The part of the memory that is the cache's unless set. Half: late viewers find less, the machine stays emptier.
/// Double: nothing is left for send buffers and everybody else.
const DEFAULT_PERCENT: u64 = 50;

/// Taken when nobody can tell how much memory there is. Half: still enough for most nodes; double: may be too much for
/// the smallest machines.
const BLIND_CAPACITY: u64 = 1 << 30;

/// `8GiB`, a number of bytes, or `50%` of the memory there is.
pub(super) fn capacity(value: &Value, memory: Option<u64>) -> Result<u64, Reason> {
    let bytes = match value {
        Value::Number(_) => value.number()?,
        Value::Text(text) => match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.trim().parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0);
                let percent: f64 = percent.ok_or("expected a percentage above 0% and up to 100%")?;
                let memory = memory.ok_or("cannot tell how much memory there is: give a size, such as \"4GiB\"")?;
                // A few bytes more or less do not matter.
                (memory as f64 / 100.0 * percent) as u64
            }
            None => text.trim().parse::<ByteSize>().map_err(|_| EXPECTED)?.as_u64(),
        },
        _ => return Err(value.mismatch("a size")),
    };
    if bytes == 0 {
        Err("a cache of nothing cannot hand anything on: give at least a few MiB".into())
    } else {
        Ok(bytes)
    }
}

/// What the cache takes of this much memory unless set.
pub(super) fn default_capacity(memory: Option<u64>) -> u64 {
    memory.map_or(BLIND_CAPACITY, |memory| share(memory, DEFAULT_PERCENT).min(model::Config::DEFAULT_CAPACITY))
}

fn share(memory: u64, percent: u64) -> u64 {
    // Divided first, as the product may not fit; the lost bytes are fewer than a hundred.
    memory / 100 * percent
}

const EXPECTED: &str = "expected a size such as \"8GiB\", a number of bytes, or a percentage such as \"50%\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u64, Reason> {
        capacity(&Value::Text(text.to_owned()), Some(1000))
    }

    #[test]
    fn sizes_in_every_spelling() {
        for (text, bytes) in [
            ("8GiB", 8 << 30),
            ("8 gb", 8_000_000_000),
            ("512", 512),
            ("1.5KiB", 1536),
            ("50%", 500),
            ("100 %", 1000),
            ("12.5%", 125),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        assert_eq!(capacity(&Value::Number(4096), None), Ok(4096));
    }

    #[test]
    fn sizes_that_make_no_sense() {
        for text in ["", "lots", "8 apples", "-1", "0", "0%", "101%", "nan%", "%", "0GiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(capacity(&Value::Number(-1), None).is_err());
        assert!(capacity(&Value::Switch(true), None).is_err());
        assert!(capacity(&Value::Text("50%".into()), None).is_err());
    }

    #[test]
    fn the_default_is_half_but_at_most_eight_gibibytes() {
        assert_eq!(default_capacity(Some(1000)), 500);
        assert_eq!(default_capacity(Some(64 << 30)), 8 << 30);
        assert_eq!(default_capacity(None), BLIND_CAPACITY);
    }
}
