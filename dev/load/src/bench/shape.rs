//! What is offered to a relay: the shapes, by name.

use super::{server::CORE as SERVER_CORE, single::CORE as LOAD_CORE};
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
    /// Streams that the server may open towards a client.
    pub(crate) streams: u32,
    /// The server's cores, as taskset wants them.
    pub(crate) cores: &'static str,
    /// The load generator's cores.
    pub(crate) load_cores: &'static str,
    pub(crate) cases: &'static [Case],
    pub(crate) kind: Kind,
    /// Only runs when it is named.
    pub(crate) long: bool,
}

/// A variation of a shape.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Further arguments of `load run`.
    pub(crate) load: &'static [&'static str],
    /// Further arguments of a relay of ours.
    pub(crate) relay: &'static str,
    /// How many of the server's threads have to share the work, or the server does not do what it was told.
    pub(crate) busy_threads: u64,
    /// The case that it is compared with.
    pub(crate) beside: Option<&'static str>,
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
    /// How late frames are, and memory per session.
    Crowd,
    /// What several workers cost more than one.
    Scale,
}

/// The shape as it is.
const PLAIN: &[Case] = &[Case::new("", &[])];

impl Case {
    const fn new(name: &'static str, load: &'static [&'static str]) -> Self {
        Self { name, load, relay: "", busy_threads: 0, beside: None }
    }

    /// In a relay of ours with so many workers.
    const fn workers(self, relay: &'static str) -> Self {
        Self { relay, ..self }
    }

    const fn busy(self, threads: u64) -> Self {
        Self { busy_threads: threads, ..self }
    }

    const fn beside(self, other: &'static str) -> Self {
        Self { beside: Some(other), ..self }
    }
}

/// What most shapes have in common.
const BASE: Shape = Shape {
    name: "",
    about: "",
    load: "",
    floor: None,
    streams: 1024,
    cores: SERVER_CORE,
    load_cores: LOAD_CORE,
    cases: PLAIN,
    kind: Kind::Frames,
    long: false,
};

impl Shape {
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

    /// Whether server and load generator have cores in common.
    pub(crate) fn shares_cores(&self) -> bool {
        self.cores.split(',').any(|core| self.load_cores.split(',').any(|other| other == core))
    }

    /// Whether relays are compared with each other, not each of ours with itself.
    pub(crate) fn compares_relays(&self) -> bool {
        !matches!(self.kind, Kind::Dialects | Kind::Doors | Kind::Hop | Kind::Scale)
    }
}

const CROWD: &str = "--subscribers 5000 --pace 500 --fps 5 --frame 1000 --group 5 --lean";
const VIDEO: &str = "--subscribers 100 --fps 60 --frame 4000 --group 60";

const CHAT: &str = "--subscribers 200 --fps 50 --frame 200 --group 1";

const ONE: &str = "--runtime-workers 1";
const TWO: &str = "--runtime-workers 2";
const SPREAD: &str = "--workers 2";
const HERE: &str = "--workers 2 --publishers-on 0 --viewers-on 0";
const ACROSS: &str = "--workers 2 --publishers-on 1 --viewers-on 0";

/// Viewers cost nearly all of the CPU. Where all of them are on one worker, it is the same one in both cases, so that it has
/// the same core, and the publishers are here or there.
const SCALE: &[Case] = &[
    Case::new("video, 1 worker", &[VIDEO]).workers(ONE),
    Case::new("video, 2 workers", &[VIDEO, SPREAD]).workers(TWO).busy(2).beside("video, 1 worker"),
    Case::new("video, all on one of 2", &[VIDEO, HERE]).workers(TWO),
    Case::new("video, from one to the other", &[VIDEO, ACROSS]).workers(TWO).beside("video, all on one of 2"),
    Case::new("chat, 1 worker", &[CHAT]).workers(ONE),
    Case::new("chat, 2 workers", &[CHAT, SPREAD]).workers(TWO).busy(2).beside("chat, 1 worker"),
    Case::new("chat, all on one of 2", &[CHAT, HERE]).workers(TWO),
    Case::new("chat, from one to the other", &[CHAT, ACROSS]).workers(TWO).beside("chat, all on one of 2"),
];

/// The name of the case with a link between publishers and viewers.
pub(crate) const LINKED: &str = "two nodes";

pub(crate) static ALL: [Shape; 11] = [
    Shape {
        name: "video",
        about: "100 viewers, 60 fps, 4,000 B, 60 frames per group",
        load: VIDEO,
        floor: Some(Floor { serve: "--fps 60 --frame 4000 --group 60", load: VIDEO, streams: 1024 }),
        ..BASE
    },
    Shape {
        name: "chat",
        about: "200 viewers, 50 fps, 200 B, 1 frame per group",
        load: CHAT,
        floor: Some(Floor { serve: "--fps 50 --frame 200 --group 1", load: CHAT, streams: 1024 }),
        ..BASE
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
        ..BASE
    },
    Shape {
        name: "conference",
        about: "20 publishers, 20 viewers × 15 tracks, 30 fps, 2,000 B, 30 frames per group",
        load: "--publishers 20 --subscribers 20 --subscriptions 15 --fps 30 --frame 2000 --group 30",
        ..BASE
    },
    Shape {
        name: "idle",
        about: "2,000 sessions that ask for nothing",
        load: "--subscribers 1 --idle 2000 --fps 10 --frame 100",
        floor: Some(Floor { serve: "--fps 0.001", load: "--subscribers 0 --idle 2000", streams: 16 }),
        kind: Kind::Idle,
        ..BASE
    },
    Shape {
        name: "stalled",
        about: "50 viewers, 60 fps, 8,000 B, with and without 50 more that stop reading",
        load: "--fps 60 --frame 8000 --subscribers 50",
        cases: &[Case::new("none stalled", &[]), Case::new("50 stalled", &["--stalled 50"]).beside("none stalled")],
        kind: Kind::Stalled,
        ..BASE
    },
    Shape { name: "dialects", about: "the shape video in every version", load: VIDEO, kind: Kind::Dialects, ..BASE },
    Shape { name: "doors", about: "the shape video through every door", load: VIDEO, kind: Kind::Doors, ..BASE },
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
        cases: &[Case::new("one node", &[]), Case::new(LINKED, &[]).beside("one node")],
        kind: Kind::Hop,
        ..BASE
    },
    Shape {
        name: "crowd",
        about: "5,000 viewers, 5 fps, 1,000 B, 5 frames per group",
        load: CROWD,
        floor: Some(Floor { serve: "--fps 5 --frame 1000 --group 5", load: CROWD, streams: 16 }),
        streams: 32,
        // To read a frame for each takes nearly as long as to send it, so the load generator has what the relay leaves, too.
        load_cores: "0,1",
        kind: Kind::Crowd,
        long: true,
        ..BASE
    },
    Shape {
        name: "scale",
        about: "the shapes video and chat with one worker and with two, and from one of two workers to the other",
        cores: "0,1",
        cases: SCALE,
        kind: Kind::Scale,
        long: true,
        ..BASE
    },
];
