//! The versions of moq-lite, each the difference from the one before: the protocol's changelog.

use super::{announce, fetch, goaway, group::Framing, probe, setup, subscribe, track};
use crate::wire::{
    Dialect,
    dialect::{HopForm, Replace},
};

/// Every finished version, newest first.
pub const ALL: &[&Dialect] = &[&LITE_06, &LITE_05, &LITE_04, &LITE_03, &LITE_02, &LITE_01];

/// Versions whose format may change, newest first.
pub const UNFINISHED: &[&Dialect] = &[&LITE_07];

/// SETUP on a stream that stays open. Announcements are bare paths, the first answer lists all of them; a subscription
/// is a priority, accepted by SUBSCRIBE_OK; frames are sizes and payloads.
pub const LITE_01: Dialect = Dialect {
    name: "moq-lite-01",
    alpn: "moql",
    code: 0xff0d_ad01,
    in_band: true,
    setup: None,
    announce_request: announce::REQUEST_03,
    announce_init: Some(announce::INIT_01),
    announce_ok: None,
    announcement: announce::ANNOUNCEMENT_01,
    subscribe: subscribe::SUBSCRIBE_01,
    // JavaScript would read a priority, Rust fails on any byte; nobody sends it.
    subscribe_update: None,
    subscribe_reply: subscribe::REPLY_01,
    track: None,
    fetch: None,
    probe: None,
    goaway: None,
    framing: Framing::LITE_01,
    hops: HopForm::Absent,
    replace: Replace::Retract,
    likeness: false,
    starts_by_age: false,
    costs: false,
    datagrams: false,
    implicit_accept: false,
    send_updates: false,
};

/// SUBSCRIBE_OK is empty.
pub const LITE_02: Dialect =
    Dialect { name: "moq-lite-02", code: 0xff0d_ad02, subscribe_reply: subscribe::REPLY_02, ..LITE_01 };

/// No handshake: the ALPN is the version and streams open at once. Announcements count hops, subscriptions have an age
/// and bounds and can be updated, the way to the peer can be probed.
pub const LITE_03: Dialect = Dialect {
    name: "moq-lite-03",
    alpn: "moq-lite-03",
    code: 0xff0d_ad03,
    in_band: false,
    announce_init: None,
    announcement: announce::ANNOUNCEMENT_03,
    subscribe: subscribe::SUBSCRIBE_03,
    subscribe_update: Some(subscribe::UPDATE_03),
    subscribe_reply: subscribe::REPLY_03,
    // FETCH is in the text, but every peer refuses the stream.
    probe: Some(probe::PROBE_03),
    hops: HopForm::Count,
    ..LITE_02
};

/// Relays get names, so that loops are seen: announcements list hop ids, requests exclude one. Peers can be sent away.
pub const LITE_04: Dialect = Dialect {
    name: "moq-lite-04",
    alpn: "moq-lite-04",
    code: 0xff0d_ad04,
    announce_request: announce::REQUEST_04,
    announcement: announce::ANNOUNCEMENT_04,
    probe: Some(probe::PROBE_04),
    goaway: Some(goaway::GOAWAY_04),
    hops: HopForm::SenderAppends,
    ..LITE_03
};

/// Sides introduce themselves (SETUP, ANNOUNCE_OK), tracks have constants and frames timestamps, old groups can be
/// fetched, groups of one frame can be datagrams, and serving a subscription is accepting it.
pub const LITE_05: Dialect = Dialect {
    name: "moq-lite-05",
    alpn: "moq-lite-05",
    code: 0xff0d_ad05,
    setup: Some(setup::SETUP_05),
    announce_ok: Some(announce::OK_05),
    announcement: announce::ANNOUNCEMENT_05,
    subscribe_reply: subscribe::REPLY_05,
    track: Some(track::TRACK_05),
    fetch: Some(fetch::FETCH_05),
    framing: Framing::LITE_05,
    hops: HopForm::ReceiverAppends,
    replace: Replace::Again,
    datagrams: true,
    implicit_accept: true,
    send_updates: true,
    ..LITE_04
};

/// Routes have costs and announcements ids; the hop to exclude has moved to SETUP. Subscriptions start by age rather
/// than at the live edge and resume at a frame. `ordered` is gone. As shipped: the draft of this name differs.
pub const LITE_06: Dialect = Dialect {
    name: "moq-lite-06",
    alpn: "moq-lite-06",
    code: 0xff0d_ad06,
    announce_request: announce::REQUEST_03,
    announcement: announce::ANNOUNCEMENT_06,
    subscribe: subscribe::SUBSCRIBE_06,
    subscribe_update: Some(subscribe::UPDATE_06),
    track: Some(track::TRACK_06),
    fetch: Some(fetch::FETCH_06),
    framing: Framing::LITE_06,
    replace: Replace::Restart,
    starts_by_age: true,
    costs: true,
    ..LITE_05
};

/// Integers in leading ones; announcements are told by what they share with earlier ones, hidden names are asked for, and
/// the end of a subscription counts its streams. Not finished: offered to those alone who ask for it by name.
pub const LITE_07: Dialect = Dialect {
    name: "moq-lite-07-wip",
    alpn: "moq-lite-07-wip",
    code: 0xff0d_ad07,
    announce_request: announce::REQUEST_07,
    announcement: announce::ANNOUNCEMENT_07,
    subscribe_reply: subscribe::REPLY_07,
    framing: Framing::LITE_07,
    likeness: true,
    ..LITE_06
};
