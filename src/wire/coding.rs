//! Writing and reading fields, and what a message codec is.

use std::{fmt, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};

use super::integer::{self, Form};
use crate::types::{Hops, Path, PathError, TooManyHops};

/// How one kind of message is written and read. Its stream type is not part of it.
pub struct Codec<T: 'static> {
    /// Messages start with a type number, for streams that carry more than one kind.
    pub tagged: bool,
    /// Writes the body and returns the type: 0 when untagged, [`u64::MAX`] to send nothing.
    pub write: fn(&T, &mut Encoder) -> u64,
    /// Reads the body of a message of the given type (0 when untagged). [`Codec::decode`] checks for bytes left over.
    pub read: fn(u64, &mut Decoder<'_>) -> Result<T, DecodeError>,
}

/// What [`Codec::write`] returns for a value that the dialect has no message for; no type number is that large.
pub(super) const INEXPRESSIBLE: u64 = u64::MAX;

/// Durations travel as whole milliseconds, never more than this: JavaScript reads them as doubles and fails beyond.
const MAX_MILLIS: u64 = (1 << 53) - 1;

impl<T> Codec<T> {
    /// Writes the whole message: type where there is one, length, body. A value that the dialect has no message for
    /// writes nothing.
    pub fn encode(&self, value: &T, out: &mut Encoder) {
        let mut body = Encoder::new(out.form);
        let tag = (self.write)(value, &mut body);
        if tag == INEXPRESSIBLE {
            return;
        }
        if self.tagged {
            out.varint(tag);
        }
        out.varint(body.len() as u64);
        out.bytes(&body.bytes);
    }

    /// Reads the body of a message of type `tag` (0 when untagged), to its last byte.
    pub fn decode(&self, tag: u64, mut input: Decoder<'_>) -> Result<T, DecodeError> {
        let value = (self.read)(tag, &mut input)?;
        // moq-lite "Message frame": the body is consumed exactly, nobody extends a message.
        input.finish()?;
        Ok(value)
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").field("value", &std::any::type_name::<T>()).field("tagged", &self.tagged).finish()
    }
}

/// Fields, written one after the other.
#[derive(Debug)]
pub struct Encoder {
    bytes: BytesMut,
    form: Form,
}

impl Encoder {
    /// Nothing written yet; integers take this form.
    pub fn new(form: Form) -> Self {
        Self { bytes: BytesMut::new(), form }
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.put_u8(value);
    }

    /// The shortest form of `value`; more than [`integer::MAX`] is written as that.
    pub fn varint(&mut self, value: u64) {
        self.form.put(&mut self.bytes, value);
    }

    /// Length and text.
    pub fn string(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    /// A path in canonical form, as a string.
    pub fn path(&mut self, path: &Path) {
        self.string(path.as_str());
    }

    /// These bytes as they are, without a length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    /// Length and number, as parameters have it.
    pub(super) fn sized_varint(&mut self, value: u64) {
        self.varint(self.form.len(value) as u64);
        self.varint(value);
    }

    /// A number that may be absent: one more than its value, or 0.
    pub(super) fn optional(&mut self, value: Option<u64>) {
        self.varint(value.map_or(0, |value| value.saturating_add(1)));
    }

    /// Whole milliseconds, at most 2^53-1.
    pub(super) fn millis(&mut self, duration: Duration) {
        self.varint(u64::try_from(duration.as_millis()).unwrap_or(MAX_MILLIS).min(MAX_MILLIS));
    }

    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is written.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }

    /// What is written, leaving nothing.
    pub fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }
}

/// Fields, read one after the other.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    /// What is not read yet.
    left: &'a [u8],
    /// What is being read, for errors.
    field: &'static str,
    form: Form,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte; integers have this form.
    pub const fn new(bytes: &'a [u8], form: Form) -> Self {
        Self { left: bytes, field: "message", form }
    }

    /// Names what is read next, for errors.
    pub const fn at(&mut self, field: &'static str) -> &mut Self {
        self.field = field;
        self
    }

    /// How many bytes are not read yet.
    pub const fn remaining(&self) -> usize {
        self.left.len()
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, left) = self.left.split_first().ok_or_else(|| self.short())?;
        self.left = left;
        Ok(*byte)
    }

    /// A variable-length integer, in whatever length.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let (value, len) = self.form.get(self.left).ok_or_else(|| self.short())?;
        // moq-lite-07 "integers": the form carries 64 bits, the protocol 62.
        if value > integer::MAX {
            return Err(DecodeError::Invalid { field: self.field, value });
        }
        self.left = self.left.get(len..).unwrap_or_default();
        Ok(value)
    }

    /// Length and UTF-8 text.
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.block()?;
        str::from_utf8(bytes).map_err(|_| DecodeError::InvalidText { field: self.field })
    }

    /// A string, normalised.
    pub fn path(&mut self) -> Result<Path, DecodeError> {
        Ok(Path::parse(self.string()?)?)
    }

    /// Everything not read yet.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.left;
        self.left = &[];
        rest
    }

    /// A string of at most `limit` bytes.
    pub(super) fn string_within(&mut self, limit: usize) -> Result<String, DecodeError> {
        let text = self.string()?;
        if text.len() > limit {
            return Err(DecodeError::TooLong { field: self.field, limit, size: text.len() });
        }
        Ok(text.into())
    }

    /// Length and as many bytes.
    pub(super) fn block(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.varint()?;
        let split = usize::try_from(len).ok().and_then(|len| self.left.split_at_checked(len));
        let (block, left) = split.ok_or_else(|| self.short())?;
        self.left = left;
        Ok(block)
    }

    /// Length and as many bytes, to be read on their own.
    pub(super) fn nested(&mut self) -> Result<Self, DecodeError> {
        let form = self.form;
        Ok(Self::new(self.block()?, form))
    }

    /// The rest as UTF-8 text.
    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        str::from_utf8(self.rest()).map_err(|_| DecodeError::InvalidText { field: self.field })
    }

    /// A number that may be absent: one more than its value, or 0.
    pub(super) fn optional(&mut self) -> Result<Option<u64>, DecodeError> {
        Ok(self.varint()?.checked_sub(1))
    }

    /// Milliseconds; more than 2^53-1 reads as that.
    pub(super) fn millis(&mut self) -> Result<Duration, DecodeError> {
        Ok(Duration::from_millis(self.varint()?.min(MAX_MILLIS)))
    }

    /// Whether everything is read.
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Ends the reading; bytes left over are an error.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    const fn short(&self) -> DecodeError {
        DecodeError::Short { field: self.field }
    }
}

