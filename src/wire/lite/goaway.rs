//! GOAWAY: please move elsewhere ("GOAWAY").

use crate::wire::Codec;

/// The longest URI peers take, in bytes.
pub const MAX_URI: usize = 8192;

/// Asks the peer to end this session and open another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Goaway {
    /// Where to; empty is the same place again.
    pub uri: String,
}

/// GOAWAY of moq-lite-04 to 07.
pub const GOAWAY_04: Codec<Goaway> = Codec {
    tagged: false,
    write: |goaway, out| {
        out.string(&goaway.uri);
        0
    },
    read: |_, input| Ok(Goaway { uri: input.at("uri").string_within(MAX_URI)? }),
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        DecodeError, Encoder,
        coding::tests::{assert_stable, decode, noise},
        integer::Form,
    };

    #[test]
    fn uris_are_bounded() {
        let mut out = Encoder::new(Form::Quic);
        out.string(&"u".repeat(MAX_URI + 1));
        let error = DecodeError::TooLong { field: "uri", limit: MAX_URI, size: MAX_URI + 1 };
        assert_eq!(decode(&GOAWAY_04, 0, &out.into_bytes()), Err(error));
    }

    proptest! {
        #[test]
        fn stable(body in noise()) {
            assert_stable(&GOAWAY_04, 0, &body);
        }
    }
}
