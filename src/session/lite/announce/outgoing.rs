//! The book of one announce stream: what the peer holds, and the message that brings it up to date.
//!
//! ```text
//!            route                      another route (05: active, 06: RESTART, before: nothing)
//!  absent ─────────► announced(advert) ─────────► announced(advert')
//!     ▲     active        │     ▲  │
//!     └───────────────────┘     └──┘ another publisher's content, to a node another chain (before 05: ended, active)
//!          no route: ended
//! ```

use std::collections::HashMap;

use super::likeness::Latest;
use crate::{
    model::origin::{Advert, Change},
    types::{HopId, Hops, Path},
    wire::{
        Dialect, Encoder,
        dialect::{HopForm, Replace},
        lite::announce::{self, Announcement, Init, Target},
    },
};

/// What was said on one stream.
#[derive(Debug)]
pub(super) struct Outgoing {
    dialect: &'static Dialect,
    own: HopId,
    /// The peer is another node: it goes by the chains that it is told.
    to_node: bool,
    said: HashMap<Path, Said>,
    next_id: u64,
    latest: Latest,
}

#[derive(Debug)]
struct Said {
    id: u64,
    advert: Advert,
}

impl Outgoing {
    pub(super) fn new(dialect: &'static Dialect, own: HopId, to_node: bool) -> Self {
        Self { dialect, own, to_node, said: HashMap::new(), next_id: 0, latest: Latest::default() }
    }

    /// What the stream begins with: the complete set, behind or inside of the message that the dialect has for it.
    pub(super) fn first(&mut self, changes: Vec<Change>) -> Encoder {
        let mut out = Encoder::new(self.dialect.integers());
        if let Some(codec) = &self.dialect.announce_init {
            codec.encode(&self.init(changes), &mut out);
            return out;
        }
        let mut announcements = Encoder::new(self.dialect.integers());
        for change in changes {
            self.change(change, &mut announcements);
        }
        if let Some(codec) = &self.dialect.announce_ok {
            codec.encode(&announce::Ok { hop: self.own, active: self.said.len() as u64 }, &mut out);
        }
        out.bytes(&announcements.into_bytes());
        out
    }

    fn init(&mut self, changes: Vec<Change>) -> Init {
        let told = changes.into_iter().filter_map(|change| {
            let advert = change.advert?;
            self.hops(&advert)?;
            self.said.insert(change.suffix.clone(), Said { id: 0, advert });
            Some(change.suffix)
        });
        told.collect()
    }

    /// Writes what the peer must hear of a change, if anything.
    pub(super) fn change(&mut self, change: Change, out: &mut Encoder) {
        let Change { suffix, advert, renewed } = change;
        // A route that cannot be told, because its chain is full, is no route for this peer.
        let told = advert.and_then(|advert| Some((self.hops(&advert)?, advert)));
        match (told, self.said.get_mut(&suffix)) {
            (None, None) => {}
            (None, Some(_)) => self.end(suffix, out),
            (Some((hops, advert)), None) => self.start(suffix, hops, advert, out),
            (Some((hops, advert)), Some(said)) => {
                let another_way = self.to_node && said.advert.hops != advert.hops;
                // A node that is told chains knows the publisher by them.
                let another_publisher = renewed.0 && !(self.to_node && self.dialect.hops.names_nodes());
                match self.dialect.replace {
                    Replace::Retract if another_way || another_publisher => {
                        self.end(suffix.clone(), out);
                        self.start(suffix, hops, advert, out);
                    }
                    Replace::Retract => {}
                    _ if said.advert == advert => {}
                    Replace::Again => {
                        said.advert = advert.clone();
                        self.write(&Announcement::Active { suffix, hops, cost: advert.cost }, out);
                    }
                    Replace::Restart => {
                        said.advert = advert.clone();
                        let id = said.id;
                        self.latest.restart(id, &hops);
                        self.write(&Announcement::Restarted { id, hops, cost: advert.cost }, out);
                    }
                }
            }
        }
    }

    fn start(&mut self, suffix: Path, hops: Hops, advert: Advert, out: &mut Encoder) {
        let announcement = if self.dialect.likeness {
            self.latest.start(self.next_id, suffix.clone(), hops, advert.cost)
        } else {
            Announcement::Active { suffix: suffix.clone(), hops, cost: advert.cost }
        };
        self.write(&announcement, out);
        self.said.insert(suffix, Said { id: self.next_id, advert });
        self.next_id += 1;
    }

    fn end(&mut self, suffix: Path, out: &mut Encoder) {
        let Some(said) = self.said.remove(&suffix) else { return };
        self.latest.end(said.id);
        let target = match self.dialect.replace {
            Replace::Restart => Target::Id(said.id),
            Replace::Retract | Replace::Again => Target::Path(suffix),
        };
        self.write(&Announcement::Ended(target), out);
    }

    fn write(&self, announcement: &Announcement, out: &mut Encoder) {
        self.dialect.announcement.encode(announcement, out);
    }

