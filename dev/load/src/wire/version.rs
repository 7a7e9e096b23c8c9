//! The moq-lite versions, each as its difference from the one before.

use std::fmt;

use super::Varint;

pub(crate) struct Version {
    pub(crate) name: &'static str,
    /// ALPN on raw QUIC, subprotocol on WebTransport and, behind a prefix, on WebSocket.
    pub(crate) alpn: &'static str,
    /// Relays offer it only when told to.
    pub(crate) opt_in: bool,
    pub(crate) varint: Varint,
    pub(crate) setup: Setup,
    pub(crate) first: First,
    /// Announcements carry a type in front and route costs behind.
    pub(crate) typed_announce: bool,
    pub(crate) hops: Hops,
    /// Announcements may refer to earlier ones for path and hops.
    pub(crate) bases: bool,
    pub(crate) request: Request,
    /// SUBSCRIBE carries an age limit and bounds.
    pub(crate) preferences: bool,
    /// Preferences and TRACK_INFO carry the retired `ordered` byte.
    pub(crate) ordered: bool,
    pub(crate) accept: Accept,
    /// SUBSCRIBE_END tells the number of group streams, and SUBSCRIBE_DROP does not exist.
    pub(crate) stream_count: bool,
    /// SUBSCRIBE and GROUP carry frame bounds.
    pub(crate) frame_bounds: bool,
    /// Frames carry a timestamp delta.
    pub(crate) timestamps: bool,
}

/// What both sides say before anything else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// This version's code, offered and chosen on the first bidirectional stream, which stays open.
    Exchange(u64),
    /// Nothing.
    None,
    /// SETUP on a unidirectional stream of each side.
    Uni,
}

/// The first reply on an announce stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// ANNOUNCE_INIT: what is there already.
    Init,
    /// An announcement.
    Announcement,
    /// ANNOUNCE_OK: the sender's hop id, and how many announcements follow at once.
    Ok,
}

/// How an announcement describes the way it took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hops {
    /// Not at all.
    None,
    /// Their number, the sender included.
    Count,
    /// Their ids, the sender's last.
    SenderLast,
    /// Their ids; the sender's is in ANNOUNCE_OK.
    SenderApart,
}

/// What ANNOUNCE_REQUEST holds behind the prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Nothing,
    /// A hop to leave out.
    ExcludeHop,
    /// Whether hidden broadcasts are wanted.
    Hidden,
}

/// The positive answer to SUBSCRIBE.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// SUBSCRIBE_OK with a priority, once and without a type.
    Priority,
    /// SUBSCRIBE_OK that is empty, once and without a type.
    Empty,
    /// SUBSCRIBE_OK with all preferences, once.
    Preferences,
    /// SUBSCRIBE_START with the first group; SUBSCRIBE_END and others may follow.
    Start,
}

impl Version {
    pub(crate) fn parse(s: &str) -> Result<&'static Self, String> {
        let name = s.strip_prefix("moq-lite-").unwrap_or(s);
        let names = || ALL.map(|v| v.name).join(", ");
        ALL.into_iter().find(|v| v.name == name).ok_or_else(|| format!("unknown version {s}: {}", names()))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "moq-lite-{}", self.name)
    }
}

pub(crate) const ALL: [&Version; 7] = [&V01, &V02, &V03, &V04, &V05, &V06, &V07];
pub(crate) const DEFAULT: &Version = &V05;

const V01: Version = Version {
    name: "01",
    alpn: "moql",
    opt_in: false,
    varint: Varint::Quic,
    setup: Setup::Exchange(0xff0d_ad01),
    first: First::Init,
    typed_announce: false,
    hops: Hops::None,
    bases: false,
    request: Request::Nothing,
    preferences: false,
    ordered: false,
    accept: Accept::Priority,
    stream_count: false,
    frame_bounds: false,
    timestamps: false,
};

const V02: Version = Version { name: "02", setup: Setup::Exchange(0xff0d_ad02), accept: Accept::Empty, ..V01 };

const V03: Version = Version {
    name: "03",
    alpn: "moq-lite-03",
    setup: Setup::None,
    first: First::Announcement,
    hops: Hops::Count,
    preferences: true,
    ordered: true,
    accept: Accept::Preferences,
    ..V02
};

const V04: Version =
    Version { name: "04", alpn: "moq-lite-04", hops: Hops::SenderLast, request: Request::ExcludeHop, ..V03 };

const V05: Version = Version {
    name: "05",
    alpn: "moq-lite-05",
    setup: Setup::Uni,
    first: First::Ok,
    hops: Hops::SenderApart,
    accept: Accept::Start,
    timestamps: true,
    ..V04
};

const V06: Version = Version {
    name: "06",
    alpn: "moq-lite-06",
    typed_announce: true,
    request: Request::Nothing,
    ordered: false,
    frame_bounds: true,
    ..V05
};

const V07: Version = Version {
    name: "07-wip",
    alpn: "moq-lite-07-wip",
    opt_in: true,
    varint: Varint::LeadingOnes,
    bases: true,
    request: Request::Hidden,
    stream_count: true,
    ..V06
};
