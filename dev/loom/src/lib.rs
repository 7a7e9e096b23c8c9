//! Tries every interleaving of `src/model/watch.rs`, the only file of the model that touches wakers.
//!
//! Only with `--cfg loom`; without it there is nothing here.
#![cfg(loom)]

#[path = "../../../src/model/watch.rs"]
pub mod watch;

#[cfg(test)]
mod tests;
