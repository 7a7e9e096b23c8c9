//! Every socket, bound before anything is served.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::net::UnixListener,
};

use anyhow::{Context, Result, anyhow};
use tracing::info;

use super::workers;
use crate::{
    config::Config,
    transport::{
        port::{self, Share},
        socket,
    },
    types::Address,
    web::config::Listen,
};

/// What is bound.
#[derive(Default, Debug)]
pub(super) struct Sockets {
    /// QUIC: each port, shared out to the workers.
    pub(super) udp: Vec<Vec<Share>>,
    /// HTTP.
    pub(super) http: Vec<TcpListener>,
    /// HTTP for whoever runs this node.
    pub(super) internal: Vec<TcpListener>,
    /// HTTP over TLS.
    pub(super) https: Vec<TcpListener>,
    /// QMux.
    pub(super) tcp: Vec<TcpListener>,
    /// QMux.
    pub(super) unix: Option<UnixListener>,
}

/// Binds TCP before UDP on each address: TCP refuses a port that another relay serves. `optional` addresses may be
/// missing on this machine, as long as one address is left.
pub(super) fn bind(config: &Config, optional: bool) -> Result<Sockets> {
    let server = &config.transport.server;
    let (http, https) = (&config.web.http.listen, &config.web.https.listen);
    let mut sockets = Sockets::default();
    let mut addresses = Vec::new();
    for address in &server.listen {
        addresses.extend(address.resolve().with_context(|| format!("server.listen = {address}"))?);
    }
    let beside = matches!(http, Listen::BesideServer) && https.is_none();
    let workers = workers::count(&config.transport.runtime);
    let mut skipped = None;
    for address in addresses {
        match bind_both(address, beside) {
            Ok((socket, listener)) => {
                let shares = port::share(socket, workers);
                sockets.udp.push(shares.with_context(|| format!("cannot serve {address} with {workers} workers"))?);
                sockets.http.extend(listener);
            }
            Err(error) if optional && error.kind() == io::ErrorKind::AddrNotAvailable => {
                skipped = Some((address, error))
            }
            Err(error) => return Err(anyhow!(error).context(format!("cannot serve on {address}"))),
        }
    }
    if let Some((address, error)) = skipped {
        if sockets.udp.is_empty() {
            return Err(anyhow!(error).context(format!("cannot serve on {address}")));
        }
        info!(%address, %error, "not served");
    }
    if let Listen::At(address) = http {
        bind_tcp("web.http.listen", "HTTP", address, &mut sockets.http)?;
    }
    if let Some(address) = https {
        bind_tcp("web.https.listen", "HTTPS", address, &mut sockets.https)?;
    }
    if let Some(address) = &config.web.internal {
        bind_tcp("internal.listen", "HTTP", address, &mut sockets.internal)?;
    }
    for address in &server.tcp {
        bind_tcp("server.tcp.listen", "TCP", address, &mut sockets.tcp)?;
    }
    if let Some(path) = &server.unix.listen {
        let listener = socket::bind_unix(path).with_context(|| format!("cannot serve on {}", path.display()))?;
        sockets.unix = Some(listener);
    }
    Ok(sockets)
}

fn bind_tcp(key: &str, what: &str, address: &Address, sockets: &mut Vec<TcpListener>) -> Result<()> {
    for address in address.resolve().with_context(|| format!("{key} = {address}"))? {
        let listener = socket::bind_tcp(address).with_context(|| format!("cannot serve {what} on {address}"))?;
        sockets.push(listener);
    }
    Ok(())
}

/// Port 0 takes any port that is free for both.
fn bind_both(address: SocketAddr, tcp: bool) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    if !tcp {
        return Ok((socket::bind(address)?, None));
    }
    let mut tries = 0;
    loop {
        let listener = socket::bind_tcp(address)?;
        match socket::bind(listener.local_addr()?) {
            Ok(socket) => return Ok((socket, Some(listener))),
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < 16 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}
