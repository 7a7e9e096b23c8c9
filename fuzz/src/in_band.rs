//! SETUP in band: what clients say and what servers answer.

use moq_relay::wire::{
    Decoder, Offer,
    in_band::{ClientSetup, Framing, MAX_VERSIONS, ServerSetup},
    integer::Form,
};

use crate::{memory::bounded, samples};

const FRAMINGS: [Framing; 3] = [Framing::Session, Framing::Setup, Framing::Draft];

pub fn body(data: &[u8]) {
    if let Ok(setup) = bounded(data, || ClientSetup::decode(data)) {
        assert!(setup.versions.len() as u64 <= MAX_VERSIONS);
        let chosen = Offer::default().by_code(&setup.versions);
        assert!(chosen.is_none_or(|dialect| dialect.in_band && setup.versions.contains(&dialect.code)));
        for framing in FRAMINGS {
            let message = framing.client(&setup);
            let mut input = Decoder::new(&message, Form::Quic);
            assert_eq!(input.varint().ok().and_then(Framing::by_type), Some(framing));
            assert_eq!(ClientSetup::decode(content(framing, input)), Ok(setup.clone()));
        }
    }
    if let Ok(setup) = bounded(data, || ServerSetup::decode(data)) {
        for framing in FRAMINGS {
            let message = framing.server(&setup);
            let mut input = Decoder::new(&message, Form::Quic);
            if framing != Framing::Session {
                input.varint().expect("a message type");
            }
            assert_eq!(ServerSetup::decode(content(framing, input)), Ok(setup.clone()));
        }
    }
}

/// What follows the length, which must be right.
fn content(framing: Framing, mut input: Decoder<'_>) -> &[u8] {
    let len = if framing.has_wide_lengths() {
        let mut byte = || u64::from(input.byte().expect("a length"));
        byte() << 8 | byte()
    } else {
        input.varint().expect("a length")
    };
    let content = input.rest();
    assert_eq!(content.len() as u64, len);
    content
}

pub fn seeds() -> Vec<Vec<u8>> {
    let content = |[_, side, bytes, _]: &[String; 4]| {
        let (bytes, is_client) = (samples::hex(bytes), side.starts_with("client"));
        let mut input = Decoder::new(&bytes, Form::Quic);
        if is_client || !side.ends_with("session") {
            input.varint().expect("a type");
        }
        input.byte().expect("a length");
        if side.ends_with("setup") {
            input.byte().expect("a length");
        }
        input.rest().to_vec()
    };
    samples::table("in_band.txt").iter().map(content).collect()
}
