//! `[log]`: what is written to stderr.

use crate::config::{key::Key, log::Level};

pub(super) const KEYS: &[Key] = &[Key {
    name: "log.level",
    placeholder: "LEVEL",
    help: "Least important line to log: off, error, warn, info, debug or trace; RUST_LOG wins",
    default: "info",
    set: |config, value| {
        config.log.level = Level::parse(value.text()?)?;
        Ok(())
    },
    ..Key::BASE
}];
