//! Who takes part: the floor, and every relay through every door in every version. Each is a row of the tables.

use anyhow::{Result, bail};

use super::relay::{Relay, Start, peers};
use crate::{cli, door::Door, wire::Version};

/// A row of the tables.
#[derive(Clone)]
pub(crate) struct Entrant {
    pub(crate) name: String,
    /// None: the floor.
    pub(crate) relay: Option<Relay>,
    pub(crate) door: Door,
    pub(crate) version: &'static Version,
    /// The first door and version asked for: what the goals are about.
    pub(crate) main: bool,
}

impl Entrant {
    pub(crate) fn all(args: &cli::Bench) -> Result<Vec<Self>> {
        let mut relays = args.relay.clone();
        if args.peers {
            relays.extend(peers(args.peers_dir.as_deref())?);
        }
        if relays.is_empty() {
            bail!("no relay to measure: --relay NAME=BINARY or --peers");
        }
        for (i, relay) in relays.iter().enumerate() {
            if !relay.binary.is_file() {
                bail!("{} is not a file (relay {})", relay.binary.display(), relay.name);
            }
            if relays[..i].iter().any(|r| r.name == relay.name) {
                bail!("two relays are called {}", relay.name);
            }
        }

        let (first_door, first_version) = (args.door[0], args.version[0]);
        let floor = Self { name: "floor".into(), relay: None, door: Door::Quic, version: first_version, main: true };
        let mut all = vec![floor];
        for relay in relays {
            for &door in &args.door {
                for &version in &args.version {
                    let mut name = relay.name.clone();
                    if args.door.len() > 1 {
                        name += &format!(" {door}");
                    }
                    if args.version.len() > 1 {
                        name += &format!(" {}", version.name);
                    }
                    let main = door == first_door && version.name == first_version.name;
                    all.push(Self { name, relay: Some(relay.clone()), door, version, main });
                }
            }
        }
        Ok(all)
    }

    pub(crate) fn is_floor(&self) -> bool {
        self.relay.is_none()
    }

    /// Whether the goals are about this one.
    pub(crate) fn is_ours(&self) -> bool {
        self.start() == Some(Start::Ours)
    }

    fn same_relay(&self, other: &Self) -> bool {
        self.relay.as_ref().map(|r| &r.name) == other.relay.as_ref().map(|r| &r.name)
    }

    fn start(&self) -> Option<Start> {
        self.relay.as_ref().map(|r| r.start)
    }
}

/// The floor's place.
pub(crate) fn floor(entrants: &[Entrant]) -> Option<usize> {
    entrants.iter().position(Entrant::is_floor)
}

/// The place of 0.17.10 through the same door in the same version.
pub(crate) fn reference(entrants: &[Entrant], to: &Entrant) -> Option<usize> {
    let alike = |e: &Entrant| e.door == to.door && e.version.name == to.version.name;
    entrants.iter().position(|e| e.start() == Some(Start::V0_17_10) && alike(e))
}

/// The place of the same relay in the same version over raw QUIC.
pub(crate) fn over_quic(entrants: &[Entrant], to: &Entrant) -> Option<usize> {
    let alike = |e: &Entrant| e.same_relay(to) && e.version.name == to.version.name;
    entrants.iter().position(|e| e.door == Door::Quic && alike(e))
}
