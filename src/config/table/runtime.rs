//! `[runtime]`: threads.

use crate::config::key::{Key, Kind};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "runtime.workers",
        kind: Kind::Number,
        placeholder: "COUNT",
        help: "Threads that serve QUIC; 0 is one per core",
        default: "one per core",
        set: |config, value| {
            let workers = u16::try_from(value.number()?).map_err(|_| "expected at most 65535")?;
            config.transport.runtime.workers = (workers > 0).then_some(workers);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "runtime.pin",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Keep each of them on its own core, when there are as many as cores",
        default: "true",
        set: |config, value| {
            config.transport.runtime.pin = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
];
