//! Who takes part: the floor, and every relay through every door in every version. Each is a row of the tables.

use super::{
    relay::{Relay, Start},
    shape::Shape,
};
use crate::{cli, door::Door, wire::Version};

/// A row of the tables.
#[derive(Clone)]
pub(crate) struct Entrant {
    pub(crate) name: String,
    /// None: the floor.
    pub(crate) relay: Option<Relay>,
    pub(crate) door: Door,
    pub(crate) version: &'static Version,
    /// The first door and version: what the goals are about.
    pub(crate) main: bool,
}

impl Entrant {
    pub(crate) fn all(shape: &Shape, relays: &[Relay], args: &cli::Bench) -> Vec<Self> {
        let doors = if args.door.is_empty() { shape.doors() } else { args.door.clone() };
        let versions = if args.version.is_empty() { shape.versions() } else { args.version.clone() };
        let floor = Self { name: "floor".into(), relay: None, door: Door::Quic, version: versions[0], main: true };
        let mut all = vec![floor];
        for relay in relays.iter().filter(|r| r.start == Start::Ours || shape.compares_relays()) {
            for (i, &door) in doors.iter().enumerate() {
                for (k, &version) in versions.iter().enumerate() {
                    let mut name = relay.name.clone();
                    if doors.len() > 1 {
                        name += &format!(" {door}");
                    }
                    if versions.len() > 1 {
                        name += &format!(" {}", version.name);
                    }
                    all.push(Self { name, relay: Some(relay.clone()), door, version, main: i == 0 && k == 0 });
                }
            }
        }
        all
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

/// The places of the same relay through the same door in any version.
pub(crate) fn dialects(entrants: &[Entrant], of: &Entrant) -> Vec<usize> {
    let alike = |e: &Entrant| !e.is_floor() && e.door == of.door && e.same_relay(of);
    (0..entrants.len()).filter(|i| alike(&entrants[*i])).collect()
}

/// The place of the same relay in the same version over raw QUIC.
pub(crate) fn over_quic(entrants: &[Entrant], to: &Entrant) -> Option<usize> {
    let alike = |e: &Entrant| e.same_relay(to) && e.version.name == to.version.name;
    entrants.iter().position(|e| e.door == Door::Quic && alike(e))
}
