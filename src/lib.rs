//! A relay for Media over QUIC: broadcasts go in once and out to everybody who watches.
//!
//! # Layers
//!
//! Imports point downward only; `tests/layering.rs` holds the picture true. The leaves of the wide row are blind to
//! each other.
//!
//! ```text
//!  main → relay → config → web → cluster → session
//!   └→ token (makes keys and tokens)          ↓
//!     wire     model     transport     auth     stats
//!                      types     files     http
//! ```
//!
//! # The life of a frame
//!
//! ```text
//!  publisher ─bytes→ transport ─→ session/ingest ─frame→ model ─frame→ session/egress ─→ transport ─bytes→ viewer
//!  publisher ←SUBSCRIBE─ session/lite ←wanted─ model ←reader attached─ session/lite ←SUBSCRIBE─ viewer
//! ```
//!
//! Its payload is copied once, into the track's slab, and reference-counted from there on. A group is an append-only
//! log; one writer appends, readers own a cursor, and nobody waits for a slow one.
//!
//! # Words
//!
//! * *origin*: everything this node can serve; *broadcast* ⊃ *track* ⊃ *group* ⊃ *frame*.
//! * *ingest*: bytes coming in; *egress*: bytes going out.
//! * *publisher*, *viewer*: people at the ends; *peer*: the other end of any session; *node*: a relay; *link*: a session of
//!   two nodes.
//! * *dialect*: one protocol version; *grant*: what a session may do; *route*: one way to a broadcast; *demand*:
//!   somebody wants a track.
//!
//! # Where to look
//!
//! A wrong byte on the wire is in `wire/lite/<message>.rs`; right bytes at the wrong moment in `session/lite/<topic>.rs`;
//! a stale group in `model/track/log.rs`; a wrong source in `model/origin/route.rs`; a refusal in `auth`; a node that is not
//! dialed in `cluster/peers.rs` when nobody wants it and in `cluster/dial.rs` when it does not answer; an old setting
//! in `config/table` or, when it was more than a name, `config/legacy.rs`. Which dialect a client gets is settled by
//! `wire/dialect.rs` and `session/handshake.rs`; what a door does before that, in `transport/incoming.rs` and, for a
//! WebSocket, `web/upgrade.rs`.

// Nothing that somebody sends may end the process; tests may be blunter.
#![cfg_attr(not(test), warn(clippy::panic, clippy::todo, clippy::unimplemented, clippy::unwrap_used))]

pub mod auth;
pub mod cluster;
pub mod config;
pub mod files;
pub mod http;
pub mod model;
pub mod relay;
pub mod session;
pub mod stats;
pub mod token;
pub mod transport;
pub mod types;
pub mod web;
pub mod wire;
