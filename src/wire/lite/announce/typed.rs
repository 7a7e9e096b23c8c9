//! Announcements of moq-lite-06 and 07: typed, with ids and costs.

use super::{Announcement, Shared, Target, read_hops, write_hops};
use crate::{
    types::{Cost, Hops, Path},
    wire::{Codec, DecodeError, Decoder, Encoder, coding::INEXPRESSIBLE},
};

/// Announcements of moq-lite-06: typed, ended and replaced by id, with costs.
pub const ANNOUNCEMENT_06: Codec<Announcement> = Codec { tagged: true, write: write_typed, read: read_typed };

/// Announcements of moq-lite-07: as 06, and paths and chains may be told by what they share with earlier ones.
pub const ANNOUNCEMENT_07: Codec<Announcement> = Codec { tagged: true, write: write_like, read: read_like };

const TYPE_START: u64 = 0;
const TYPE_END: u64 = 1;
const TYPE_RESTART: u64 = 2;

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

fn write_cost(cost: Cost, out: &mut Encoder) {
    out.varint(cost.warm);
    out.varint(cost.cold);
}

fn read_cost(input: &mut Decoder<'_>) -> Result<Cost, DecodeError> {
    let warm = input.at("warm cost").varint()?;
    Ok(Cost { warm, cold: input.at("cold cost").varint()? })
}
