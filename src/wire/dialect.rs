//! Every dialect there is, by ALPN and by the code of an in-band SETUP. A dialect is a value: codecs, framing and named
//! capabilities.

use super::{
    Codec,
    integer::Form,
    lite::{self, announce, fetch, goaway, group::Framing, probe, setup, subscribe, track},
};

/// One protocol version. See `lite/versions.rs` for the values.
#[derive(Debug)]
pub struct Dialect {
    /// For people: logs, metrics, `server.version`.
    pub name: &'static str,
    /// ALPN on raw QUIC and subprotocol elsewhere. Dialects that SETUP tells apart share one.
    pub alpn: &'static str,
    /// Its number where versions are listed.
    pub code: u64,
    /// SETUP chooses the version: on the first bidirectional stream, which then lives as long as the session.
    pub in_band: bool,
    /// SETUP on a unidirectional stream of each side, before anything else; `None` below moq-lite-05.
    pub setup: Option<Codec<setup::Setup>>,
    /// First message of an announce stream.
    pub announce_request: Codec<announce::Request>,
    /// First reply on an announce stream, with the initial set in it; `None` above moq-lite-02.
    pub announce_init: Option<Codec<announce::Init>>,
    /// First reply on an announce stream, before the initial set; `None` below moq-lite-05.
    pub announce_ok: Option<Codec<announce::Ok>>,
    /// A route that comes, changes or goes.
    pub announcement: Codec<announce::Announcement>,
    /// First message of a subscribe stream.
    pub subscribe: Codec<subscribe::Subscribe>,
    /// Later messages of a subscriber; `None` where nobody sends any, and what comes is skipped.
    pub subscribe_update: Option<Codec<crate::types::Preferences>>,
    /// Messages of a publisher on a subscribe stream.
    pub subscribe_reply: Codec<subscribe::Reply>,
    /// TRACK and TRACK_INFO; `None` below moq-lite-05.
    pub track: Option<track::Codecs>,
    /// FETCH; `None` where nobody serves it.
    pub fetch: Option<Codec<fetch::Fetch>>,
    /// PROBE; `None` below moq-lite-03.
    pub probe: Option<Codec<probe::Probe>>,
    /// GOAWAY; `None` below moq-lite-04.
    pub goaway: Option<Codec<goaway::Goaway>>,
    /// How groups and frames travel.
    pub framing: Framing,
    /// What an announcement tells about the relays it passed.
    pub hops: HopForm,
    /// How a live announcement changes.
    pub replace: Replace,
    /// Announcements may be told by what they share with earlier ones.
    pub likeness: bool,
    /// Without a start, a subscription begins with the oldest group inside its max age; otherwise with the newest.
    pub starts_by_age: bool,
    /// Routes carry costs.
    pub costs: bool,
    /// Groups of one frame may travel as datagrams.
    pub datagrams: bool,
    /// A subscription is accepted by serving it, and its first and final groups are named (SUBSCRIBE_START,
    /// SUBSCRIBE_END). Otherwise SUBSCRIBE_OK comes first, once, and nothing after it.
    pub implicit_accept: bool,
    /// Peers bear a SUBSCRIBE_UPDATE. Publishers below moq-lite-05 may fail on any byte after SUBSCRIBE.
    pub send_updates: bool,
}

/// How hops appear in an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HopForm {
    /// Not at all.
    Absent,
    /// Only how many, the sender included.
    Count,
    /// The ids, the sender's own last.
    SenderAppends,
    /// The ids without the sender's, which its ANNOUNCE_OK tells.
    ReceiverAppends,
}

impl HopForm {
    /// Whether a node that a broadcast has passed can be told from others.
    pub const fn names_nodes(self) -> bool {
        matches!(self, Self::SenderAppends | Self::ReceiverAppends)
    }
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

    /// Those whose format may still change, offered only by name.
    pub const UNFINISHED: &'static [&'static Self] = lite::versions::UNFINISHED;

    /// The dialect of this name, finished or not.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::every().find(|dialect| dialect.name == name)
    }

    /// Finished and unfinished ones.
    pub fn every() -> impl Iterator<Item = &'static Self> {
        Self::UNFINISHED.iter().chain(Self::ALL).copied()
    }

    /// How it writes integers.
    pub const fn integers(&self) -> Form {
        self.framing.integers
    }
}

