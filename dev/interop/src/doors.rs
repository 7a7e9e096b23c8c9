//! Where a relay listens, and what a client has to dial.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use anyhow::{Result, bail};
use moq_tokio::connect;
use url::Url;

use crate::dialect::Door;

/// The addresses of one relay.
#[derive(Clone, Debug, clap::Args)]
pub struct Doors {
    /// UDP for QUIC; TCP for HTTP and WebSocket.
    pub main: SocketAddr,
    /// QMux over TCP.
    pub tcp: SocketAddr,
    /// QMux over a Unix socket.
    pub unix: PathBuf,
}

impl Doors {
    /// Addresses that nobody uses, as far as one can know.
    pub fn free() -> Result<Self> {
        let (main, tcp) = (free_port()?, free_port()?);
        let unix = std::env::temp_dir().join(format!("interop-relay-{}.sock", main.port()));
        Ok(Self { main, tcp, unix })
    }

    /// What to dial to come in by `door`, below `path`.
    pub fn addr(&self, door: Door, path: &str) -> Result<connect::Addr> {
        let port = self.main.port();
        Ok(match door {
            // Certificates are for names, and what a name resolves to is not up for test.
            Door::WebTransport => {
                connect::Addr::pinned(Url::parse(&format!("https://localhost:{port}{path}"))?, [self.main])?
            }
            Door::Quic => connect::Addr::pinned(Url::parse(&format!("moql://localhost:{port}{path}"))?, [self.main])?,
            Door::WebSocket => Url::parse(&format!("ws://{}{path}", self.main))?.into(),
            Door::Tcp => Url::parse(&format!("tcp://{}{path}", self.tcp))?.into(),
            Door::Unix => {
                let mut url = Url::parse(&format!("unix://{}", self.unix.display()))?;
                url.query_pairs_mut().append_pair("path", path);
                url.into()
            }
        })
    }
}

/// Ports that no system gives to sockets that ask for any: those of clients would take what is free now and used in a
/// moment.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A port that is free for both UDP and TCP, each only once.
fn free_port() -> Result<SocketAddr> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Programs that run at the same time begin at different ones.
    let first = std::process::id().wrapping_mul(997) % u32::from(PORTS.end - PORTS.start);
    for _ in PORTS {
        let next = (first + u32::from(TRIED.fetch_add(1, Relaxed))) % u32::from(PORTS.end - PORTS.start);
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + next as u16));
        if UdpSocket::bind(addr).is_ok() && TcpListener::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    bail!("no port is free for both UDP and TCP")
}
