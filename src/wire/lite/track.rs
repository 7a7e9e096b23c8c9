//! TRACK and TRACK_INFO: the constants of a track ("TRACK / TRACK_INFO").

use super::MAX_TRACK_NAME;
use crate::{
    types::{Path, TrackInfo},
    wire::{Codec, DecodeError},
};

/// TRACK: which track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Relative to the session root.
    pub broadcast: Path,
    /// Opaque text of at most [`MAX_TRACK_NAME`] bytes.
    pub track: String,
}

/// Question and answer of a track stream.
#[derive(Clone, Copy, Debug)]
pub struct Codecs {
    /// TRACK.
    pub request: Codec<Request>,
    /// TRACK_INFO.
    pub info: Codec<TrackInfo>,
}

/// Of moq-lite-05: an `ordered` byte follows the priority, written as 0 and ignored.
pub const TRACK_05: Codecs = Codecs {
    request: REQUEST,
    info: Codec {
        tagged: false,
        write: |info, out| {
            out.byte(info.priority);
            out.byte(0);
            out.millis(info.max_age);
            out.varint(info.timescale);
            0
        },
        read: |_, input| {
            let priority = input.at("priority").byte()?;
            input.at("ordered").byte()?;
            let max_age = input.at("max age").millis()?;
            Ok(TrackInfo { priority, max_age, timescale: timescale(input.at("timescale").varint()?)? })
        },
    },
};

/// Of moq-lite-06.
pub const TRACK_06: Codecs = Codecs {
    info: Codec {
        tagged: false,
        write: |info, out| {
            out.byte(info.priority);
            out.millis(info.max_age);
            out.varint(info.timescale);
            0
        },
        read: |_, input| {
            let (priority, max_age) = (input.at("priority").byte()?, input.at("max age").millis()?);
            Ok(TrackInfo { priority, max_age, timescale: timescale(input.at("timescale").varint()?)? })
        },
    },
    ..TRACK_05
};

const REQUEST: Codec<Request> = Codec {
    tagged: false,
    write: |request, out| {
        out.path(&request.broadcast);
        out.string(&request.track);
        0
    },
    read: |_, input| {
        let broadcast = input.at("broadcast").path()?;
        Ok(Request { broadcast, track: input.at("track name").string_within(MAX_TRACK_NAME)? })
    },
};

/// moq-lite "TRACK_INFO": units per second, 0 is an error on both sides.
fn timescale(value: u64) -> Result<u64, DecodeError> {
    if value == 0 { Err(DecodeError::Invalid { field: "timescale", value }) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::{assert_stable, decode, noise};

    #[test]
    fn time_passes() {
        let error = Err(DecodeError::Invalid { field: "timescale", value: 0 });
        assert_eq!(decode(&TRACK_05.info, 0, &[7, 0, 0, 0]), error);
        assert_eq!(decode(&TRACK_06.info, 0, &[7, 0, 0]), error);
    }

    proptest! {
        #[test]
        fn stable(body in noise()) {
            assert_stable(&TRACK_05.request, 0, &body);
            assert_stable(&TRACK_05.info, 0, &body);
            assert_stable(&TRACK_06.info, 0, &body);
        }
    }
}
