//! What can be set about sessions.

use std::time::Duration;

use crate::wire::{Dialect, Offer};

/// Which dialects are spoken, each way, and how long sessions may outlast the relay's wish to stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// With those who come in.
    pub server: Offer,
    /// With the nodes this one dials.
    pub client: Offer,
    /// From GOAWAY to the close. Halved, players have less time to move; doubled, a restart waits longer for those that
    /// never do.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { server: Offer::default(), client: Offer::default(), drain: Duration::from_secs(10) }
    }
}

/// Why a list of names is no offer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OfferError {
    /// Not a dialect this relay speaks.
    #[error("{name:?} is not spoken here; there are {}", known())]
    Unknown {
        /// As written.
        name: String,
    },
    /// No name at all.
    #[error("expected at least one of {}", known())]
    Empty,
}

impl Config {
    /// The offer that these names make.
    pub fn offer<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Offer, OfferError> {
        let dialect = |name: &str| Dialect::by_name(name).ok_or_else(|| OfferError::Unknown { name: name.to_owned() });
        let dialects = names.into_iter().map(dialect).collect::<Result<Vec<_>, _>>()?;
        if dialects.is_empty() { Err(OfferError::Empty) } else { Ok(Offer::new(&dialects)) }
    }
}

fn known() -> String {
    Dialect::every().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ")
}
