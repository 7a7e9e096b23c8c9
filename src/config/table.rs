//! Every setting there is. A file per top-level table; within it, the order of `--help`.

mod auth;
mod cache;
mod client;
mod log;
mod server;
mod web;

use super::key::Key;

const TABLES: [&[Key]; 6] = [server::KEYS, client::KEYS, web::KEYS, auth::KEYS, cache::KEYS, log::KEYS];

/// All rows.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    TABLES.into_iter().flatten()
}
