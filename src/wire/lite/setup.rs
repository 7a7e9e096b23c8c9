//! SETUP: who a peer is and what it wants, on a unidirectional stream of its own ("lite-05+ Setup stream").

use crate::{
    types::HopId,
    wire::{Codec, DecodeError, Decoder, Encoder},
};

/// The longest body peers take, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The most parameters peers take.
pub const MAX_PARAMETERS: u64 = 64;

/// What a side tells about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setup {
    /// What the sender answers on a probe stream: 0 nothing, 1 reports, 2 also raises its rate on request.
    pub probe: u64,
    /// Path and query of the request, from clients on transports without a URL; never empty.
    pub path: Option<String>,
    /// What a client is going to do.
    pub role: Role,
    /// What the link to the sender costs, added to every cost it announces; absent is 1.
    pub cost: Option<u64>,
    /// The sender's identity in hop lists.
    pub hop: HopId,
}

/// What a client is going to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Anything.
    #[default]
    Both,
    /// Only publish.
    Publisher,
    /// Only subscribe.
    Subscriber,
}

/// SETUP of moq-lite-05 to 07. Below 06 the cost has no meaning, but 05 peers skip it.
pub const SETUP_05: Codec<Setup> = Codec { tagged: false, write, read };

const PROBE: u64 = 0x1;
const PATH: u64 = 0x2;
const ROLE: u64 = 0x3;
const COST: u64 = 0x4;
const HOP: u64 = 0x5;

fn write(setup: &Setup, out: &mut Encoder) -> u64 {
    let path = setup.path.as_deref().filter(|path| !path.is_empty());
    let role = match setup.role {
        Role::Both => None,
        Role::Publisher => Some(1),
        Role::Subscriber => Some(2),
    };
    let probe = Some(setup.probe).filter(|probe| *probe != 0);
    let hop = Some(setup.hop.0).filter(|hop| *hop != 0);
    let numbers = [probe, role, setup.cost, hop].iter().flatten().count();
    out.varint((numbers + usize::from(path.is_some())) as u64);
    number(PROBE, probe, out);
    if let Some(path) = path {
        out.varint(PATH);
        out.string(path);
    }
    number(ROLE, role, out);
    number(COST, setup.cost, out);
    number(HOP, hop, out);
    0
}

fn number(id: u64, value: Option<u64>, out: &mut Encoder) {
    if let Some(value) = value {
        out.varint(id);
        out.sized_varint(value);
    }
}

fn read(_: u64, input: &mut Decoder<'_>) -> Result<Setup, DecodeError> {
    let count = input.at("parameter count").varint()?;
    if count > MAX_PARAMETERS {
        return Err(DecodeError::TooManyParameters { count });
    }
    let mut setup = Setup::default();
    let mut seen = Vec::new();
    for _ in 0..count {
        let id = input.at("parameter id").varint()?;
        let mut value = input.at("parameter value").nested()?;
        // moq-lite-05 "SETUP": a parameter at most once, known or not.
        if seen.contains(&id) {
            return Err(DecodeError::DuplicateParameter { id });
        }
        seen.push(id);
        match id {
            // Levels above 2 read as 2.
            PROBE => setup.probe = value.at("probe").varint()?.min(2),
            // An empty path is no path.
            PATH => setup.path = Some(value.at("path").text()?.to_owned()).filter(|path| !path.is_empty()),
            ROLE => {
                setup.role = match value.at("role").varint()? {
                    1 => Role::Publisher,
                    2 => Role::Subscriber,
                    _ => Role::Both,
                }
            }
            COST => setup.cost = Some(value.at("cost").varint()?),
            HOP => setup.hop = HopId(value.at("hop").varint()?),
            _ => drop(value.rest()),
        }
        value.finish()?;
    }
    Ok(setup)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        coding::tests::{assert_stable, decode, noise},
        integer::Form,
    };

    fn bytes(setup: &Setup) -> Vec<u8> {
        let mut out = Encoder::new(Form::Quic);
        SETUP_05.encode(setup, &mut out);
        out.into_bytes().into()
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let setup = Setup { path: Some(String::new()), ..Setup::default() };
        assert_eq!(bytes(&setup), [1, 0]);
        assert_eq!(decode(&SETUP_05, 0, &[1, 2, 0]), Ok(Setup::default()));
    }

    #[test]
    fn a_link_may_be_free() {
        let setup = Setup { cost: Some(0), ..Setup::default() };
        assert_eq!(bytes(&setup), [4, 1, 4, 1, 0]);
        assert_eq!(decode(&SETUP_05, 0, &[1, 4, 1, 0]), Ok(setup));
    }

    #[test]
    fn newer_levels_and_roles_are_understood() {
        let setup = decode(&SETUP_05, 0, &[2, 1, 1, 9, 3, 1, 9]).unwrap();
        assert_eq!((setup.probe, setup.role), (2, Role::Both));
    }

    #[test]
    fn parameters_are_counted_and_consumed() {
        assert_eq!(decode(&SETUP_05, 0, &[0x40, 65]), Err(DecodeError::TooManyParameters { count: 65 }));
        assert_eq!(decode(&SETUP_05, 0, &[1, 1, 2, 0, 0]), Err(DecodeError::Trailing));
        assert_eq!(decode(&SETUP_05, 0, &[1, 1, 0]), Err(DecodeError::Short { field: "probe" }));
        assert_eq!(decode(&SETUP_05, 0, &[1, 2, 1, 0xff]), Err(DecodeError::InvalidText { field: "path" }));
    }

    proptest! {
        #[test]
        fn stable(body in noise()) {
            assert_stable(&SETUP_05, 0, &body);
        }
    }
}
