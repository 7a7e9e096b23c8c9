//! `[cache]`: what is kept for viewers who come late.

use std::time::Duration;

use crate::config::{
    key::{Key, Kind},
    memory, size,
    value::Reason,
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
            config.model.duration = duration(value.text()?)?;
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
];

fn duration(text: &str) -> Result<Duration, Reason> {
    /// Far beyond any use; keeps arithmetic on instants within what every system's clock can hold.
    const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

    let duration = humantime::parse_duration(text).map_err(|_| "expected a time such as \"30s\" or \"2m\"")?;
    if duration > LONGEST { Err("must not be longer than 30 days".into()) } else { Ok(duration) }
}
