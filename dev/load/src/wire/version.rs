//! The moq-lite versions, each as its difference from the one before.

use std::fmt;

pub(crate) struct Version {
    pub(crate) name: &'static str,
    /// ALPN on raw QUIC, subprotocol on WebTransport.
    pub(crate) alpn: &'static str,
    /// Each side opens a uni stream with a SETUP message.
    pub(crate) setup: bool,
    /// The announce stream starts with ANNOUNCE_OK.
    pub(crate) announce_ok: bool,
    /// Announcements carry a type in front and route costs behind.
    pub(crate) typed_announce: bool,
    pub(crate) hops: Hops,
    /// ANNOUNCE_REQUEST names a hop to leave out.
    pub(crate) exclude_hop: bool,
    /// SUBSCRIBE and TRACK_INFO carry the retired `ordered` byte.
    pub(crate) ordered: bool,
    /// SUBSCRIBE is answered with SUBSCRIBE_OK and its five fields, not with SUBSCRIBE_START.
    pub(crate) subscribe_ok: bool,
    /// SUBSCRIBE and GROUP carry frame bounds.
    pub(crate) frame_bounds: bool,
    /// Frames carry a timestamp delta.
    pub(crate) timestamps: bool,
}

/// How an announcement describes the way it took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hops {
    /// Their number, the sender included.
    Count,
    /// Their ids, the sender's last.
    SenderLast,
    /// Their ids; the sender's is in ANNOUNCE_OK.
    SenderApart,
}

impl Version {
    pub(crate) fn parse(s: &str) -> Result<&'static Self, String> {
        let name = s.strip_prefix("moq-lite-").unwrap_or(s);
        ALL.into_iter().find(|v| v.name == name).ok_or_else(|| format!("unknown version {s}: 03, 04, 05 or 06"))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpn)
    }
}

pub(crate) const ALL: [&Version; 4] = [&V03, &V04, &V05, &V06];

const V03: Version = Version {
    name: "03",
    alpn: "moq-lite-03",
    setup: false,
    announce_ok: false,
    typed_announce: false,
    hops: Hops::Count,
    exclude_hop: false,
    ordered: true,
    subscribe_ok: true,
    frame_bounds: false,
    timestamps: false,
};

const V04: Version = Version { name: "04", alpn: "moq-lite-04", hops: Hops::SenderLast, exclude_hop: true, ..V03 };

const V05: Version = Version {
    name: "05",
    alpn: "moq-lite-05",
    setup: true,
    announce_ok: true,
    hops: Hops::SenderApart,
    subscribe_ok: false,
    timestamps: true,
    ..V04
};

const V06: Version = Version {
    name: "06",
    alpn: "moq-lite-06",
    typed_announce: true,
    exclude_hop: false,
    ordered: false,
    frame_bounds: true,
    ..V05
};
