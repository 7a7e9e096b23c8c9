//! Checks every byte of a group: its frames whole, right, in order and all there.

use crate::payload;

/// A frame's payload as it comes in, and what came before it in the group.
pub(crate) struct Check {
    filler: u8,
    /// Bytes of the current frame seen so far.
    at: usize,
    seq: u64,
    last: Option<u64>,
    frames: u64,
    wrong: bool,
}

impl Check {
    pub(crate) fn new(filler: u8) -> Self {
        Self { filler, at: 0, seq: 0, last: None, frames: 0, wrong: false }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let head = payload::MIN.saturating_sub(self.at).min(bytes.len());
        for &b in &bytes[..head] {
            if self.at >= 8 {
                self.seq = self.seq << 8 | b as u64;
            }
            self.at += 1;
        }
        self.wrong |= bytes[head..].iter().any(|b| *b != self.filler);
        self.at += bytes.len() - head;
    }

    /// A frame is complete: was it right, of `size` and next in order?
    pub(crate) fn frame(&mut self, size: usize) -> bool {
        let ok = !self.wrong && self.at == size && self.last.is_none_or(|last| self.seq == last + 1);
        (self.last, self.frames) = (Some(self.seq), self.frames + 1);
        (self.at, self.seq, self.wrong) = (0, 0, false);
        ok
    }

    /// The group ended cleanly: did it start with its first frame and hold all `size` of them?
    pub(crate) fn group(&self, size: u64) -> bool {
        self.at == 0 && self.frames == size && self.last.is_some_and(|last| (last + 1) % size == 0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn frame(seq: u64) -> BytesMut {
        let mut out = BytesMut::new();
        payload::put(&mut out, 100, seq, 7);
        out
    }

    /// Feeds one frame in uneven pieces.
    fn feed(check: &mut Check, frame: &[u8]) -> bool {
        for part in frame.chunks(13) {
            check.bytes(part);
        }
        check.frame(100)
    }

    #[test]
    fn accepts_a_whole_group() {
        let mut check = Check::new(7);
        assert!((4..8).all(|seq| feed(&mut check, &frame(seq))));
        assert!(check.group(4));
    }

    #[test]
    fn notices_what_is_wrong() {
        let mut check = Check::new(7);
        assert!(feed(&mut check, &frame(4)));
        assert!(!feed(&mut check, &frame(6)), "a frame is missing");
        let mut flipped = frame(7);
        flipped[60] ^= 1;
        assert!(!feed(&mut check, &flipped), "a byte is wrong");
        assert!(!feed(&mut check, &frame(8)[..90]), "the frame is cut short");
        assert!(!check.group(5), "a frame is missing from the group");
        assert!(!feed(&mut Check::new(8), &frame(0)), "the frame belongs to another broadcast");
    }
}
