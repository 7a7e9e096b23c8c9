//! `[internal]`: pages for whoever runs this node.

use crate::{config::key::Key, types::Address};

pub(super) const KEYS: &[Key] = &[Key {
    name: "internal.listen",
    placeholder: "ADDRESS",
    help: "Address for counters and state, plain HTTP without access control; for sessions see server.tcp.listen",
    default: "none",
    set: |config, value| {
        config.web.internal = value.optional()?.map(Address::parse).transpose()?;
        Ok(())
    },
    ..Key::BASE
}];
