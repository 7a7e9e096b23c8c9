//! Early 2026: moq-lite-02 by SETUP type 0x20, ALPN `moql`; WebSocket in the oldest framing.

use {moq_lite_13 as moq_lite, moq_native_12 as moq_native};

#[path = "dial_late.rs"]
mod dial;
#[path = "roles.rs"]
mod roles;

pub use self::roles::{publisher, viewer};

/// A broadcast without tracks yet.
fn broadcast() -> moq_lite::BroadcastProducer {
    moq_lite::Broadcast::produce()
}