/// ALPN of Rust clients before it was `moql`; SETUP decides as it does there.
const OLD_IN_BAND: &str = "moql-01";

/// The dialects that one side is ready to speak, its favourite first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer(Vec<&'static Dialect>);

/// What an ALPN or subprotocol, or the lack of one, settles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The dialect.
    Dialect(&'static Dialect),
    /// That SETUP chooses.
    InBand,
}

impl Default for Offer {
    fn default() -> Self {
        Self(Dialect::ALL.to_vec())
    }
}

impl Offer {
    /// These dialects alone, in the relay's order.
    pub fn new(dialects: &[&'static Dialect]) -> Self {
        Self(Dialect::every().filter(|dialect| dialects.contains(dialect)).collect())
    }

    /// The dialects, the favourite first.
    pub fn dialects(&self) -> impl Iterator<Item = &'static Dialect> + '_ {
        self.0.iter().copied()
    }

    /// What to list as ALPN or subprotocols, each once.
    pub fn alpns(&self) -> Vec<&'static str> {
        let mut alpns: Vec<_> = self.dialects().map(|dialect| dialect.alpn).collect();
        alpns.dedup();
        if self.select(None).is_some() {
            alpns.push(OLD_IN_BAND);
        }
        alpns
    }

    /// What an agreed ALPN or subprotocol means; without one, SETUP decides. `None`: nothing that is on offer.
    pub fn select(&self, alpn: Option<&str>) -> Option<Choice> {
        let in_band = || self.dialects().any(|dialect| dialect.in_band).then_some(Choice::InBand);
        match alpn {
            None | Some(OLD_IN_BAND) => in_band(),
            Some(alpn) => match self.dialects().find(|dialect| dialect.alpn == alpn)? {
                dialect if dialect.in_band => in_band(),
                dialect => Some(Choice::Dialect(dialect)),
            },
        }
    }

    /// The first of a client's version codes that SETUP may choose.
    pub fn by_code(&self, codes: &[u64]) -> Option<&'static Dialect> {
        codes.iter().find_map(|code| self.dialects().find(|dialect| dialect.in_band && dialect.code == *code))
    }
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(names: &[&str]) -> Offer {
        Offer::new(&names.iter().map(|name| Dialect::by_name(name).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn alpns_settle_the_dialect_or_that_setup_does() {
        let all = Offer::default();
        for dialect in Dialect::ALL {
            let choice = if dialect.in_band { Choice::InBand } else { Choice::Dialect(dialect) };
            assert_eq!(all.select(Some(dialect.alpn)), Some(choice), "{}", dialect.name);
        }
        assert_eq!(all.select(None), Some(Choice::InBand));
        assert_eq!(all.select(Some("moql-01")), Some(Choice::InBand));
        for unknown in ["moq-lite-06-wip", "moq-lite-05-wip", "moq-lite-07-wip", "moqt-17", "moq-00", ""] {
            assert_eq!(all.select(Some(unknown)), None, "{unknown}");
        }
    }

    #[test]
    fn only_what_is_named_is_offered() {
        let some = offer(&["moq-lite-01", "moq-lite-07-wip", "moq-lite-04"]);
        assert_eq!(some.alpns(), ["moq-lite-07-wip", "moq-lite-04", "moql", "moql-01"]);
        assert!(some.select(Some("moq-lite-05")).is_none());
        assert_eq!(some.by_code(&[0xff0d_ad02, 0xff0d_ad01]).map(|dialect| dialect.name), Some("moq-lite-01"));

        let new = offer(&["moq-lite-05"]);
        assert_eq!(new.alpns(), ["moq-lite-05"]);
        assert!(new.select(None).is_none() && new.select(Some("moql")).is_none());
    }

    #[test]
    fn the_clients_order_counts_and_its_codes_are_of_setup() {
        let all = Offer::default();
        let chosen = |codes: &[u64]| all.by_code(codes).map(|dialect| dialect.name);
        assert_eq!(chosen(&[0xff0d_ad01, 0xff00_000e]), Some("moq-lite-01"));
        assert_eq!(chosen(&[0xff00_000e, 0xff0d_ad02, 0xff0d_ad01]), Some("moq-lite-02"));
        assert_eq!(chosen(&[0xff0d_ad03, 0xff00_000e]), None, "03 is never chosen in band");
    }
}
