//! What is live and what is cached: origin ⊃ broadcast ⊃ track ⊃ group ⊃ frame.
//!
//! Frames run down from a source's `track::Producer` to the readers of a track; demand runs up from a viewer's
//! subscription to the source's session. The two meet here and nowhere else: sessions never know each other.
//! Nothing here does IO or spawns; waiting is `watch`'s, deadlines are the callers'.

pub mod cache;
pub mod config;
pub mod group;
pub mod origin;
mod splice;
pub mod track;
pub mod watch;

pub use config::Config;
