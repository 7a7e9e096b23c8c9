//! Every codec of every dialect, with its type forgotten.

use std::fmt::Debug;

use moq_relay::wire::{Codec, Decoder, Dialect, Encoder, integer::Form, lite::setup};

use crate::memory::bounded;

/// One message of one dialect.
pub struct Entry {
    pub dialect: &'static Dialect,
    /// As `tests/samples` calls it.
    pub message: &'static str,
    pub tagged: bool,
    /// The most bytes of a body that a session reads.
    pub limit: usize,
    check: Box<Check>,
}

/// Of a tag and a body: whether they are a message.
type Check = dyn Fn(u64, &[u8]) -> bool;

impl Entry {
    /// Reads a body, checks every promise, and tells whether it is a message.
    pub fn check(&self, tag: u64, body: &[u8]) -> bool {
        (self.check)(tag, body)
    }
}

/// All of them.
pub fn every() -> Vec<Entry> {
    Dialect::every().flat_map(of).collect()
}

const MESSAGE: usize = 16 << 10;
const INIT: usize = 256 << 10;

/// Fields of a dialect that are not named here fail `tests/replay.rs`.
fn of(dialect: &'static Dialect) -> Vec<Entry> {
    let all = [
        entry(dialect, "setup", setup::MAX_BYTES, dialect.setup),
        entry(dialect, "announce request", MESSAGE, Some(dialect.announce_request)),
        entry(dialect, "announce init", INIT, dialect.announce_init),
        entry(dialect, "announce ok", MESSAGE, dialect.announce_ok),
        entry(dialect, "announcement", MESSAGE, Some(dialect.announcement)),
        entry(dialect, "subscribe", MESSAGE, Some(dialect.subscribe)),
        entry(dialect, "subscribe update", MESSAGE, dialect.subscribe_update),
        entry(dialect, "subscribe reply", MESSAGE, Some(dialect.subscribe_reply)),
        entry(dialect, "track", MESSAGE, dialect.track.map(|track| track.request)),
        entry(dialect, "track info", MESSAGE, dialect.track.map(|track| track.info)),
        entry(dialect, "fetch", MESSAGE, dialect.fetch),
        entry(dialect, "probe", MESSAGE, dialect.probe),
        entry(dialect, "goaway", MESSAGE, dialect.goaway),
    ];
    all.into_iter().flatten().collect()
}

fn entry<T: PartialEq + Debug + 'static>(
    dialect: &'static Dialect,
    message: &'static str,
    limit: usize,
    codec: Option<Codec<T>>,
) -> Option<Entry> {
    let codec = codec?;
    let check = Box::new(move |tag, body: &[u8]| check(&codec, dialect.integers(), tag, body));
    Some(Entry { dialect, message, tagged: codec.tagged, limit, check })
}

fn check<T: PartialEq + Debug>(codec: &Codec<T>, form: Form, tag: u64, body: &[u8]) -> bool {
    let value = match bounded(body, || codec.decode(tag, Decoder::new(body, form))) {
        Ok(value) => value,
        Err(error) => {
            let _ = error.to_string();
            return false;
        }
    };
    let mut out = Encoder::new(form);
    codec.encode(&value, &mut out);
    let bytes = out.into_bytes();
    let mut input = Decoder::new(&bytes, form);
    let tag = if codec.tagged { input.varint().expect("a type") } else { 0 };
    let len = input.varint().expect("a length");
    assert_eq!(input.clone().rest().len() as u64, len);
    assert_eq!(codec.decode(tag, input), Ok(value), "{bytes:x?}");
    true
}
