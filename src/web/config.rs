//! What can be set about HTTP.

use crate::types::Address;

/// The HTTP listeners.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// Plain HTTP.
    pub http: Http,
}

/// Plain HTTP.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Http {
    /// Where it is served.
    pub listen: Listen,
}

/// Where a listener is served.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Listen {
    /// On the TCP side of the server's own address.
    #[default]
    BesideServer,
    /// Nowhere.
    Off,
    /// At an address of its own.
    At(Address),
}
