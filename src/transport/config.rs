//! What can be set about sockets and certificates.

use std::{
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use crate::types::Address;

/// Both directions: who dials us, and whom we dial.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// The door people come in by.
    pub server: Server,
    /// How this node dials others.
    pub client: Client,
}

/// Where to serve and under which certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// UDP addresses for QUIC; HTTP takes the TCP side unless it has an address of its own.
    pub listen: Vec<Address>,
    /// The certificates to show.
    pub tls: Tls,
}

/// Certificates, from files and made up. Relative paths start at the working directory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tls {
    /// PEM files with a certificate chain each.
    pub cert: Vec<PathBuf>,
    /// The PEM file of the private key to each chain, in the same order.
    pub key: Vec<PathBuf>,
    /// Host names to generate a short-lived certificate for.
    pub generate: Vec<String>,
}

/// How this node dials others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The UDP address dialed from.
    pub bind: SocketAddr,
    /// Whom to believe.
    pub tls: Trust,
}

/// Whose certificates are believed when dialing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Trust {
    /// PEM files with root certificates; empty means those of the system.
    pub root: Vec<PathBuf>,
    /// Believe anything. Only for trying things out.
    pub disable_verify: bool,
}

/// Where browsers and clients look when a URL has no port. Half or double is just another port that every URL must
/// then name.
pub const DEFAULT_PORT: u16 = 443;

impl Default for Server {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)).into()], tls: Tls::default() }
    }
}

impl Default for Client {
    fn default() -> Self {
        // Any address, any free port: nobody needs to know where we dial from.
        Self { bind: (Ipv6Addr::UNSPECIFIED, 0).into(), tls: Trust::default() }
    }
}
