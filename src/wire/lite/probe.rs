//! PROBE: what the sender knows of the way to the asking peer ("PROBE"). The peer opens the stream and says nothing on it.

use std::time::Duration;

use crate::wire::Codec;

/// A report. A value that is unknown travels as 0, so a measured 0 travels as 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// Bits per second that can be sent to the peer.
    pub bitrate: Option<u64>,
    /// Round-trip time, in whole milliseconds on the wire.
    pub rtt: Option<Duration>,
}

/// PROBE of moq-lite-03: only the rate.
pub const PROBE_03: Codec<Probe> = Codec {
    tagged: false,
    write: |probe, out| {
        out.varint(known(probe.bitrate));
        0
    },
    read: |_, input| Ok(Probe { bitrate: unknown(input.at("bitrate").varint()?), rtt: None }),
};

/// PROBE of moq-lite-04 to 07.
pub const PROBE_04: Codec<Probe> = Codec {
    tagged: false,
    write: |probe, out| {
        out.varint(known(probe.bitrate));
        out.varint(known(probe.rtt.map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX))));
        0
    },
    read: |_, input| {
        let bitrate = unknown(input.at("bitrate").varint()?);
        let rtt = unknown(input.at("rtt").varint()?).map(Duration::from_millis);
        Ok(Probe { bitrate, rtt })
    },
};

fn known(value: Option<u64>) -> u64 {
    value.map_or(0, |value| value.max(1))
}

fn unknown(value: u64) -> Option<u64> {
    (value > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        Encoder,
        coding::tests::{assert_stable, noise},
        integer::Form,
    };

    #[test]
    fn nothing_measured_is_not_unknown() {
        let mut out = Encoder::new(Form::Quic);
        PROBE_04.encode(&Probe { bitrate: None, rtt: Some(Duration::from_micros(20)) }, &mut out);
        assert_eq!(out.into_bytes()[..], [2, 0, 1]);
    }

    proptest! {
        #[test]
        fn stable(body in noise()) {
            assert_stable(&PROBE_03, 0, &body);
            assert_stable(&PROBE_04, 0, &body);
        }
    }
}
