//! Every setting there is. A file per top-level table; within it, the order of `--help`.

mod auth;
mod cache;
mod client;
mod cluster;
mod gone;
mod internal;
mod log;
mod old;
mod quic;
mod runtime;
mod server;
mod stats;
mod web;

use super::key::Key;

const TABLES: [&[Key]; 13] = [
    server::KEYS,
    client::KEYS,
    quic::KEYS,
    runtime::KEYS,
    web::KEYS,
    internal::KEYS,
    auth::KEYS,
    cluster::KEYS,
    cache::KEYS,
    stats::KEYS,
    log::KEYS,
    // Nobody is told of these.
    old::KEYS,
    gone::KEYS,
];

/// All rows.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    TABLES.into_iter().flatten()
}
