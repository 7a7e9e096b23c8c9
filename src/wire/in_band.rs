//! SETUP in band: the client opens the first bidirectional stream with the versions it speaks, the server answers with one
//! of them, and the stream stays open ("Legacy SETUP exchange"). moq-lite-01 and 02 and moq-transport up to draft 14
//! begin like this.
//!
//! Parameters are bytes here: what they mean, and even where one ends, depends on the version that is selected.

use bytes::Bytes;

use super::{DecodeError, Decoder, Encoder, integer::Form};

/// The longest message either side takes, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The most versions a client may list; JavaScript takes as many.
pub const MAX_VERSIONS: u64 = 128;

/// The type of a server's answer in the framing that clients of today use.
pub const SERVER_SETUP: u64 = 0x21;

/// How the messages are framed. The stream type tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Type 0x00 and varint lengths; the answer has no type (Rust clients of the first moq-lite-01 releases).
    Session,
    /// Types 0x20 and 0x21, and 16-bit lengths (everybody since).
    Setup,
    /// Types 0x40 and 0x41, and varint lengths (moq-transport drafts 7 to 10).
    Draft,
}

/// What a client speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSetup {
    /// Version codes, its favourite first.
    pub versions: Vec<u64>,
    /// Everything after the versions.
    pub parameters: Bytes,
}

/// What the server has chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerSetup {
    /// One of the client's version codes.
    pub version: u64,
    /// Everything after the version.
    pub parameters: Bytes,
}

impl Framing {
    /// What a client's stream type means.
    pub const fn by_type(stream_type: u64) -> Option<Self> {
        match stream_type {
            0x00 => Some(Self::Session),
            0x20 => Some(Self::Setup),
            0x40 => Some(Self::Draft),
            _ => None,
        }
    }

    /// Whether lengths have 16 bits; otherwise they are varints.
    pub const fn has_wide_lengths(self) -> bool {
        matches!(self, Self::Setup)
    }

    /// The whole of a client's message, stream type included.
    pub fn client(self, setup: &ClientSetup) -> Bytes {
        let mut body = Encoder::new(Form::Quic);
        body.varint(setup.versions.len() as u64);
        setup.versions.iter().for_each(|version| body.varint(*version));
        body.bytes(&setup.parameters);
        let stream_type = match self {
            Self::Session => 0x00,
            Self::Setup => 0x20,
            Self::Draft => 0x40,
        };
        self.message(Some(stream_type), body)
    }

    /// The whole of a server's answer.
    pub fn server(self, setup: &ServerSetup) -> Bytes {
        let mut body = Encoder::new(Form::Quic);
        body.varint(setup.version);
        body.bytes(&setup.parameters);
        let message_type = match self {
            Self::Session => None,
            Self::Setup => Some(SERVER_SETUP),
            Self::Draft => Some(0x41),
        };
        self.message(message_type, body)
    }

    fn message(self, message_type: Option<u64>, body: Encoder) -> Bytes {
        let mut out = Encoder::new(Form::Quic);
        message_type.into_iter().for_each(|message_type| out.varint(message_type));
        if self.has_wide_lengths() {
            // What this side says never comes near the bound.
            let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
            len.to_be_bytes().into_iter().for_each(|byte| out.byte(byte));
        } else {
            out.varint(body.len() as u64);
        }
        out.bytes(&body.into_bytes());
        out.into_bytes()
    }
}

impl ClientSetup {
    /// Reads the body of a client's message.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(body, Form::Quic);
        let count = input.at("version count").varint()?;
        if count > MAX_VERSIONS {
            return Err(DecodeError::Invalid { field: "version count", value: count });
        }
        let versions = (0..count).map(|_| input.at("version").varint()).collect::<Result<_, _>>()?;
        Ok(Self { versions, parameters: Bytes::copy_from_slice(input.rest()) })
    }
}

impl ServerSetup {
    /// Reads the body of a server's answer.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(body, Form::Quic);
        let version = input.at("version").varint()?;
        Ok(Self { version, parameters: Bytes::copy_from_slice(input.rest()) })
    }

    /// The answer with this version and without parameters: every lite client reads an empty list, whichever way it
    /// reads parameters.
    pub const fn plain(version: u64) -> Self {
        Self { version, parameters: Bytes::from_static(&[0]) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::noise;

    /// The rows of `in_band.txt`: `row | side | hex | value`.
    #[test]
    fn samples_read_and_write() {
        let samples = include_str!("../../tests/samples/in_band.txt");
        for line in samples.lines().filter(|line| !line.starts_with('#')) {
            let [row, side, hex, value] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let bytes: Vec<u8> = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let framing = match side.split_once(' ').unwrap().1 {
                "session" => Framing::Session,
                "setup" => Framing::Setup,
                "draft" => Framing::Draft,
                other => panic!("{other}"),
            };
            let mut input = Decoder::new(&bytes, Form::Quic);
            let is_client = side.starts_with("client");
            if is_client || framing != Framing::Session {
                let message_type = input.varint().unwrap();
                assert!(!is_client || Framing::by_type(message_type) == Some(framing), "row {row}");
            }
            let body = if framing.has_wide_lengths() {
                let _ = (input.byte().unwrap(), input.byte().unwrap());
                input.rest()
            } else {
                input.block().unwrap()
            };
            if is_client {
                let setup = ClientSetup::decode(body).unwrap();
                assert_eq!(format!("{setup:?}"), value, "row {row}");
                assert_eq!(framing.client(&setup), bytes, "row {row}");
            } else {
                let setup = ServerSetup::decode(body).unwrap();
                assert_eq!(format!("{setup:?}"), value, "row {row}");
                assert_eq!(framing.server(&setup), bytes, "row {row}");
            }
        }
    }

    #[test]
    fn versions_are_counted() {
        let error = DecodeError::Invalid { field: "version count", value: 129 };
        assert_eq!(ClientSetup::decode(&[0x40, 129]), Err(error));
        assert_eq!(ClientSetup::decode(&[2, 1]), Err(DecodeError::Short { field: "version" }));
    }

    proptest! {
        #[test]
        fn bodies_never_panic(body in noise()) {
            if let Ok(setup) = ClientSetup::decode(&body) {
                let bytes = Framing::Session.client(&setup);
                let mut input = Decoder::new(&bytes[1..], Form::Quic);
                prop_assert_eq!(ClientSetup::decode(input.block().unwrap()), Ok(setup));
            }
            let _ = ServerSetup::decode(&body);
        }
    }
}
