//! Datagrams: a group of one frame in one packet, delivered or lost ("Datagram").

use crate::wire::{DecodeError, Decoder, Encoder, integer::Form};

/// The longest body of a datagram, header included, that is certain to fit every path.
pub const MAX_BYTES: usize = 1200;

/// What precedes the payload, which runs to the end of the datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The subscription.
    pub subscribe: u64,
    /// The group, of which this is the only frame.
    pub sequence: u64,
    /// In units of the track's timescale; absolute, unlike a frame's.
    pub timestamp: u64,
}

impl Header {
    /// Writes the header; the payload follows.
    pub fn encode(&self, out: &mut Encoder) {
        out.varint(self.subscribe);
        out.varint(self.sequence);
        out.varint(self.timestamp);
    }

    /// Reads a datagram: its header, and where its payload begins.
    pub fn decode(datagram: &[u8], form: Form) -> Result<(Self, usize), DecodeError> {
        let mut input = Decoder::new(datagram, form);
        let subscribe = input.at("subscribe id").varint()?;
        let sequence = input.at("group").varint()?;
        let timestamp = input.at("timestamp").varint()?;
        Ok((Self { subscribe, sequence, timestamp }, datagram.len() - input.rest().len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::noise;

    proptest! {
        #[test]
        fn stable(datagram in noise()) {
            for form in [Form::Quic, Form::LeadingOnes] {
                let Ok((header, at)) = Header::decode(&datagram, form) else { continue };
                prop_assert!(at <= datagram.len());
                let mut out = Encoder::new(form);
                header.encode(&mut out);
                let bytes = out.into_bytes();
                prop_assert_eq!(Header::decode(&bytes, form), Ok((header, bytes.len())));
            }
        }
    }
}
