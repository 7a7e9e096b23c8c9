//! The subscribe stream: what a subscriber wants of a track and how a publisher answers ("SUBSCRIBE" and after).

use std::time::Duration;

use super::MAX_TRACK_NAME;
use crate::{
    types::{Path, Preferences, Start},
    wire::{Codec, DecodeError, Decoder, Encoder, coding::INEXPRESSIBLE},
};

/// SUBSCRIBE: the first message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscribe {
    /// Unique in a session and direction; groups name it.
    pub id: u64,
    /// Relative to the session root.
    pub broadcast: Path,
    /// Opaque text of at most [`MAX_TRACK_NAME`] bytes.
    pub track: String,
    /// May be replaced by a SUBSCRIBE_UPDATE later on.
    pub preferences: Preferences,
}

/// What a publisher says on the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// SUBSCRIBE_OK: the subscription is accepted.
    Ok {
        /// The publisher's priority.
        priority: u8,
        /// How long the publisher keeps groups.
        max_age: Duration,
        /// The first group; `None` is the latest.
        start: Option<u64>,
        /// The last group, inclusive; `None` is open.
        end: Option<u64>,
    },
    /// SUBSCRIBE_START: the first group that will be delivered.
    Start(u64),
    /// SUBSCRIBE_END: no more groups will come.
    End {
        /// The first group that will never exist; 0 when there are no groups.
        group: u64,
        /// How many group streams were opened for the subscription, where the dialect tells.
        streams: Option<u64>,
    },
    /// SUBSCRIBE_DROP: groups that will not be delivered.
    Drop {
        /// The first of them.
        first: u64,
        /// The last of them, inclusive.
        last: u64,
        /// Why: a stream code.
        code: u64,
    },
}

/// SUBSCRIBE of moq-lite-01 and 02: a priority and nothing else. Age is unbounded, the start is the newest group.
pub const SUBSCRIBE_01: Codec<Subscribe> = Codec {
    tagged: false,
    write: |subscribe, out| write_subscribe(subscribe, out, |preferences, out| out.byte(preferences.priority)),
    read: |_, input| {
        read_subscribe(input, |input| {
            Ok(Preferences { priority: input.at("priority").byte()?, max_age: None, ..Preferences::default() })
        })
    },
};

/// SUBSCRIBE of moq-lite-03 to 05: whole groups only, `ordered` is written as 0 and ignored.
pub const SUBSCRIBE_03: Codec<Subscribe> = Codec {
    tagged: false,
    write: |subscribe, out| write_subscribe(subscribe, out, write_ordered),
    read: |_, input| read_subscribe(input, read_ordered),
};

/// SUBSCRIBE of moq-lite-06. The start is a floor: [`Start::Latest`] is written as 0, so what is sent first is the
/// oldest group inside `max_age`; ask with a `max_age` of 0 for the latest.
pub const SUBSCRIBE_06: Codec<Subscribe> = Codec {
    tagged: false,
    write: |subscribe, out| write_subscribe(subscribe, out, write_framed),
    read: |_, input| read_subscribe(input, read_framed),
};

/// SUBSCRIBE_UPDATE of moq-lite-03 to 05, with the fields of [`SUBSCRIBE_03`].
pub const UPDATE_03: Codec<Preferences> = Codec {
    tagged: false,
    write: |preferences, out| {
        write_ordered(preferences, out);
        0
    },
    read: |_, input| read_ordered(input),
};

/// SUBSCRIBE_UPDATE of moq-lite-06, with the fields of [`SUBSCRIBE_06`].
pub const UPDATE_06: Codec<Preferences> = Codec {
    tagged: false,
    write: |preferences, out| {
        write_framed(preferences, out);
        0
    },
    read: |_, input| read_framed(input),
};

