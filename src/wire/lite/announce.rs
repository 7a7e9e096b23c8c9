//! The announce stream: which broadcasts exist under a prefix and how they are reached ("Announce stream").

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::{
    types::{Cost, HopId, Hops, Path},
    wire::{Codec, DecodeError, Decoder, Encoder, coding::INEXPRESSIBLE, integer::Form},
};

/// ANNOUNCE_REQUEST: tell what is published at or under a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Relative to the session root.
    pub prefix: Path,
    /// Leave out routes through this node: the asking one.
    pub exclude: HopId,
    /// Tell names with a segment that starts with a dot, too.
    pub hidden: bool,
}

/// ANNOUNCE_OK: the answer before the first announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ok {
    /// The answering node, which its announcements leave out of their hops; may be withheld.
    pub hop: HopId,
    /// How many announcements follow at once as the initial set.
    pub active: u64,
}

/// ANNOUNCE_INIT: everything that is live, in one message. Kept as bytes: it may be large, and is read once.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Init {
    count: u64,
    /// Length and text of each suffix, canonical.
    suffixes: BytesMut,
}

impl Init {
    /// Adds what follows the requested prefix.
    pub fn push(&mut self, suffix: &Path) {
        self.count += 1;
        Form::Quic.put(&mut self.suffixes, suffix.as_str().len() as u64);
        self.suffixes.put_slice(suffix.as_str().as_bytes());
    }

    /// How many suffixes there are.
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether nothing is live.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The suffixes in order.
    pub fn iter(&self) -> impl Iterator<Item = Path> + '_ {
        let mut input = Decoder::new(&self.suffixes, Form::Quic);
        std::iter::from_fn(move || input.path().ok())
    }
}

impl FromIterator<Path> for Init {
    fn from_iter<I: IntoIterator<Item = Path>>(suffixes: I) -> Self {
        let mut init = Self::default();
        suffixes.into_iter().for_each(|suffix| init.push(&suffix));
        init
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What happens to one path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Announcement {
    /// The path is available. Where announcements have ids, it takes the stream's next one, from 0.
    Active {
        /// What follows the requested prefix; empty for the prefix itself.
        suffix: Path,
        /// The way so far, publisher first.
        hops: Hops,
        /// The price so far.
        cost: Cost,
    },
    /// The path is gone.
    Ended(Target),
    /// The announcement is replaced in place.
    Restarted {
        /// Which one.
        id: u64,
        /// The new way.
        hops: Hops,
        /// The new price.
        cost: Cost,
    },
    /// [`Announcement::Active`] told by what it shares with earlier ones of the stream.
    ActiveLike {
        /// The earlier one whose first segments come before `suffix`.
        path: Shared,
        /// The rest of the suffix.
        suffix: Path,
        /// The earlier one whose last hops come after `hops`.
        chain: Shared,
        /// The first hops.
        hops: Hops,
        /// The price so far.
        cost: Cost,
    },
    /// [`Announcement::Restarted`] that keeps the last `keep` hops of the chain it replaces.
    RestartedLike {
        /// Which one.
        id: u64,
        /// The earlier one whose last hops come after `hops`; relative to the chain it replaces.
        chain: Shared,
        /// The first hops.
        hops: Hops,
        /// The new price.
        cost: Cost,
    },
    /// A type of message this relay does not know, skipped. It takes no id.
    Unknown(u64),
}

/// What is taken over from an earlier announcement of the same stream (moq-lite-07).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shared {
    /// How far it lies back: 1 is the latest; 0 is none, and then nothing is kept.
    pub base: u64,
    /// How many segments or hops of it are kept.
    pub keep: u64,
}

/// What an announcement ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// The path, as a suffix of the requested prefix.
    Path(Path),
    /// The announcement's id on this stream.
    Id(u64),
}

/// ANNOUNCE_INIT of moq-lite-01 and 02.
pub const INIT_01: Codec<Init> = Codec {
    tagged: false,
    write: |init, out| {
        out.varint(init.count);
        out.bytes(&init.suffixes);
        0
    },
    read: |_, input| {
        let count = input.at("suffix count").varint()?;
        let mut init = Init::default();
        // The count is only believed as far as there are bytes.
        for _ in 0..count {
            init.push(&input.at("suffix").path()?);
        }
        Ok(init)
    },
};

/// ANNOUNCE_REQUEST of moq-lite-01 to 03 and 06: no excluded hop, so it reads as [`HopId::NONE`].
pub const REQUEST_03: Codec<Request> = Codec {
    tagged: false,
    write: |request, out| {
        out.path(&request.prefix);
        0
    },
    read: |_, input| Ok(Request { prefix: input.at("prefix").path()?, exclude: HopId::NONE, hidden: false }),
};

