//! Tries every interleaving of `src/model/watch.rs` and below, all of the model that touches wakers.
//!
//! Only with `--cfg loom`; without it there is nothing here.
#![cfg(loom)]

#[path = "../../../src/model"]
pub mod model {
    pub mod watch;
}

#[cfg(test)]
mod tests;