    /// The chain as this dialect tells it. With this relay it must stay within what peers accept.
    fn hops(&self, advert: &Advert) -> Option<Hops> {
        let mut hops = advert.hops.clone();
        hops.push(self.own).ok()?;
        match self.dialect.hops {
            HopForm::Absent | HopForm::Count | HopForm::SenderAppends => Some(hops),
            HopForm::ReceiverAppends => Some(advert.hops.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::origin::Renewed, types::Cost, wire::Decoder};

    fn advert(hop: u64) -> Option<Advert> {
        Some(Advert { hops: Hops::new([HopId(hop)]).unwrap(), cost: Cost::FREE })
    }

    /// What is written for a series of changes of one path.
    fn told(dialect: &str, changes: &[(Option<Advert>, bool)]) -> Vec<Announcement> {
        let dialect = Dialect::by_name(dialect).unwrap();
        let form = dialect.integers();
        let mut outgoing = Outgoing::new(dialect, HopId(42), false);
        let mut out = Encoder::new(form);
        for (advert, renewed) in changes.iter().cloned() {
            outgoing.change(change("cam", advert, renewed), &mut out);
        }
        let bytes = out.into_bytes();
        let (mut input, mut told) = (Decoder::new(&bytes, form), Vec::new());
        while !input.is_empty() {
            let tag = if dialect.announcement.tagged { input.varint().unwrap() } else { 0 };
            let size = input.varint().unwrap() as usize;
            let (body, rest) = input.rest().split_at(size);
            told.push(dialect.announcement.decode(tag, Decoder::new(body, form)).unwrap());
            input = Decoder::new(rest, form);
        }
        told
    }

    fn change(suffix: &str, advert: Option<Advert>, renewed: bool) -> Change {
        Change { suffix: Path::parse(suffix).unwrap(), advert, renewed: Renewed(renewed) }
    }

    #[test]
    fn the_first_answer_holds_everything_and_is_never_empty() {
        let first = |dialect: &str, changes| {
            let mut outgoing = Outgoing::new(Dialect::by_name(dialect).unwrap(), HopId(42), false);
            let first = outgoing.first(changes).into_bytes();
            let mut ended = Encoder::new(Dialect::by_name(dialect).unwrap().integers());
            outgoing.change(change("cam", None, false), &mut ended);
            (first, !ended.is_empty())
        };
        for dialect in ["moq-lite-01", "moq-lite-02"] {
            let changes = vec![change("cam", advert(7), false), change("mic", advert(7), false)];
            assert_eq!(first(dialect, vec![]), ([1, 0][..].to_vec().into(), false));
            assert_eq!(first(dialect, changes), (b"\x09\x02\x03cam\x03mic"[..].into(), true));
        }
        for dialect in ["moq-lite-05", "moq-lite-06", "moq-lite-07-wip"] {
            assert_eq!(first(dialect, vec![]), ([2, 42, 0][..].to_vec().into(), false));
        }
    }

    fn kinds(told: &[Announcement]) -> Vec<&'static str> {
        told.iter()
            .map(|announcement| match announcement {
                Announcement::Active { .. } => "active",
                Announcement::Ended(_) => "ended",
                Announcement::Restarted { .. } => "restarted",
                _ => "unknown",
            })
            .collect()
    }

    #[test]
    fn each_dialect_hears_what_it_can_bear() {
        let changes = [(advert(7), false), (advert(7), false), (advert(8), false), (advert(8), true), (None, false)];
        for retracting in ["moq-lite-01", "moq-lite-02", "moq-lite-03", "moq-lite-04"] {
            assert_eq!(kinds(&told(retracting, &changes)), ["active", "ended", "active", "ended"]);
        }
        assert_eq!(kinds(&told("moq-lite-05", &changes)), ["active", "active", "ended"]);
        for restarting in ["moq-lite-06", "moq-lite-07-wip"] {
            assert_eq!(kinds(&told(restarting, &changes)), ["active", "restarted", "ended"]);
        }
    }

    #[test]
    fn a_node_hears_of_another_chain_and_knows_the_publisher_by_it() {
        let mut outgoing = Outgoing::new(Dialect::by_name("moq-lite-04").unwrap(), HopId(42), true);
        let mut says = |hop, renewed| {
            let mut out = Encoder::new(outgoing.dialect.integers());
            outgoing.change(change("cam", advert(hop), renewed), &mut out);
            !out.is_empty()
        };
        assert_eq!([says(7, false), says(7, true), says(8, false), says(8, true)], [true, false, true, false]);
    }

    #[test]
    fn nothing_unannounced_is_ended_and_ids_count_starts() {
        assert!(told("moq-lite-06", &[(None, false), (None, true)]).is_empty());
        let told = told("moq-lite-06", &[(advert(7), false), (None, false), (advert(7), false), (None, false)]);
        assert_eq!(told[1], Announcement::Ended(Target::Id(0)));
        assert_eq!(told[3], Announcement::Ended(Target::Id(1)));
    }

    #[test]
    fn the_chain_is_told_as_the_dialect_has_it() {
        let hops = |dialect| match &told(dialect, &[(advert(7), false)])[0] {
            Announcement::Active { hops, .. } => hops.iter().map(|hop| hop.0).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(hops("moq-lite-02"), [0; 0]);
        assert_eq!(hops("moq-lite-03"), [0, 0]);
        assert_eq!(hops("moq-lite-04"), [7, 42]);
        assert_eq!(hops("moq-lite-05"), [7]);
        assert_eq!(hops("moq-lite-06"), [7]);
    }

    #[test]
    fn a_full_chain_goes_no_further() {
        let full = Advert { hops: Hops::anonymous(32).unwrap(), cost: Cost::FREE };
        assert!(told("moq-lite-05", &[(Some(full), false)]).is_empty());
    }
}
