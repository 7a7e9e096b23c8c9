//! Bytes that published peers write, read and written back by every dialect. The rows are in `tests/samples`; numbers
//! are those of the wire reference.

use std::fmt::Debug;

use proptest::prelude::*;

use super::{
    datagram, stream,
    versions::{LITE_01, LITE_02, LITE_03, LITE_04, LITE_05, LITE_06, LITE_07},
};
use crate::wire::{
    Codec, DecodeError, Decoder, Dialect, Encoder,
    coding::tests::assert_stable,
    lite::group::{FrameHeader, Framing, Header},
};

const TABLES: [(&Dialect, &str); 7] = [
    (&LITE_01, include_str!("../../../tests/samples/moq-lite-01/samples.txt")),
    (&LITE_02, include_str!("../../../tests/samples/moq-lite-02/samples.txt")),
    (&LITE_03, include_str!("../../../tests/samples/moq-lite-03/samples.txt")),
    (&LITE_04, include_str!("../../../tests/samples/moq-lite-04/samples.txt")),
    (&LITE_05, include_str!("../../../tests/samples/moq-lite-05/samples.txt")),
    (&LITE_06, include_str!("../../../tests/samples/moq-lite-06/samples.txt")),
    (&LITE_07, include_str!("../../../tests/samples/moq-lite-07-wip/samples.txt")),
];

/// One line of a table: `name | message | hex | outcome`.
struct Row {
    name: String,
    /// The message, after `stream` when the bytes start with a stream type.
    message: &'static str,
    /// Whether the bytes start with a stream type.
    typed: bool,
    bytes: Vec<u8>,
    outcome: Outcome,
}

/// What reading must give, as its `Debug` text.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// `= value`, and writing the value gives the same bytes.
    Both(&'static str),
    /// `< value`: only reading, as nobody writes it like this.
    Read(&'static str),
    /// `! error`.
    Fail(&'static str),
}

#[test]
fn every_sample_reads_and_writes() {
    for (dialect, row) in rows() {
        check(dialect, &row);
    }
}

proptest! {
    #[test]
    fn damaged_samples_never_panic(
        row: prop::sample::Index,
        at: prop::sample::Index,
        byte: u8,
        keep: Option<prop::sample::Index>,
    ) {
        let rows: Vec<_> = rows().collect();
        let (dialect, row) = &rows[row.index(rows.len())];
        let mut bytes = row.bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()) + 1);
        }
        let _ = dialect.framing.decode_frame(&bytes);
        let _ = dialect.framing.decode_group(&bytes);
        let _ = datagram::Header::decode(&bytes, dialect.integers());
        for skip in 0..bytes.len().min(4) {
            stable(dialect, &bytes[skip..]);
        }
    }
}

fn rows() -> impl Iterator<Item = (&'static Dialect, Row)> {
    TABLES.into_iter().flat_map(|(dialect, table)| {
        let name = dialect.name;
        let lines = table.lines().filter(|line| !line.starts_with('#'));
        lines.map(move |line| (dialect, parse(name, line)))
    })
}

fn parse(dialect: &str, line: &'static str) -> Row {
    let [name, message, hex, outcome] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
        panic!("{dialect}: not a row: {line}")
    };
    let bytes = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let outcome = match outcome.split_at(2) {
        ("= ", value) => Outcome::Both(value),
        ("< ", value) => Outcome::Read(value),
        ("! ", error) => Outcome::Fail(error),
        _ => panic!("{dialect}: no outcome: {line}"),
    };
    let typed = message.starts_with("stream ");
    let message = message.trim_start_matches("stream ");
    Row { name: format!("{dialect} row {name}"), message, typed, bytes, outcome }
}

fn check(dialect: &Dialect, row: &Row) {
    match row.message {
        "setup" => check_message(dialect, row, stream::SETUP, dialect.setup.unwrap()),
        "announce init" => check_message(dialect, row, stream::ANNOUNCE, dialect.announce_init.unwrap()),
        "probe" => check_message(dialect, row, stream::PROBE, dialect.probe.unwrap()),
        "datagram" => check_datagram(dialect, row),
        "announce request" => check_message(dialect, row, stream::ANNOUNCE, dialect.announce_request),
        "announce ok" => check_message(dialect, row, stream::ANNOUNCE, dialect.announce_ok.unwrap()),
        "announcement" => check_message(dialect, row, stream::ANNOUNCE, dialect.announcement),
        "subscribe" => check_message(dialect, row, stream::SUBSCRIBE, dialect.subscribe),
        "subscribe update" => check_message(dialect, row, stream::SUBSCRIBE, dialect.subscribe_update.unwrap()),
        "subscribe reply" => check_message(dialect, row, stream::SUBSCRIBE, dialect.subscribe_reply),
        "track" => check_message(dialect, row, stream::TRACK, dialect.track.unwrap().request),
        "track info" => check_message(dialect, row, stream::TRACK, dialect.track.unwrap().info),
        "fetch" => check_message(dialect, row, stream::FETCH, dialect.fetch.unwrap()),
        "goaway" => check_message(dialect, row, stream::GOAWAY, dialect.goaway.unwrap()),
        "group" => check_group(row, dialect.framing),
        message => panic!("{}: no message {message}", row.name),
    }
}

