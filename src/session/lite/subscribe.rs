//! Subscriptions: the peer's, served from the model, and ours at the peer, which feed it.

mod ask;
mod serve;

pub(in crate::session) use ask::ask;
pub(super) use ask::refusal;
pub(super) use serve::serve;
