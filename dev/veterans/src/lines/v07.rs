//! September 2025: moq-lite-01 by SETUP type 0x00, ALPN `moql-01`.

use {moq_lite_07 as moq_lite, moq_native_08 as moq_native};

#[path = "dial_early.rs"]
mod dial;
#[path = "roles.rs"]
mod roles;

pub use self::roles::{publisher, viewer};

/// A broadcast without tracks yet.
fn broadcast() -> moq_lite::BroadcastProducer {
    moq_lite::Broadcast::produce().producer
}
