//! Everything that can be wrong with a configuration, in words for the person who wrote it.

use std::{io, path::PathBuf};

use super::{Invalid, Place, layers::Sources};

/// Why there is no configuration. Whoever gets one exits with code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line makes no sense; the text is clap's.
    #[error("{0}")]
    Usage(String),
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is written in a way that only a person can change.
    #[error("{}: cannot be rewritten by itself; change what `moq-relay check` names by hand", path.display())]
    ByHand {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{place}: {line}: not valid TOML (text needs quotes): {reason}")]
    Syntax {
        /// The line.
        place: Place,
        /// What it says.
        line: String,
        /// What is wrong there.
        reason: String,
    },
    /// There is no such setting.
    #[error("{place}: unknown key {key}{}", suggestion(*closest))]
    UnknownKey {
        /// The line.
        place: Place,
        /// The key as written.
        key: String,
        /// The key that was probably meant.
        closest: Option<&'static str>,
    },
    /// The setting does not take this value.
    #[error("{place}: {key} = {value}: {reason}")]
    Value {
        /// Where it was set.
        place: Place,
        /// The key as written.
        key: String,
        /// The value as written.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One source sets the same thing twice, under two names, and differently.
    #[error("{place}: {name} means the same as {first_name} ({first}), but says something else")]
    Twice {
        /// The second place.
        place: Place,
        /// The second name.
        name: String,
        /// The first place.
        first: Place,
        /// The first name.
        first_name: String,
    },
    /// Each setting is fine, but not all of them together, or not on this machine.
    #[error("{}{invalid}", prefix(place.as_ref()))]
    Invalid {
        /// Where the offending setting was made, unless it is missing.
        place: Option<Place>,
        /// What is wrong.
        invalid: Invalid,
    },
}

impl Error {
    /// Adds the place and the name under which the setting was made.
    pub(super) fn invalid(invalid: Invalid, sources: &Sources) -> Self {
        let Invalid::Value { key, value, reason } = invalid else {
            return Self::Invalid { place: None, invalid };
        };
        match sources.get(&*key) {
            Some(source) => {
                let invalid = Invalid::Value { key: source.name.clone().into(), value, reason };
                Self::Invalid { place: Some(source.place.clone()), invalid }
            }
            None => Self::Invalid { place: None, invalid: Invalid::Value { key, value, reason } },
        }
    }
}

fn suggestion(closest: Option<&str>) -> String {
    closest.map(|key| format!(", did you mean {key}?")).unwrap_or_default()
}

fn prefix(place: Option<&Place>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}
