//! The few moq-lite messages a load generator needs. What differs between versions is a field of `Version`.

mod message;
mod varint;
mod version;

pub(crate) use message::{
    announce_active, announce_ok, announce_request, announced, frame_header, get_str, group_header, setup, subscribe,
    subscribe_ok, track_info,
};
pub(crate) use varint::{get_varint, put_varint};
pub(crate) use version::{Hops, Version};
