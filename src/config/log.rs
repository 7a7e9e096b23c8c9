//! What is written to stderr.

use super::value::Reason;

/// The log.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// The least important line that is still written.
    pub level: Level,
    /// What `RUST_LOG` says; wins over `level`.
    pub filter: Option<String>,
}

impl Config {
    /// What to filter by, in the syntax of `RUST_LOG`.
    pub fn directives(&self) -> &str {
        self.filter.as_deref().unwrap_or_else(|| self.level.name())
    }
}

/// How important a line is. Info tells of sessions and broadcasts coming and going; one step quieter hides who was
/// refused and why, one step louder tells of every subscription.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)]
pub enum Level {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level of this name, in any case, or with this number: 1 is error.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let named = |(number, level): &(usize, Self)| {
            level.name().eq_ignore_ascii_case(text) || (*number > 0 && text == number.to_string())
        };
        Self::ALL
            .into_iter()
            .enumerate()
            .find(named)
            .map(|(_, level)| level)
            .ok_or_else(|| "expected off, error, warn, info, debug or trace".into())
    }

    /// As `RUST_LOG` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