/// ANNOUNCE_REQUEST of moq-lite-04 and 05.
pub const REQUEST_04: Codec<Request> = Codec {
    tagged: false,
    write: |request, out| {
        out.path(&request.prefix);
        out.varint(request.exclude.0);
        0
    },
    read: |_, input| {
        let prefix = input.at("prefix").path()?;
        Ok(Request { prefix, exclude: HopId(input.at("excluded hop").varint()?), hidden: false })
    },
};

/// ANNOUNCE_REQUEST of moq-lite-07.
pub const REQUEST_07: Codec<Request> = Codec {
    tagged: false,
    write: |request, out| {
        out.path(&request.prefix);
        out.byte(request.hidden.into());
        0
    },
    read: |_, input| {
        let prefix = input.at("prefix").path()?;
        let hidden = match input.at("hidden").byte()? {
            0 => false,
            1 => true,
            value => return Err(DecodeError::Invalid { field: "hidden", value: value.into() }),
        };
        Ok(Request { prefix, exclude: HopId::NONE, hidden })
    },
};

/// ANNOUNCE_OK of moq-lite-05 to 07.
pub const OK_05: Codec<Ok> = Codec {
    tagged: false,
    write: |ok, out| {
        out.varint(ok.hop.0);
        out.varint(ok.active);
        0
    },
    read: |_, input| {
        let hop = HopId(input.at("hop").varint()?);
        Ok(Ok { hop, active: input.at("active count").varint()? })
    },
};

/// Announcements of moq-lite-01 and 02: by path alone; nothing is known of the way.
pub const ANNOUNCEMENT_01: Codec<Announcement> = Codec {
    tagged: false,
    write: |announcement, out| match announcement {
        Announcement::Ended(Target::Path(suffix)) => {
            out.byte(ENDED);
            out.path(suffix);
            0
        }
        announcement => write_status(announcement, out, |_, _| ()),
    },
    read: |_, input| {
        let (status, suffix) = (input.at("status").byte()?, input.at("suffix").path()?);
        match status {
            ENDED => Ok(Announcement::Ended(Target::Path(suffix))),
            ACTIVE => Ok(active(suffix, Hops::default())),
            status => Err(invalid_status(status)),
        }
    },
};

/// Announcements of moq-lite-03: by path, with the number of hops alone; reads as that many anonymous hops.
pub const ANNOUNCEMENT_03: Codec<Announcement> = Codec {
    tagged: false,
    write: |announcement, out| write_status(announcement, out, |hops, out| out.varint(hops.len() as u64)),
    read: |_, input| {
        let (status, suffix) = (input.at("status").byte()?, input.at("suffix").path()?);
        let count = input.at("hop count").varint()?;
        match status {
            ENDED => Ok(Announcement::Ended(Target::Path(suffix))),
            ACTIVE => Ok(active(suffix, Hops::anonymous(count)?)),
            status => Err(invalid_status(status)),
        }
    },
};

/// Announcements of moq-lite-04: by path, with hop ids.
pub const ANNOUNCEMENT_04: Codec<Announcement> = Codec {
    tagged: false,
    write: |announcement, out| write_status(announcement, out, write_hops),
    read: |_, input| read_status(input, |status| status == ACTIVE),
};

/// Announcements of moq-lite-05: as 04, and status 2, "restart", is one more way to say active.
pub const ANNOUNCEMENT_05: Codec<Announcement> = Codec {
    tagged: false,
    write: |announcement, out| write_status(announcement, out, write_hops),
    read: |_, input| read_status(input, |status| matches!(status, ACTIVE | RESTART)),
};

/// Announcements of moq-lite-06: typed, ended and replaced by id, with costs.
pub const ANNOUNCEMENT_06: Codec<Announcement> = Codec { tagged: true, write: write_typed, read: read_typed };

/// Announcements of moq-lite-07: as 06, and paths and chains may be told by what they share with earlier ones.
pub const ANNOUNCEMENT_07: Codec<Announcement> = Codec { tagged: true, write: write_like, read: read_like };

const ENDED: u8 = 0;
const ACTIVE: u8 = 1;
const RESTART: u8 = 2;

const TYPE_START: u64 = 0;
const TYPE_END: u64 = 1;
const TYPE_RESTART: u64 = 2;

/// Only paths come and go: ids, replacements and unknown types have no message, costs no field.
fn write_status(announcement: &Announcement, out: &mut Encoder, write_hops: fn(&Hops, &mut Encoder)) -> u64 {
    match announcement {
        Announcement::Active { suffix, hops, cost: _ } => {
            out.byte(ACTIVE);
            out.path(suffix);
            write_hops(hops, out);
        }
        Announcement::Ended(Target::Path(suffix)) => {
            out.byte(ENDED);
            out.path(suffix);
            out.varint(0);
        }
        _ => return INEXPRESSIBLE,
    }
    0
}

