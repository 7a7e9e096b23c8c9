//! Which group goes first: a pure order in the `i32` that QUIC streams have. Control streams have the highest.

/// Bits of the ordinal below the subscriber's priority.
const ORDINAL: u32 = 23;

/// The rank of a group's stream: the subscriber's priority first, then the newest stream of the session. The ordinal
/// wraps after 8 million streams, when none of the old ones is left.
pub(super) const fn group(priority: u8, ordinal: u32) -> i32 {
    ((priority as i32 - 128) << ORDINAL) | (ordinal & ((1 << ORDINAL) - 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_goes_before_age_and_control_before_both() {
        assert!(group(2, 0) > group(1, u32::MAX));
        assert!(group(128, 6) > group(128, 5));
        assert!(group(255, u32::MAX) < i32::MAX);
    }
}
