//! Early 2026: as before, and `moql` also among the protocols offered inside WebTransport.

use {moq_lite_14 as moq_lite, moq_native_13 as moq_native};

#[path = "dial_late.rs"]
mod dial;
#[path = "roles.rs"]
mod roles;

pub use self::roles::{publisher, viewer};

/// A broadcast without tracks yet.
fn broadcast() -> moq_lite::BroadcastProducer {
    moq_lite::Broadcast::produce()
}
