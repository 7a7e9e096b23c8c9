//! The announce stream: which broadcasts exist under a prefix and how they are reached ("Announce stream").

mod init;
mod status;
mod typed;

pub use init::{INIT_01, Init};
pub use status::{ANNOUNCEMENT_01, ANNOUNCEMENT_03, ANNOUNCEMENT_04, ANNOUNCEMENT_05};
pub use typed::{ANNOUNCEMENT_06, ANNOUNCEMENT_07};

use crate::{
    types::{Cost, HopId, Hops, Path},
    wire::{Codec, DecodeError, Decoder, Encoder},
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        coding::tests::{assert_stable, decode, noise},
        integer::Form,
    };

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
