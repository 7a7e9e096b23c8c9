//! The few moq-lite messages a load generator needs. What differs between versions is a field of `Version`.
//!
//! Writing takes what is to be said and returns whole messages, stream type included where one starts the stream.
//! Reading takes a message's body and refuses what the version does not allow, down to a byte too many.

mod announce;
mod decoder;
mod encoder;
mod group;
mod setup;
mod subscribe;
#[cfg(test)]
mod tests;
mod varint;
mod version;

pub(crate) use announce::{Announcements, News, active, ended, first_reply, request, requested_prefix};
pub(crate) use group::{frame_header, group_header};
pub(crate) use setup::{SERVER_SETUP, chosen, client_setup, setup};
pub(crate) use subscribe::{accept, check_reply, requested, subscribe, subscribe_aged, track_info};
pub(crate) use varint::Varint;
pub(crate) use version::{ALL, Accept, DEFAULT, First, Setup, Version};
