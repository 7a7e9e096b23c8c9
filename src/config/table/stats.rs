//! `[stats]`: what is counted.

use crate::config::key::{Key, Kind, Status};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "stats.enabled",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Publish counters as broadcasts",
        default: "false",
        status: Status::Pending,
        set: |config, value| {
            config.stats.enabled = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "stats.prefix",
        placeholder: "PREFIX",
        help: "Where, among the names of broadcasts",
        default: ".stats",
        status: Status::Pending,
        set: |config, value| {
            value.text()?.clone_into(&mut config.stats.prefix);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "stats.node",
        placeholder: "NAME",
        help: "How this node is called there",
        default: "none",
        status: Status::Pending,
        set: |config, value| {
            config.stats.node = value.optional()?.map(str::to_owned);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "stats.interval",
        placeholder: "TIME",
        help: "How often, such as 10s or a number of seconds",
        default: "1s",
        status: Status::Pending,
        set: |config, value| {
            config.stats.interval = value.seconds()?;
            if config.stats.interval.is_zero() { Err("expected a second or more".into()) } else { Ok(()) }
        },
        ..Key::BASE
    },
    Key {
        name: "stats.depth",
        kind: Kind::Number,
        placeholder: "COUNT",
        help: "Segments of the name of a broadcast that are told apart",
        default: "0",
        status: Status::Pending,
        set: |config, value| {
            config.stats.depth = value.number()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "stats.linger",
        placeholder: "TIME",
        help: "How long names that are gone are still told apart",
        default: "5m",
        status: Status::Pending,
        set: |config, value| {
            config.stats.linger = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
];
