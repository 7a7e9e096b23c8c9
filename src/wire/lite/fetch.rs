//! FETCH: one group on request ("FETCH").

use super::MAX_TRACK_NAME;
use crate::{
    types::{FrameRange, Path},
    wire::{Codec, DecodeError, Decoder, Encoder},
};

/// Asks for one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Relative to the session root.
    pub broadcast: Path,
    /// Opaque text of at most [`MAX_TRACK_NAME`] bytes.
    pub track: String,
    /// Higher is sent first.
    pub priority: u8,
    /// The group's sequence.
    pub group: u64,
    /// Which of its frames.
    pub frames: FrameRange,
}

/// FETCH of moq-lite-05: whole groups only, so the frame range is left out.
pub const FETCH_05: Codec<Fetch> = Codec {
    tagged: false,
    write: |fetch, out| {
        write_group(fetch, out);
        0
    },
    read: |_, input| read_group(input),
};

/// FETCH of moq-lite-06.
pub const FETCH_06: Codec<Fetch> = Codec {
    tagged: false,
    write: |fetch, out| {
        write_group(fetch, out);
        out.varint(fetch.frames.start);
        out.optional(fetch.frames.end);
        0
    },
    read: |_, input| {
        let fetch = read_group(input)?;
        let (start, end) = (input.at("frame start").varint()?, input.at("frame end").optional()?);
        match end {
            // moq-lite-06 "FETCH": a frame end below the frame start is an error.
            Some(end) if end < start => Err(DecodeError::Invalid { field: "frame end", value: end + 1 }),
            end => Ok(Fetch { frames: FrameRange { start, end }, ..fetch }),
        }
    },
};

fn write_group(fetch: &Fetch, out: &mut Encoder) {
    out.path(&fetch.broadcast);
    out.string(&fetch.track);
    out.byte(fetch.priority);
    out.varint(fetch.group);
}

fn read_group(input: &mut Decoder<'_>) -> Result<Fetch, DecodeError> {
    let broadcast = input.at("broadcast").path()?;
    let track = input.at("track name").string_within(MAX_TRACK_NAME)?;
    let (priority, group) = (input.at("priority").byte()?, input.at("group").varint()?);
    Ok(Fetch { broadcast, track, priority, group, frames: FrameRange::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::{assert_stable, decode, noise};

    #[test]
    fn frames_run_forward() {
        let frames = |start, end| decode(&FETCH_06, 0, &[0, 0, 0, 0, start, end]).map(|fetch| fetch.frames);
        assert_eq!(frames(3, 0), Ok(FrameRange { start: 3, end: None }));
        assert_eq!(frames(3, 4), Ok(FrameRange { start: 3, end: Some(3) }));
        assert_eq!(frames(3, 3), Err(DecodeError::Invalid { field: "frame end", value: 3 }));
    }

    proptest! {
        #[test]
        fn stable(body in noise()) {
            assert_stable(&FETCH_05, 0, &body);
            assert_stable(&FETCH_06, 0, &body);
        }
    }
}
