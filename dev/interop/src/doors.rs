//! Where a relay listens, and what a client has to dial.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

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
        for _ in 0..16 {
            // Both are held until both are known, so they differ.
            let (main, tcp) = (free_port()?, free_port()?);
            let (main, tcp) = (main.local_addr()?, tcp.local_addr()?);
            if UdpSocket::bind(main).is_ok() {
                let unix = std::env::temp_dir().join(format!("interop-relay-{}.sock", main.port()));
                return Ok(Self { main, tcp, unix });
            }
        }
        bail!("no port is free for both UDP and TCP")
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

fn free_port() -> Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)
}
