//! Bytes on the wire: every dialect's messages, without IO, async or a clock.
//!
//! Messages are owned values rich enough for every dialect; a [`Codec`] writes and reads one of them the way one or
//! more dialects do. A [`dialect::Dialect`] is a table of codecs and capabilities: code above asks what a dialect can
//! do, never which number it is.

mod coding;
pub mod dialect;
pub mod in_band;
pub mod integer;
pub mod lite;

pub use coding::{Codec, DecodeError, Decoder, Encoder};
pub use dialect::{Dialect, Offer};
