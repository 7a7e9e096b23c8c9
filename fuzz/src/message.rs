//! Every message of every dialect.
//!
//! ```text
//!  which, tag, stretch, head (a block), tail...
//! ```
//!
//! The body is the head and then the tail, over and over as `stretch` says, up to the longest that a session reads.

use std::collections::BTreeSet;

use moq_relay::wire::{Decoder, Dialect};

use crate::{
    codecs::{self, Entry},
    input::{Input, block},
    samples,
};

thread_local! {
    static EVERY: Vec<Entry> = codecs::every();
}

pub fn body(data: &[u8]) {
    check(data);
}

/// Which codec it was, and whether there was a message.
fn check(data: &[u8]) -> (usize, bool) {
    let mut input = Input(data);
    EVERY.with(|every| {
        let which = usize::from(input.byte()) % every.len();
        let entry = &every[which];
        let (tag, stretch) = (input.byte(), input.byte());
        let mut body = input.block().to_vec();
        let tail = input.0;
        for _ in 0..1_usize << (stretch % 19) {
            if tail.is_empty() || body.len() + tail.len() > entry.limit {
                break;
            }
            body.extend_from_slice(tail);
        }
        (which, entry.check(if entry.tagged { tag.into() } else { 0 }, &body))
    })
}

/// Codecs that read none of the seeds: nothing is known to get past their first fields.
pub fn unseeded() -> Vec<String> {
    let read: BTreeSet<_> = seeds().iter().map(|seed| check(seed)).filter(|(_, read)| *read).collect();
    EVERY.with(|every| {
        let unread = every.iter().enumerate().filter(|(which, _)| !read.contains(&(*which, true)));
        unread.map(|(_, entry)| format!("{} of {}", entry.message, entry.dialect.name)).collect()
    })
}

pub fn seeds() -> Vec<Vec<u8>> {
    let rows: Vec<_> = samples::dialects().collect();
    EVERY.with(|every| {
        let seeds = every.iter().enumerate().flat_map(|(which, entry)| {
            let rows = rows.iter().filter(|(_, row)| row.message == entry.message);
            // Newer dialects have samples of what is new alone.
            let (own, others): (Vec<_>, Vec<_>) = rows.partition(|(dialect, _)| *dialect == entry.dialect);
            let zeros = if own.is_empty() { 0..8 } else { 0..0 };
            let rows = if own.is_empty() { others } else { own };
            let rows = rows.into_iter().map(move |(dialect, row)| seed(which as u8, entry, dialect, row));
            rows.chain(zeros.map(move |len| [&[which as u8, 0, 0], &block(&vec![0; len])[..]].concat()))
        });
        seeds.chain([stretched()]).collect()
    })
}

fn seed(which: u8, entry: &Entry, dialect: &Dialect, row: &samples::Row) -> Vec<u8> {
    let mut input = Decoder::new(&row.bytes, dialect.integers());
    if row.typed {
        input.varint().expect("a stream type");
    }
    let tag = if entry.tagged { input.varint().expect("a type") } else { 0 };
    input.varint().expect("a length");
    [&[which, tag as u8, 0], &block(input.rest())[..]].concat()
}

/// As many names as an initial set can hold.
fn stretched() -> Vec<u8> {
    let which = EVERY.with(|every| every.iter().position(|entry| entry.message == "announce init"));
    let which = which.expect("some dialect has an initial set") as u8;
    [&[which, 0, 18], &block(&[0x80, 0x01, 0xff, 0xff])[..], &[1, b'a']].concat()
}