/// The reply of moq-lite-01: SUBSCRIBE_OK with a priority.
pub const REPLY_01: Codec<Reply> = Codec {
    tagged: false,
    write: |reply, out| match reply {
        Reply::Ok { priority, .. } => {
            out.byte(*priority);
            0
        }
        Reply::Start(_) | Reply::End { .. } | Reply::Drop { .. } => INEXPRESSIBLE,
    },
    read: |_, input| Ok(accepted(input.at("priority").byte()?)),
};

/// The reply of moq-lite-02: an empty SUBSCRIBE_OK.
pub const REPLY_02: Codec<Reply> = Codec {
    tagged: false,
    write: |reply, _| match reply {
        Reply::Ok { .. } => 0,
        Reply::Start(_) | Reply::End { .. } | Reply::Drop { .. } => INEXPRESSIBLE,
    },
    read: |_, _| Ok(accepted(0)),
};

/// Replies of moq-lite-03 and 04: accepted, or groups dropped. There is no START or END.
pub const REPLY_03: Codec<Reply> = Codec {
    tagged: true,
    write: |reply, out| match reply {
        Reply::Ok { priority, max_age, start, end } => {
            out.byte(*priority);
            out.byte(ORDERED);
            out.millis(*max_age);
            out.optional(*start);
            out.optional(*end);
            0
        }
        Reply::Drop { first, last, code } => write_drop(1, [*first, *last, *code], out),
        Reply::Start(_) | Reply::End { .. } => INEXPRESSIBLE,
    },
    read: |tag, input| match tag {
        0 => {
            let priority = input.at("priority").byte()?;
            input.at("ordered").byte()?;
            let max_age = input.at("max age").millis()?;
            let (start, end) = (input.at("group start").optional()?, input.at("group end").optional()?);
            Ok(Reply::Ok { priority, max_age, start, end })
        }
        1 => read_drop(input),
        tag => Err(DecodeError::Invalid { field: "reply type", value: tag }),
    },
};

/// Replies of moq-lite-05 and 06: START, END and DROP. There is no OK, and END tells no number of streams.
pub const REPLY_05: Codec<Reply> = Codec {
    tagged: true,
    write: |reply, out| match reply {
        Reply::Start(sequence) => {
            out.varint(*sequence);
            0
        }
        Reply::End { group, streams: _ } => {
            out.varint(*group);
            1
        }
        Reply::Drop { first, last, code } => write_drop(2, [*first, *last, *code], out),
        Reply::Ok { .. } => INEXPRESSIBLE,
    },
    read: |tag, input| match tag {
        0 => Ok(Reply::Start(input.at("first group").varint()?)),
        1 => Ok(Reply::End { group: input.at("end group").varint()?, streams: None }),
        2 => read_drop(input),
        tag => Err(DecodeError::Invalid { field: "reply type", value: tag }),
    },
};

/// Replies of moq-lite-07: START, and END with the number of streams. There is no DROP; an unknown number is told as 0.
pub const REPLY_07: Codec<Reply> = Codec {
    tagged: true,
    write: |reply, out| match reply {
        Reply::End { group, streams } => {
            out.varint(*group);
            out.varint(streams.unwrap_or_default());
            1
        }
        Reply::Drop { .. } => INEXPRESSIBLE,
        reply => (REPLY_05.write)(reply, out),
    },
    read: |tag, input| match tag {
        1 => {
            let group = input.at("end group").varint()?;
            Ok(Reply::End { group, streams: Some(input.at("stream count").varint()?) })
        }
        2 => Err(DecodeError::Invalid { field: "reply type", value: tag }),
        tag => (REPLY_05.read)(tag, input),
    },
};

/// SUBSCRIBE_OK of dialects that tell no more than this.
const fn accepted(priority: u8) -> Reply {
    Reply::Ok { priority, max_age: Duration::ZERO, start: None, end: None }
}

/// The retired `ordered` byte: written as 0, ignored when read.
const ORDERED: u8 = 0;

