//! Programs to begin with, of the bytes that published peers write.

use moq_relay::wire::{
    Dialect, Encoder,
    lite::{
        datagram,
        group::{FrameHeader, Header},
        stream,
    },
};

use super::step;
use crate::{input::block, peers, samples};

pub fn seeds() -> Vec<Vec<u8>> {
    Dialect::every().flat_map(|dialect| [opening(dialect), answering(dialect)]).collect()
}

/// Opens every kind of stream as in the samples, while somebody publishes what they ask for.
fn opening(dialect: &'static Dialect) -> Vec<u8> {
    let number = peers::number(dialect);
    let mut program = vec![number, number + 1, 0, step::ANNOUNCE, 1];
    for (message, bytes) in samples::streams(dialect) {
        match message.as_str() {
            "setup" | "in band" => continue,
            "group" => program.push(step::UNI),
            _ => program.push(step::BI),
        }
        program.extend(block(&bytes));
    }
    let rest = [step::FEED, 0x43, 9, step::READ, 1, step::WAIT, 3, step::FINISH, 1, step::STOP, 2, 1, step::CLOSE, 0];
    [program, rest.into()].concat()
}

/// Answers what the relay asks: announces `cam`, tells of its track, is watched in every way and sends groups.
fn answering(dialect: &'static Dialect) -> Vec<u8> {
    let number = peers::number(dialect);
    let said = |message: &str, what: &str| {
        let is = |row: &samples::Row| row.message == message && !row.typed && row.outcome.starts_with(what);
        samples::dialects().find(|(other, row)| *other == dialect && is(row)).map(|(_, row)| block(&row.bytes))
    };
    let answer = |at: u8, message: &str, what: &str| match said(message, what) {
        Some(block) => [vec![step::WRITE, at], block].concat(),
        None => Vec::new(),
    };
    // Streams are numbered as they come: SETUP, the request for announcements, the relay's SETUP, TRACK, SUBSCRIBE.
    let announces = u8::from(dialect.setup.is_some() || dialect.in_band);
    let tells = announces + 1 + u8::from(dialect.setup.is_some());
    let subscribes = tells + u8::from(dialect.track.is_some());
    let mut program = vec![number, number, 0];
    for (message, what) in [("announce init", "= []"), ("announce ok", "= Ok"), ("announcement", "= Active")] {
        program.extend(answer(announces, message, what));
    }
    program.extend([step::WATCH, 0, 0, step::WATCH, 0, 4]);
    if dialect.track.is_some() {
        program.extend(answer(tells, "track info", "= "));
        program.extend([step::FINISH, tells]);
    }
    program.extend(answer(subscribes, "subscribe reply", "= "));
    for group in samples::groups(dialect).into_iter().chain([far(dialect)]) {
        program.push(step::UNI);
        program.extend(block(&[&[stream::GROUP as u8], &group[..]].concat()));
    }
    for (sequence, timestamp) in [(9, 2000), (10, u64::MAX)] {
        let mut out = Encoder::new(dialect.integers());
        datagram::Header { subscribe: 0, sequence, timestamp }.encode(&mut out);
        out.bytes(b"hi");
        program.push(step::DATAGRAM);
        program.extend(block(&out.into_bytes()));
    }
    // Whole groups, and one from its second frame on.
    for [from, group] in [[0, 9], [0, 10], [66, 8]] {
        program.extend([step::WATCH, from, 2 | group << 3]);
    }
    program.extend([step::WATCH, 0, 1, step::WATCH, 0, 3, step::FINISH, subscribes]);
    program
}

/// Group 8, whose second frame is later than a delta can say.
fn far(dialect: &Dialect) -> Vec<u8> {
    let mut out = Vec::new();
    dialect.framing.encode_group(&Header { subscribe: 0, sequence: 8, frame_start: 0 }, &mut out);
    for delta in [(1 << 61) - 1, 1] {
        dialect.framing.encode_frame(FrameHeader { delta, size: 1 }, &mut out);
        out.push(7);
    }
    out
}