fn read_status(input: &mut Decoder<'_>, is_active: fn(u8) -> bool) -> Result<Announcement, DecodeError> {
    let (status, suffix) = (input.at("status").byte()?, input.at("suffix").path()?);
    match status {
        ENDED => {
            // The list is there but means nothing, so nothing in it is wrong.
            for _ in 0..input.at("hop count").varint()? {
                input.at("hop").varint()?;
            }
            Ok(Announcement::Ended(Target::Path(suffix)))
        }
        status if is_active(status) => Ok(active(suffix, read_hops(input)?)),
        status => Err(invalid_status(status)),
    }
}

/// Ends by path have no message, nor has what is told by likeness.
fn write_typed(announcement: &Announcement, out: &mut Encoder) -> u64 {
    match announcement {
        Announcement::Active { suffix, hops, cost } => {
            out.path(suffix);
            write_hops(hops, out);
            write_cost(*cost, out);
            TYPE_START
        }
        Announcement::Ended(Target::Id(id)) => {
            out.varint(*id);
            TYPE_END
        }
        Announcement::Restarted { id, hops, cost } => {
            out.varint(*id);
            write_hops(hops, out);
            write_cost(*cost, out);
            TYPE_RESTART
        }
        Announcement::Unknown(tag) => *tag,
        _ => INEXPRESSIBLE,
    }
}

fn read_typed(tag: u64, input: &mut Decoder<'_>) -> Result<Announcement, DecodeError> {
    Ok(match tag {
        TYPE_START => {
            let (suffix, hops) = (input.at("suffix").path()?, read_hops(input)?);
            Announcement::Active { suffix, hops, cost: read_cost(input)? }
        }
        TYPE_END => Announcement::Ended(Target::Id(input.at("announce id").varint()?)),
        TYPE_RESTART => {
            let (id, hops) = (input.at("announce id").varint()?, read_hops(input)?);
            Announcement::Restarted { id, hops, cost: read_cost(input)? }
        }
        tag => {
            input.rest();
            Announcement::Unknown(tag)
        }
    })
}

fn write_like(announcement: &Announcement, out: &mut Encoder) -> u64 {
    let start = |out: &mut Encoder, path: Shared, suffix: &Path, chain: Shared, hops: &Hops, cost: Cost| {
        out.varint(path.base);
        out.varint(path.keep);
        out.path(suffix);
        write_chain(chain, hops, cost, out);
        TYPE_START
    };
    let restart = |out: &mut Encoder, id: u64, chain: Shared, hops: &Hops, cost: Cost| {
        out.varint(id);
        write_chain(chain, hops, cost, out);
        TYPE_RESTART
    };
    let none = Shared::default();
    match announcement {
        Announcement::Active { suffix, hops, cost } => start(out, none, suffix, none, hops, *cost),
        Announcement::ActiveLike { path, suffix, chain, hops, cost } => start(out, *path, suffix, *chain, hops, *cost),
        Announcement::Restarted { id, hops, cost } => restart(out, *id, none, hops, *cost),
        Announcement::RestartedLike { id, chain, hops, cost } => restart(out, *id, *chain, hops, *cost),
        announcement => write_typed(announcement, out),
    }
}

/// What shares nothing reads as the plain announcement.
fn read_like(tag: u64, input: &mut Decoder<'_>) -> Result<Announcement, DecodeError> {
    let none = Shared::default();
    match tag {
        TYPE_START => {
            let path = read_shared(input.at("path base").varint()?, input.at("path keep"))?;
            let suffix = input.at("suffix").path()?;
            let (chain, hops, cost) = read_chain(input)?;
            Ok(if (path, chain) == (none, none) {
                Announcement::Active { suffix, hops, cost }
            } else {
                Announcement::ActiveLike { path, suffix, chain, hops, cost }
            })
        }
        TYPE_RESTART => {
            let id = input.at("announce id").varint()?;
            let (chain, hops, cost) = read_chain(input)?;
            Ok(if chain == none {
                Announcement::Restarted { id, hops, cost }
            } else {
                Announcement::RestartedLike { id, chain, hops, cost }
            })
        }
        tag => read_typed(tag, input),
    }
}

fn write_chain(chain: Shared, hops: &Hops, cost: Cost, out: &mut Encoder) {
    out.varint(chain.base);
    write_hops(hops, out);
    out.varint(chain.keep);
    write_cost(cost, out);
}