/// Written for "unbounded"; the encoder lowers it to what peers can read.
const UNBOUNDED: Duration = Duration::MAX;

fn write_subscribe(subscribe: &Subscribe, out: &mut Encoder, write: fn(&Preferences, &mut Encoder)) -> u64 {
    out.varint(subscribe.id);
    out.path(&subscribe.broadcast);
    out.string(&subscribe.track);
    write(&subscribe.preferences, out);
    0
}

fn read_subscribe(
    input: &mut Decoder<'_>,
    read: fn(&mut Decoder<'_>) -> Result<Preferences, DecodeError>,
) -> Result<Subscribe, DecodeError> {
    let id = input.at("subscribe id").varint()?;
    let broadcast = input.at("broadcast").path()?;
    let track = input.at("track name").string_within(MAX_TRACK_NAME)?;
    Ok(Subscribe { id, broadcast, track, preferences: read(input)? })
}

/// Start as sequence + 1. Frame bounds have no field: the subscriber gets whole groups.
fn write_ordered(preferences: &Preferences, out: &mut Encoder) {
    out.byte(preferences.priority);
    out.byte(ORDERED);
    out.millis(preferences.max_age.unwrap_or(UNBOUNDED));
    out.optional(match preferences.start {
        Start::Latest | Start::Fresh { floor: 0 } => None,
        Start::At(sequence) | Start::Fresh { floor: sequence } => Some(sequence),
    });
    out.optional(preferences.end);
}

fn read_ordered(input: &mut Decoder<'_>) -> Result<Preferences, DecodeError> {
    let priority = input.at("priority").byte()?;
    input.at("ordered").byte()?;
    let max_age = input.at("max age").millis()?;
    let start = input.at("group start").optional()?.map_or(Start::Latest, Start::At);
    let end = input.at("group end").optional()?;
    Ok(Preferences { priority, max_age: Some(max_age), start, start_frame: 0, end, end_frame: None })
}

/// Start as a plain floor, and frame bounds.
fn write_framed(preferences: &Preferences, out: &mut Encoder) {
    out.byte(preferences.priority);
    out.millis(preferences.max_age.unwrap_or(UNBOUNDED));
    out.varint(match preferences.start {
        Start::Latest => 0,
        Start::At(sequence) | Start::Fresh { floor: sequence } => sequence,
    });
    out.optional(preferences.end);
    out.varint(preferences.start_frame);
    // Without a last group there is no last frame.
    out.optional(preferences.end.and(preferences.end_frame));
}

fn read_framed(input: &mut Decoder<'_>) -> Result<Preferences, DecodeError> {
    let priority = input.at("priority").byte()?;
    let max_age = input.at("max age").millis()?;
    let floor = input.at("group start").varint()?;
    let end = input.at("group end").optional()?;
    let start_frame = input.at("frame start").varint()?;
    let end_frame = input.at("frame end").optional()?;
    // moq-lite-06 "SUBSCRIBE": a frame end other than 0 with a group end of 0 is an error.
    if let (None, Some(frame)) = (end, end_frame) {
        return Err(DecodeError::Invalid { field: "frame end", value: frame + 1 });
    }
    Ok(Preferences { priority, max_age: Some(max_age), start: Start::Fresh { floor }, start_frame, end, end_frame })
}

fn write_drop(tag: u64, fields: [u64; 3], out: &mut Encoder) -> u64 {
    fields.into_iter().for_each(|field| out.varint(field));
    tag
}

fn read_drop(input: &mut Decoder<'_>) -> Result<Reply, DecodeError> {
    let (first, last) = (input.at("first group").varint()?, input.at("last group").varint()?);
    Ok(Reply::Drop { first, last, code: input.at("code").varint()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        coding::tests::{assert_stable, decode, noise},
        integer::Form,
    };

    fn update(codec: &Codec<Preferences>, preferences: &Preferences) -> Preferences {
        let mut out = Encoder::new(Form::Quic);
        codec.encode(preferences, &mut out);
        decode(codec, 0, &out.into_bytes()[1..]).unwrap()
    }

    fn starting(start: Start) -> Preferences {
        Preferences { start, max_age: Some(Duration::ZERO), ..Preferences::default() }
    }

    #[test]
    fn starts_translate() {
        for (start, old, new) in [
            (Start::Latest, Start::Latest, 0),
            (Start::At(0), Start::At(0), 0),
            (Start::At(7), Start::At(7), 7),
            (Start::Fresh { floor: 0 }, Start::Latest, 0),
            (Start::Fresh { floor: 7 }, Start::At(7), 7),
        ] {
            assert_eq!(update(&UPDATE_03, &starting(start)).start, old);
            assert_eq!(update(&UPDATE_06, &starting(start)).start, Start::Fresh { floor: new });
        }
    }

    #[test]
    fn unbounded_is_very_long() {
        let preferences = Preferences::default();
        for codec in [UPDATE_03, UPDATE_06] {
            assert_eq!(update(&codec, &preferences).max_age, Some(Duration::from_millis((1 << 53) - 1)));
        }
    }

    #[test]
    fn a_last_frame_needs_a_last_group() {
        let error = DecodeError::Invalid { field: "frame end", value: 3 };
        assert_eq!(decode(&UPDATE_06, 0, &[9, 0, 0, 0, 0, 3]), Err(error));
        let preferences = Preferences { end_frame: Some(2), ..starting(Start::Latest) };
        assert_eq!(update(&UPDATE_06, &preferences).end_frame, None);
    }

    #[test]
    fn track_names_are_bounded() {
        let subscribe = |len| Subscribe {
            id: 0,
            broadcast: Path::root(),
            track: "t".repeat(len),
            preferences: starting(Start::Fresh { floor: 0 }),
        };
        let body = |len| {
            let mut out = Encoder::new(Form::Quic);
            (SUBSCRIBE_06.write)(&subscribe(len), &mut out);
            out.into_bytes()
        };
        assert_eq!(decode(&SUBSCRIBE_06, 0, &body(256)), Ok(subscribe(256)));
        let error = DecodeError::TooLong { field: "track name", limit: 256, size: 257 };
        assert_eq!(decode(&SUBSCRIBE_06, 0, &body(257)), Err(error));
    }

    #[test]
    fn replies_of_other_dialects_are_not_sent() {
        let mut out = Encoder::new(Form::Quic);
        let end = Reply::End { group: 1, streams: None };
        for codec in [REPLY_01, REPLY_02, REPLY_03] {
            codec.encode(&Reply::Start(1), &mut out);
            codec.encode(&end, &mut out);
        }
        let drop = Reply::Drop { first: 1, last: 1, code: 0 };
        for codec in [REPLY_01, REPLY_02, REPLY_07] {
            codec.encode(&drop, &mut out);
        }
        REPLY_05.encode(&Reply::Ok { priority: 0, max_age: Duration::ZERO, start: None, end: None }, &mut out);
        assert!(out.is_empty());
        assert_eq!(decode(&REPLY_05, 3, &[]), Err(DecodeError::Invalid { field: "reply type", value: 3 }));
    }

    proptest! {
        #[test]
        fn stable(body in noise(), tag in 0..4u64) {
            assert_stable(&SUBSCRIBE_01, 0, &body);
            assert_stable(&SUBSCRIBE_03, 0, &body);
            assert_stable(&SUBSCRIBE_06, 0, &body);
            assert_stable(&UPDATE_03, 0, &body);
            assert_stable(&UPDATE_06, 0, &body);
            assert_stable(&REPLY_03, tag, &body);
            assert_stable(&REPLY_05, tag, &body);
            assert_stable(&REPLY_07, tag, &body);
            assert_stable(&REPLY_01, 0, &body);
            assert_stable(&REPLY_02, 0, &body);
        }
    }
}