/// Why bytes are not a message: the peer's fault, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("message ends inside {field}")]
    Short {
        /// What was being read.
        field: &'static str,
    },
    /// Bytes follow the last field.
    #[error("bytes after the end of the message")]
    Trailing,
    /// Text is not UTF-8.
    #[error("{field} is not UTF-8")]
    InvalidText {
        /// Which text.
        field: &'static str,
    },
    /// A number has no meaning, or none together with the other fields.
    #[error("{field} may not be {value}")]
    Invalid {
        /// Which number.
        field: &'static str,
        /// As it was on the wire.
        value: u64,
    },
    /// A text is longer than the relay takes.
    #[error("{field} has {size} bytes, more than {limit}")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most bytes allowed.
        limit: usize,
        /// Its bytes.
        size: usize,
    },
    /// A message is longer than the relay takes; its body may be unread.
    #[error("message has {size} bytes, more than {limit}")]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
        /// The bytes of its body.
        size: u64,
    },
    /// A name is too deep or too long.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A hop list is longer than any peer takes.
    #[error("more than {} hops", Hops::MAX)]
    TooManyHops,
    /// An identified hop occurs twice in a list.
    #[error("a hop occurs twice")]
    RepeatedHop,
    /// A SETUP has more parameters than any peer takes.
    #[error("{count} parameters")]
    TooManyParameters {
        /// How many were announced.
        count: u64,
    },
    /// A SETUP parameter occurs twice.
    #[error("parameter {id:#x} occurs twice")]
    DuplicateParameter {
        /// Which one.
        id: u64,
    },
}

impl From<TooManyHops> for DecodeError {
    fn from(_: TooManyHops) -> Self {
        Self::TooManyHops
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that often look like messages: mostly small numbers.
    pub(in crate::wire) fn noise() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![4 => 0u8..6, 1 => b'a'..=b'c', 1 => Just(b'/'), 2 => any::<u8>()], 0..48)
    }

    /// Whatever `codec` reads, it writes so that it reads the same again.
    #[track_caller]
    pub(in crate::wire) fn assert_stable<T: PartialEq + fmt::Debug>(codec: &Codec<T>, tag: u64, body: &[u8]) {
        for form in [Form::Quic, Form::LeadingOnes] {
            let Ok(value) = codec.decode(tag, Decoder::new(body, form)) else { continue };
            let mut out = Encoder::new(form);
            codec.encode(&value, &mut out);
            let bytes = out.into_bytes();
            let mut input = Decoder::new(&bytes, form);
            let tag = if codec.tagged { input.varint().unwrap() } else { 0 };
            let body = input.nested().unwrap();
            input.finish().unwrap();
            assert_eq!(codec.decode(tag, body), Ok(value), "{bytes:x?}");
        }
    }

    /// Reads a body in QUIC's form.
    pub(in crate::wire) fn decode<T>(codec: &Codec<T>, tag: u64, body: &[u8]) -> Result<T, DecodeError> {
        codec.decode(tag, Decoder::new(body, Form::Quic))
    }

    /// Reads fields in QUIC's form.
    fn quic(bytes: &[u8]) -> Decoder<'_> {
        Decoder::new(bytes, Form::Quic)
    }

    #[test]
    fn errors_name_the_field() {
        let mut input = quic(&[0x40]);
        assert_eq!(input.at("group").varint(), Err(DecodeError::Short { field: "group" }));
        assert_eq!(quic(&[2, b'a']).at("name").string(), Err(DecodeError::Short { field: "name" }));
        assert_eq!(quic(&[1, 0xff]).at("name").string(), Err(DecodeError::InvalidText { field: "name" }));
        assert_eq!(input.finish(), Err(DecodeError::Trailing));
    }

    #[test]
    fn a_length_beyond_memory_is_only_short() {
        let mut input = quic(&[0xff; 9]);
        assert_eq!(input.string(), Err(DecodeError::Short { field: "message" }));
    }

    #[test]
    fn numbers_beyond_the_protocol_are_refused() {
        let mut input = Decoder::new(&[0xff; 9], Form::LeadingOnes);
        assert_eq!(input.at("group").varint(), Err(DecodeError::Invalid { field: "group", value: u64::MAX }));
    }

    #[test]
    fn durations_stay_exact_for_javascript() {
        let mut out = Encoder::new(Form::Quic);
        out.millis(Duration::MAX);
        let bytes = out.into_bytes();
        assert_eq!(quic(&bytes).varint(), Ok(MAX_MILLIS));
    }

    proptest! {
        #[test]
        fn fields_never_panic(bytes in noise()) {
            let mut input = quic(&bytes);
            while !input.is_empty() && input.byte().is_ok() {
                let before = input.clone();
                let _ = (input.path(), input.optional(), input.millis(), input.block());
                prop_assert!(input.left.len() <= before.left.len());
            }
            let _ = input.finish();
        }
    }
}