fn check_message<T: Debug>(dialect: &Dialect, row: &Row, stream_type: u64, codec: Codec<T>) {
    let mut input = Decoder::new(&row.bytes, dialect.integers());
    if row.typed {
        assert_eq!(input.varint(), Ok(stream_type), "{}", row.name);
    }
    let message = input.clone().rest();
    let tag = if codec.tagged { input.varint().unwrap() } else { 0 };
    let body = input.nested().unwrap();
    assert!(input.is_empty(), "{}: bytes after the message", row.name);
    compare(row, codec.decode(tag, body), message, |value| {
        let mut out = Encoder::new(dialect.integers());
        codec.encode(value, &mut out);
        out.into_bytes().into()
    });
}

/// Header and payload.
fn check_datagram(dialect: &Dialect, row: &Row) {
    let form = dialect.integers();
    let value = datagram::Header::decode(&row.bytes, form);
    let value = value.map(|(header, at)| (header, str::from_utf8(&row.bytes[at..]).unwrap()));
    compare(row, value, &row.bytes, |(header, payload)| {
        let mut out = Encoder::new(form);
        header.encode(&mut out);
        out.bytes(payload.as_bytes());
        out.into_bytes().into()
    });
}

/// A whole group stream: header, then deltas and payloads.
fn check_group(row: &Row, framing: Framing) {
    let mut input = Decoder::new(&row.bytes, framing.integers);
    assert_eq!(input.varint(), Ok(stream::GROUP), "{}", row.name);
    let message = input.clone().rest();
    let value = framing.decode_group(input.block().unwrap()).map(|header| (header, frames(framing, input.rest())));
    compare(row, value, message, |(header, frames): &(Header, Vec<(i64, &str)>)| {
        let mut out = Vec::new();
        framing.encode_group(header, &mut out);
        for (delta, payload) in frames {
            framing.encode_frame(FrameHeader { delta: *delta, size: payload.len() as u64 }, &mut out);
            out.extend(payload.as_bytes());
        }
        out
    });
}

fn frames(framing: Framing, mut bytes: &[u8]) -> Vec<(i64, &str)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, used) = framing.decode_frame(bytes).unwrap().unwrap();
        let (payload, rest) = bytes[used..].split_at(header.size as usize);
        frames.push((header.delta, str::from_utf8(payload).unwrap()));
        bytes = rest;
    }
    frames
}

fn compare<T: Debug>(row: &Row, value: Result<T, DecodeError>, message: &[u8], write: impl Fn(&T) -> Vec<u8>) {
    match (&value, row.outcome) {
        (Ok(value), Outcome::Both(text)) => {
            assert_eq!(format!("{value:?}"), text, "{}", row.name);
            assert_eq!(write(value), message, "{}", row.name);
        }
        (Ok(value), Outcome::Read(text)) => assert_eq!(format!("{value:?}"), text, "{}", row.name),
        (Err(error), Outcome::Fail(text)) => assert_eq!(format!("{error:?}"), text, "{}", row.name),
        (value, outcome) => panic!("{}: {value:?}, not {outcome:?}", row.name),
    }
}

/// Reads `bytes` as every message of the dialect.
fn stable(dialect: &Dialect, bytes: &[u8]) {
    assert_stable(&dialect.announce_request, 0, bytes);
    assert_stable(&dialect.subscribe, 0, bytes);
    for tag in 0..4 {
        assert_stable(&dialect.announcement, tag, bytes);
        assert_stable(&dialect.subscribe_reply, tag, bytes);
    }
    dialect.subscribe_update.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.setup.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.announce_init.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.probe.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.announce_ok.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.fetch.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    dialect.goaway.iter().for_each(|codec| assert_stable(codec, 0, bytes));
    if let Some(codecs) = &dialect.track {
        assert_stable(&codecs.request, 0, bytes);
        assert_stable(&codecs.info, 0, bytes);
    }
}
