//! Announcements of moq-lite-01 to 05: a status, a path, and what is known of the way.

use super::{Announcement, Target, read_hops, write_hops};
use crate::{
    types::{Cost, Hops, Path},
    wire::{Codec, DecodeError, Decoder, Encoder, coding::INEXPRESSIBLE},
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

const ENDED: u8 = 0;
const ACTIVE: u8 = 1;
const RESTART: u8 = 2;

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

fn active(suffix: Path, hops: Hops) -> Announcement {
    Announcement::Active { suffix, hops, cost: Cost::UNKNOWN }
}

fn invalid_status(status: u8) -> DecodeError {
    DecodeError::Invalid { field: "status", value: status.into() }
}
