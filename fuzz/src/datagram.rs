//! Datagrams, in both forms of integers.

use moq_relay::wire::{Encoder, lite::datagram::Header};

use crate::{integer::FORMS, memory::bounded, samples};

pub fn body(data: &[u8]) {
    for form in FORMS {
        let Ok((header, at)) = bounded(data, || Header::decode(data, form)) else { continue };
        assert!(at <= data.len());
        let mut out = Encoder::new(form);
        header.encode(&mut out);
        let bytes = out.into_bytes();
        assert_eq!(Header::decode(&bytes, form), Ok((header, bytes.len())));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    samples::dialects().filter(|(_, row)| row.message == "datagram").map(|(_, row)| row.bytes).collect()
}
