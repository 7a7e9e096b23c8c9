//! What can be set about HTTP.

use std::path::PathBuf;

use crate::types::Address;

/// The HTTP listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Plain HTTP.
    pub http: Http,
    /// HTTP over TLS.
    pub https: Https,
    /// Whether sessions may come in by WebSocket, on every listener.
    pub ws: bool,
    /// Pages for whoever runs this node: plain HTTP without access control.
    pub internal: Option<Address>,
}

impl Default for Config {
    fn default() -> Self {
        Self { http: Http::default(), https: Https::default(), ws: true, internal: None }
    }
}

/// HTTP over TLS.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Https {
    /// Where it is served.
    pub listen: Option<Address>,
    /// PEM files with a certificate chain each; none at all means the certificates of QUIC.
    pub cert: Vec<PathBuf>,
    /// The PEM file of the private key to each chain.
    pub key: Vec<PathBuf>,
    /// PEM files with the authorities whose certificates clients may show; none at all means those of QUIC.
    pub root: Vec<PathBuf>,
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
    /// On the TCP side of the server's own address, unless HTTPS is served somewhere.
    #[default]
    BesideServer,
    /// Nowhere.
    Off,
    /// At an address of its own.
    At(Address),
}