fn read_chain(input: &mut Decoder<'_>) -> Result<(Shared, Hops, Cost), DecodeError> {
    let base = input.at("hop base").varint()?;
    let hops = read_hops(input)?;
    let chain = read_shared(base, input.at("hop keep"))?;
    Ok((chain, hops, read_cost(input)?))
}

fn read_shared(base: u64, input: &mut Decoder<'_>) -> Result<Shared, DecodeError> {
    let keep = input.varint()?;
    // moq-lite-07: of nothing, nothing is kept.
    if base == 0 && keep > 0 {
        return Err(DecodeError::Invalid { field: "keep", value: keep });
    }
    Ok(Shared { base, keep })
}

fn write_hops(hops: &Hops, out: &mut Encoder) {
    out.varint(hops.len() as u64);
    hops.iter().for_each(|hop| out.varint(hop.0));
}

fn read_hops(input: &mut Decoder<'_>) -> Result<Hops, DecodeError> {
    let count = input.at("hop count").varint()?;
    if count > Hops::MAX as u64 {
        return Err(DecodeError::TooManyHops);
    }
    let mut hops = Hops::default();
    for _ in 0..count {
        hops.push(HopId(input.at("hop").varint()?))?;
    }
    // A list that names a node twice has gone in a circle.
    if hops.has_repeat() { Err(DecodeError::RepeatedHop) } else { Ok(hops) }
}

fn write_cost(cost: Cost, out: &mut Encoder) {
    out.varint(cost.warm);
    out.varint(cost.cold);
}

fn read_cost(input: &mut Decoder<'_>) -> Result<Cost, DecodeError> {
    let warm = input.at("warm cost").varint()?;
    Ok(Cost { warm, cold: input.at("cold cost").varint()? })
}

fn active(suffix: Path, hops: Hops) -> Announcement {
    Announcement::Active { suffix, hops, cost: Cost::UNKNOWN }
}

fn invalid_status(status: u8) -> DecodeError {
    DecodeError::Invalid { field: "status", value: status.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coding::tests::{assert_stable, decode, noise};

    #[test]
    fn hop_lists_are_short_and_straight() {
        let mut body = vec![1, 0, 32];
        body.extend(1..=32);
        assert!(decode(&ANNOUNCEMENT_05, 0, &body).is_ok());
        assert_eq!(decode(&ANNOUNCEMENT_05, 0, &[1, 0, 33]), Err(DecodeError::TooManyHops));
        assert_eq!(decode(&ANNOUNCEMENT_03, 0, &[1, 0, 33]), Err(DecodeError::TooManyHops));
        assert_eq!(decode(&ANNOUNCEMENT_05, 0, &[1, 0, 2, 7, 7]), Err(DecodeError::RepeatedHop));
        assert!(decode(&ANNOUNCEMENT_05, 0, &[1, 0, 2, 0, 0]).is_ok());
    }

    #[test]
    fn the_hops_of_an_end_are_read_past() {
        let ended = Ok(Announcement::Ended(Target::Path(Path::root())));
        assert_eq!(decode(&ANNOUNCEMENT_04, 0, &[0, 0, 2, 7, 7]), ended);
        assert_eq!(decode(&ANNOUNCEMENT_03, 0, &[0, 0, 40]), ended);
        assert_eq!(decode(&ANNOUNCEMENT_04, 0, &[0, 0, 2, 7]), Err(DecodeError::Short { field: "hop" }));
    }

    #[test]
    fn unknown_types_are_skipped() {
        assert_eq!(decode(&ANNOUNCEMENT_06, 7, &[1, 2, 3]), Ok(Announcement::Unknown(7)));
    }

    #[test]
    fn what_a_dialect_cannot_say_it_does_not_say() {
        let mut out = Encoder::new(Form::Quic);
        ANNOUNCEMENT_05.encode(&Announcement::Ended(Target::Id(3)), &mut out);
        ANNOUNCEMENT_06.encode(&Announcement::Ended(Target::Path(Path::root())), &mut out);
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn stable(body in noise(), tag in 0..5u64) {
            assert_stable(&REQUEST_03, 0, &body);
            assert_stable(&REQUEST_04, 0, &body);
            assert_stable(&REQUEST_07, 0, &body);
            assert_stable(&INIT_01, 0, &body);
            assert_stable(&ANNOUNCEMENT_01, 0, &body);
            assert_stable(&OK_05, 0, &body);
            assert_stable(&ANNOUNCEMENT_03, 0, &body);
            assert_stable(&ANNOUNCEMENT_04, 0, &body);
            assert_stable(&ANNOUNCEMENT_05, 0, &body);
            assert_stable(&ANNOUNCEMENT_06, tag, &body);
            assert_stable(&ANNOUNCEMENT_07, tag, &body);
        }
    }
}
