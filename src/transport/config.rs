//! What can be set about sockets and certificates.

mod quic;

use std::{
    net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::PathBuf,
    time::Duration,
};

pub use quic::{Congestion, Dialed, Quic, Streams};

use crate::types::Address;

/// Both directions: who dials us, and whom we dial.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// The door people come in by.
    pub server: Server,
    /// How this node dials others.
    pub client: Client,
    /// QUIC, both ways.
    pub quic: Quic,
    /// Threads.
    pub runtime: Runtime,
}

/// The threads that connections are served on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runtime {
    /// How many; absent is a good number for this machine.
    pub workers: Option<u16>,
    /// Whether each stays on its own core.
    pub pin: bool,
}

/// Where to serve and under which certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// UDP addresses for QUIC; HTTP takes the TCP side unless it has an address of its own.
    pub listen: Vec<Address>,
    /// TCP addresses for QMux, without TLS.
    pub tcp: Vec<Address>,
    /// A Unix socket for QMux.
    pub unix: Unix,
    /// The certificates to show.
    pub tls: Tls,
    /// An IPv4 address that clients are asked to move to once they are connected.
    pub preferred_v4: Option<SocketAddrV4>,
    /// The same for IPv6.
    pub preferred_v6: Option<SocketAddrV6>,
    /// How long a client may take for its handshake; zero is forever. Halved, the slowest clients stay out; doubled,
    /// those that never finish hold a place that much longer.
    pub timeout: Duration,
}

/// A Unix socket: who can connect is decided by the file's permissions and by these lists.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unix {
    /// Where the socket is made; a stale one of a process that is gone is replaced.
    pub listen: Option<PathBuf>,
    /// Users, groups and processes that may connect; a list that is empty asks for nothing.
    pub allow: Allow,
}

/// Credentials of a process, as the kernel tells them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Allow {
    /// User ids.
    pub uid: Vec<u32>,
    /// Group ids.
    pub gid: Vec<u32>,
    /// Process ids.
    pub pid: Vec<u32>,
}

impl Allow {
    /// Whether a process with these ids may connect: every list that is not empty must have its id.
    pub fn admits(&self, uid: u32, gid: u32, pid: Option<u32>) -> bool {
        let has = |list: &[u32], id: Option<u32>| list.is_empty() || id.is_some_and(|id| list.contains(&id));
        has(&self.uid, Some(uid)) && has(&self.gid, Some(gid)) && has(&self.pid, pid)
    }
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
    /// PEM files with the authorities whose certificates clients may show.
    pub root: Vec<PathBuf>,
}

/// How this node dials others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The UDP address dialed from.
    pub bind: SocketAddr,
    /// Whom to believe.
    pub tls: Trust,
    /// What differs from other QUIC connections.
    pub quic: Dialed,
}

/// Whose certificates are believed when dialing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Trust {
    /// PEM files with root certificates; empty means those of the system.
    pub root: Vec<PathBuf>,
    /// Whether those of the system count too; absent is only when there are no others.
    pub system_roots: Option<bool>,
    /// SHA-256 of certificates that are believed whoever signed them, in hex.
    pub fingerprint: Vec<String>,
    /// PEM files with the certificate to show, and its key.
    pub identity: Vec<PathBuf>,
    /// The name to ask for and to expect, in place of the host that is dialed.
    pub host_name: Option<String>,
    /// Believe anything. Only for trying things out.
    pub disable_verify: bool,
}

/// Where browsers and clients look when a URL has no port. Half or double is just another port that every URL must
/// then name.
pub const DEFAULT_PORT: u16 = 443;

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)).into()],
            tcp: Vec::new(),
            unix: Unix::default(),
            tls: Tls::default(),
            preferred_v4: None,
            preferred_v6: None,
            timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self { workers: None, pin: true }
    }
}

impl Default for Client {
    fn default() -> Self {
        // Any address, any free port: nobody needs to know where we dial from.
        Self { bind: (Ipv6Addr::UNSPECIFIED, 0).into(), tls: Trust::default(), quic: Dialed::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_that_is_not_empty_counts() {
        let allow = |uid: &[u32], gid: &[u32], pid: &[u32]| Allow { uid: uid.into(), gid: gid.into(), pid: pid.into() };
        assert!(allow(&[], &[], &[]).admits(1, 2, None));
        assert!(allow(&[1], &[], &[]).admits(1, 2, None));
        assert!(!allow(&[2], &[], &[]).admits(1, 2, Some(3)));
        assert!(allow(&[1], &[2], &[3]).admits(1, 2, Some(3)));
        assert!(!allow(&[1], &[3], &[]).admits(1, 2, Some(3)));
        assert!(!allow(&[], &[], &[3]).admits(1, 2, None), "a process that is not told is not on the list");
    }
}
