//! Every dialect there is, by ALPN. A dialect is a value: codecs, framing and named capabilities.

use super::{
    Codec,
    lite::{self, announce, fetch, goaway, group::Framing, setup, subscribe, track},
};

/// One protocol version. See `lite/versions.rs` for the values.
#[derive(Debug)]
pub struct Dialect {
    /// For people: logs, metrics, `server.version`.
    pub name: &'static str,
    /// ALPN on raw QUIC and subprotocol on WebTransport.
    pub alpn: &'static str,
    /// SETUP on a unidirectional stream of each side, before anything else; `None` below moq-lite-05.
    pub setup: Option<Codec<setup::Setup>>,
    /// First message of an announce stream.
    pub announce_request: Codec<announce::Request>,
    /// First reply on an announce stream; `None` where announcements follow at once.
    pub announce_ok: Option<Codec<announce::Ok>>,
    /// A route that comes, changes or goes.
    pub announcement: Codec<announce::Announcement>,
    /// First message of a subscribe stream.
    pub subscribe: Codec<subscribe::Subscribe>,
    /// Later messages of a subscriber.
    pub subscribe_update: Codec<crate::types::Preferences>,
    /// Messages of a publisher on a subscribe stream.
    pub subscribe_reply: Codec<subscribe::Reply>,
    /// TRACK and TRACK_INFO; `None` below moq-lite-05.
    pub track: Option<track::Codecs>,
    /// FETCH; `None` where nobody serves it.
    pub fetch: Option<Codec<fetch::Fetch>>,
    /// GOAWAY; `None` below moq-lite-04.
    pub goaway: Option<Codec<goaway::Goaway>>,
    /// How groups and frames travel.
    pub framing: Framing,
    /// What an announcement tells about the relays it passed.
    pub hops: HopForm,
    /// How a live announcement changes.
    pub replace: Replace,
    /// Routes carry costs.
    pub costs: bool,
    /// A subscription is accepted by serving it, and its first and final groups are named (SUBSCRIBE_START,
    /// SUBSCRIBE_END). Otherwise SUBSCRIBE_OK comes first, once, and nothing after it.
    pub implicit_accept: bool,
    /// Peers bear a SUBSCRIBE_UPDATE. Publishers of moq-lite-03 and 04 may fail on any byte after SUBSCRIBE.
    pub send_updates: bool,
}

/// How hops appear in an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HopForm {
    /// Only how many, the sender included.
    Count,
    /// The ids, the sender's own last.
    SenderAppends,
    /// The ids without the sender's, which its ANNOUNCE_OK tells.
    ReceiverAppends,
}

/// How a live path's route or content changes on the announce stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replace {
    /// `ended`, then `active`; route changes alone stay quiet.
    Retract,
    /// A second `active`.
    Again,
    /// RESTART with the announce id.
    Restart,
}

impl Dialect {
    /// Every dialect offered by default, the relay's favourite first.
    pub const ALL: &'static [&'static Self] = lite::versions::ALL;

    /// The dialect of an ALPN or WebTransport subprotocol.
    pub fn by_alpn(alpn: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.alpn == alpn)
    }
}
