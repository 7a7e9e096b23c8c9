//! The versions of moq-lite, each the difference from the one before: the protocol's changelog.

use super::{announce, fetch, goaway, group::Framing, setup, subscribe, track};
use crate::wire::{
    Dialect,
    dialect::{HopForm, Replace},
};

/// Every version, newest first.
pub const ALL: &[&Dialect] = &[&LITE_06, &LITE_05, &LITE_04, &LITE_03];

/// No handshake: the ALPN is the version and streams open at once. Announcements count hops, a subscription is
/// accepted by SUBSCRIBE_OK, frames are sizes and payloads.
pub const LITE_03: Dialect = Dialect {
    name: "moq-lite-03",
    alpn: "moq-lite-03",
    setup: None,
    announce_request: announce::REQUEST_03,
    announce_ok: None,
    announcement: announce::ANNOUNCEMENT_03,
    subscribe: subscribe::SUBSCRIBE_03,
    subscribe_update: subscribe::UPDATE_03,
    subscribe_reply: subscribe::REPLY_03,
    track: None,
    // FETCH is in the text, but every peer refuses the stream.
    fetch: None,
    goaway: None,
    framing: Framing::LITE_03,
    hops: HopForm::Count,
    replace: Replace::Retract,
    costs: false,
    implicit_accept: false,
    send_updates: false,
};

/// Relays get names, so that loops are seen: announcements list hop ids, requests exclude one. Peers can be sent away.
pub const LITE_04: Dialect = Dialect {
    name: "moq-lite-04",
    alpn: "moq-lite-04",
    announce_request: announce::REQUEST_04,
    announcement: announce::ANNOUNCEMENT_04,
    goaway: Some(goaway::GOAWAY_04),
    hops: HopForm::SenderAppends,
    ..LITE_03
};

/// Sides introduce themselves (SETUP, ANNOUNCE_OK), tracks have constants and frames timestamps, old groups can be
/// fetched, and serving a subscription is accepting it.
pub const LITE_05: Dialect = Dialect {
    name: "moq-lite-05",
    alpn: "moq-lite-05",
    setup: Some(setup::SETUP_05),
    announce_ok: Some(announce::OK_05),
    announcement: announce::ANNOUNCEMENT_05,
    subscribe_reply: subscribe::REPLY_05,
    track: Some(track::TRACK_05),
    fetch: Some(fetch::FETCH_05),
    framing: Framing::LITE_05,
    hops: HopForm::ReceiverAppends,
    replace: Replace::Again,
    implicit_accept: true,
    send_updates: true,
    ..LITE_04
};

/// Routes have costs and announcements ids; the hop to exclude has moved to SETUP. Subscriptions start by age rather
/// than at the live edge and resume at a frame. `ordered` is gone. As shipped: the draft of this name differs.
pub const LITE_06: Dialect = Dialect {
    name: "moq-lite-06",
    alpn: "moq-lite-06",
    announce_request: announce::REQUEST_03,
    announcement: announce::ANNOUNCEMENT_06,
    subscribe: subscribe::SUBSCRIBE_06,
    subscribe_update: subscribe::UPDATE_06,
    track: Some(track::TRACK_06),
    fetch: Some(fetch::FETCH_06),
    framing: Framing::LITE_06,
    replace: Replace::Restart,
    costs: true,
    ..LITE_05
};
