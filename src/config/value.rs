//! A value before it is known what it must be, and what it can be turned into.

use std::{fmt::Display, path::PathBuf, time::Duration};

/// What a source gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// True or false.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// Several values.
    List(Vec<Self>),
    /// Values by name.
    Table(Vec<(String, Self)>),
    /// Anything that no setting takes, by its name.
    Other(&'static str),
}

/// Why a setting does not take a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reason(pub(super) String);

impl<T: Display> From<T> for Reason {
    fn from(reason: T) -> Self {
        Self(reason.to_string())
    }
}

impl Value {
    /// Text.
    pub(super) fn text(&self) -> Result<&str, Reason> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(self.mismatch("text")),
        }
    }

    /// True or false.
    pub(super) fn switch(&self) -> Result<bool, Reason> {
        match self {
            Self::Switch(on) => Ok(*on),
            _ => Err(self.mismatch("true or false")),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self) -> Result<u64, Reason> {
        match self {
            Self::Number(number) => u64::try_from(*number).map_err(|_| Reason::from("must not be negative")),
            _ => Err(self.mismatch("a number")),
        }
    }

    /// One text or a list of them.
    pub(super) fn texts(&self) -> Result<Vec<&str>, Reason> {
        match self {
            Self::Text(text) => Ok(vec![text]),
            Self::List(list) => list.iter().map(Self::text).collect(),
            _ => Err(self.mismatch("text or a list of texts")),
        }
    }

    /// One number or a list of them, as numbers or as text.
    pub(super) fn ids(&self) -> Result<Vec<u32>, Reason> {
        let id = |value: &Self| match value {
            Self::Number(number) => u32::try_from(*number).map_err(|_| Reason::from("not an id")),
            Self::Text(text) => text.parse().map_err(|_| Reason(format!("{text:?} is not an id"))),
            _ => Err(value.mismatch("a number")),
        };
        match self {
            // An empty list would ask for nothing where somebody meant to ask for something.
            Self::List(list) if list.is_empty() => Err("expected at least one id".into()),
            Self::List(list) => list.iter().map(id).collect(),
            one => Ok(vec![id(one)?]),
        }
    }

    /// A time of at most 30 days: far beyond any use, and within what every system's clock can count.
    pub(super) fn duration(&self) -> Result<Duration, Reason> {
        const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

        let duration =
            humantime::parse_duration(self.text()?).map_err(|_| "expected a time such as \"30s\" or \"2m\"")?;
        if duration > LONGEST { Err("must not be longer than 30 days".into()) } else { Ok(duration) }
    }

    /// A time as in [`duration`](Self::duration), or a number of seconds.
    pub(super) fn seconds(&self) -> Result<Duration, Reason> {
        let digits = |text: &str| text.trim().parse::<u64>().ok();
        match self {
            Self::Number(_) => Ok(Duration::from_secs(self.number()?)),
            Self::Text(text) => {
                digits(text).map_or_else(|| self.duration(), |seconds| Ok(Duration::from_secs(seconds)))
            }
            _ => Err(self.mismatch("a time")),
        }
    }

    /// One path or a list of them.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Reason> {
        let path = |text: &str| if text.is_empty() { Err("a path must not be empty".into()) } else { Ok(text.into()) };
        self.texts()?.into_iter().map(path).collect()
    }

    /// Values by name.
    pub(super) fn table(&self) -> Result<&[(String, Self)], Reason> {
        match self {
            Self::Table(entries) => Ok(entries),
            _ => Err(self.mismatch("a table")),
        }
    }

    /// A text that is not empty, or nothing.
    pub(super) fn optional(&self) -> Result<Option<&str>, Reason> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// "expected this, got that".
    pub(super) fn mismatch(&self, expected: &str) -> Reason {
        format!("expected {expected}, got {}", self.name()).into()
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Switch(_) => "true or false",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}
