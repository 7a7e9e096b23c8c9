//! The rows of `tests/samples`, which make seeds.

use bytes::Bytes;
use moq_relay::wire::{
    Decoder, Dialect,
    in_band::{ClientSetup, Framing},
    lite::group::{self, Header},
};

/// One line of a table.
#[derive(Debug)]
pub struct Row {
    /// The message, after `stream` when the bytes start with a stream type.
    pub message: String,
    /// Whether the bytes start with a stream type.
    pub typed: bool,
    pub bytes: Vec<u8>,
    /// What reading gives.
    pub outcome: String,
}

/// The rows of every dialect.
pub fn dialects() -> impl Iterator<Item = (&'static Dialect, Row)> {
    Dialect::every().flat_map(|dialect| {
        let rows = table(&format!("{}/samples.txt", dialect.name));
        rows.into_iter().map(move |[_, message, bytes, outcome]| (dialect, row(&message, &bytes, outcome)))
    })
}

/// What a client of a dialect may open streams with, SETUP first: one of each kind, with the name of its message.
pub fn streams(dialect: &'static Dialect) -> Vec<(String, Vec<u8>)> {
    let setup = ClientSetup { versions: vec![dialect.code], parameters: Bytes::from_static(&[0]) };
    let in_band = dialect.in_band.then(|| ("in band".into(), Framing::Setup.client(&setup).into()));
    let rows = dialects().filter(|(other, row)| *other == dialect && row.typed);
    let mut streams: Vec<_> = in_band.into_iter().chain(rows.map(|(_, row)| (row.message, row.bytes))).collect();
    streams.dedup_by(|(a, _), (b, _)| a == b);
    streams
}

/// Group streams of a dialect, without their type, as of its first subscription.
pub fn groups(dialect: &'static Dialect) -> Vec<Vec<u8>> {
    let rows = dialects().filter(|(other, row)| *other == dialect && row.message == "group");
    rows.map(|(_, row)| first(dialect.framing, &row.bytes)).collect()
}

fn first(framing: group::Framing, stream: &[u8]) -> Vec<u8> {
    let mut input = Decoder::new(stream, framing.integers);
    input.varint().expect("a stream type");
    let len = input.varint().expect("a length") as usize;
    let (body, frames) = input.rest().split_at(len);
    let header = Header { subscribe: 0, frame_start: 0, ..framing.decode_group(body).expect("a sample") };
    let mut out = Vec::new();
    framing.encode_group(&header, &mut out);
    [&out, frames].concat()
}

/// Fields of each line of a table.
pub fn table(file: &str) -> Vec<[String; 4]> {
    let path = format!("{}/../tests/samples/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = |line: &str| line.split('|').map(|field| field.trim().to_owned()).collect::<Vec<_>>();
    lines.map(|line| fields(line).try_into().unwrap_or_else(|_| panic!("{path}: not a row: {line}"))).collect()
}

/// Bytes written as hex.
pub fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("hex")).collect()
}

fn row(message: &str, bytes: &str, outcome: String) -> Row {
    let typed = message.starts_with("stream ");
    Row { message: message.trim_start_matches("stream ").to_owned(), typed, bytes: hex(bytes), outcome }
}
