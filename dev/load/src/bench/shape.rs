//! What is offered to a relay: the shapes, by name.

use anyhow::{Context, Result};

use crate::{
    door::Door,
    wire::{ALL as VERSIONS, DEFAULT, Version},
};

pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Arguments of `load run`.
    pub(crate) load: &'static str,
    pub(crate) floor: Option<Floor>,
    /// Variations compared with the first of them: name and further arguments of `load run`.
    pub(crate) cases: &'static [(&'static str, &'static str)],
    pub(crate) kind: Kind,
}

/// How bare quinn serves a shape.
pub(crate) struct Floor {
    /// Arguments of `load floor`.
    pub(crate) serve: &'static str,
    /// Arguments of `load run --floor`.
    pub(crate) load: &'static str,
    /// Streams that a client may open.
    pub(crate) streams: u32,
}

/// What a shape is about, and so what its table shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// CPU per delivered frame, and how late it is.
    Frames,
    /// The same, of one relay in all its versions.
    Dialects,
    /// The same, of one relay through all its doors.
    Doors,
    /// Memory per session.
    Idle,
    /// What some viewers suffer from others.
    Stalled,
    /// What a link between two nodes adds.
    Hop,
}

/// The shape as it is.
const PLAIN: &[(&str, &str)] = &[("", "")];

impl Shape {
    /// The named shapes in the order of `ALL`; all of them when none is named.
    pub(crate) fn choose(names: &[String]) -> Result<Vec<&'static Self>> {
        for name in names {
            let known = || ALL.each_ref().map(|s| s.name).join(", ");
            ALL.iter().find(|s| s.name == name).with_context(|| format!("unknown shape {name}: {}", known()))?;
        }
        Ok(ALL.iter().filter(|s| names.is_empty() || names.iter().any(|n| n == s.name)).collect())
    }

    /// The doors it goes through unless others are asked for.
    pub(crate) fn doors(&self) -> Vec<Door> {
        if self.kind == Kind::Doors { Door::ALL.to_vec() } else { vec![Door::Quic] }
    }

    /// The versions it speaks unless others are asked for.
    pub(crate) fn versions(&self) -> Vec<&'static Version> {
        if self.kind == Kind::Dialects {
            return VERSIONS.into_iter().filter(|v| !v.opt_in).collect();
        }
        vec![DEFAULT]
    }

    /// Whether relays are compared with each other, not each of ours with itself.
    pub(crate) fn compares_relays(&self) -> bool {
        !matches!(self.kind, Kind::Dialects | Kind::Doors | Kind::Hop)
    }
}

const VIDEO: &str = "--subscribers 100 --fps 60 --frame 4000 --group 60";

/// The name of the case with a link between publishers and viewers.
pub(crate) const LINKED: &str = "two nodes";

static ALL: [Shape; 9] = [
    Shape {
        name: "video",
        about: "100 viewers, 60 fps, 4,000 B, 60 frames per group",
        load: VIDEO,
        floor: Some(Floor { serve: "--fps 60 --frame 4000 --group 60", load: VIDEO, streams: 1024 }),
        cases: PLAIN,
        kind: Kind::Frames,
    },
    Shape {
        name: "chat",
        about: "200 viewers, 50 fps, 200 B, 1 frame per group",
        load: "--subscribers 200 --fps 50 --frame 200 --group 1",
        floor: Some(Floor {
            serve: "--fps 50 --frame 200 --group 1",
            load: "--subscribers 200 --fps 50 --frame 200 --group 1",
            streams: 1024,
        }),
        cases: PLAIN,
        kind: Kind::Frames,
    },
    Shape {
        name: "hd",
        about: "50 viewers, 30 fps, 40,000 B, 60 frames per group",
        load: "--subscribers 50 --fps 30 --frame 40000 --group 60",
        floor: Some(Floor {
            serve: "--fps 30 --frame 40000 --group 60",
            load: "--subscribers 50 --fps 30 --frame 40000 --group 60",
            streams: 1024,
        }),
        cases: PLAIN,
        kind: Kind::Frames,
    },
    Shape {
        name: "conference",
        about: "20 publishers, 20 viewers × 15 tracks, 30 fps, 2,000 B, 30 frames per group",
        load: "--publishers 20 --subscribers 20 --subscriptions 15 --fps 30 --frame 2000 --group 30",
        floor: None,
        cases: PLAIN,
        kind: Kind::Frames,
    },
    Shape {
        name: "idle",
        about: "2,000 sessions that ask for nothing",
        load: "--subscribers 1 --idle 2000 --fps 10 --frame 100",
        floor: Some(Floor { serve: "--fps 0.001", load: "--subscribers 0 --idle 2000", streams: 16 }),
        cases: PLAIN,
        kind: Kind::Idle,
    },
    Shape {
        name: "stalled",
        about: "50 viewers, 60 fps, 8,000 B, with and without 50 more that stop reading",
        load: "--fps 60 --frame 8000 --subscribers 50",
        floor: None,
        cases: &[("none stalled", ""), ("50 stalled", "--stalled 50")],
        kind: Kind::Stalled,
    },
    Shape {
        name: "dialects",
        about: "the shape video in every version",
        load: VIDEO,
        floor: None,
        cases: PLAIN,
        kind: Kind::Dialects,
    },
    Shape {
        name: "doors",
        about: "the shape video through every door",
        load: VIDEO,
        floor: None,
        cases: PLAIN,
        kind: Kind::Doors,
    },
    Shape {
        name: "hop",
        about: "50 publishers with a viewer each, 60 fps, 4,000 B, 60 frames per group, on one node and across a link",
        load: "--publishers 50 --subscribers 50 --fps 60 --frame 4000 --group 60",
        // As many frames as cross the link. Bare quinn has them all at one moment, which is the cheapest it can be.
        floor: Some(Floor {
            serve: "--fps 60 --frame 4000 --group 60",
            load: "--subscribers 50 --fps 60 --frame 4000 --group 60",
            streams: 1024,
        }),
        cases: &[("one node", ""), (LINKED, "")],
        kind: Kind::Hop,
    },
];
