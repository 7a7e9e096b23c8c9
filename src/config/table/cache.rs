//! `[cache]`: what is kept for viewers who come late.

use crate::config::{
    key::{Key, Kind, Status},
    memory, size,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "cache.capacity",
        placeholder: "SIZE",
        help: "Memory for cached media, such as 8GiB, or a share of what there is, such as 50%",
        default: "50%, at most 8GiB",
        set: |config, value| {
            config.model.capacity = size::capacity(value, memory::limit())?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cache.duration",
        placeholder: "TIME",
        help: "How long a group is kept at most, such as 30s",
        default: "30s",
        set: |config, value| {
            config.model.duration = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cache.groups",
        kind: Kind::Number,
        placeholder: "COUNT",
        help: "How many groups a track keeps at most",
        default: "8192",
        set: |config, value| {
            config.model.groups = match value.number()? {
                0 => return Err("the newest group is always kept: expected 1 or more".into()),
                groups => Some(groups),
            };
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cache.headroom",
        placeholder: "SIZE",
        help: "Memory to leave free for others, such as 1GiB, or a share of what there is",
        default: "none",
        status: Status::Pending,
        set: |config, value| {
            config.model.headroom = Some(size::capacity(value, memory::limit())?);
            Ok(())
        },
        ..Key::BASE
    },
];
