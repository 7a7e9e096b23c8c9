//! Files that are read again when they change.
//!
//! Looked at now and then instead of being told of changes: a look costs microseconds, and it works alike for files that
//! are written in place, renamed over, mounted as secrets behind links, or on another machine.

mod stamp;
mod watched;

pub use stamp::Stamp;
pub use watched::{Missing, Unavailable, Watched};
