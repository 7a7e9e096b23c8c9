//! Sockets, and from each a stream of connections to tasks on their own worker.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use quinn::{Endpoint, crypto::rustls::QuicServerConfig};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use tracing::{debug, error, info, warn};

use super::{Shared, connection, stopped};
use crate::{
    config::Config,
    session::IDLE_STREAMS,
    transport::{config, udp},
    web::config::Listen,
    wire::{Dialect, lite::close},
};

/// What is bound.
pub(super) struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<TcpListener>,
}

/// Binds TCP before UDP on each address: TCP refuses a port that another relay serves.
pub(super) fn bind(config: &Config, optional: bool) -> Result<Sockets> {
    let server: &config::Server = &config.transport.server;
    let mut sockets = Sockets { udp: Vec::new(), tcp: Vec::new() };
    let mut addresses = Vec::new();
    for address in &server.listen {
        addresses.extend(address.resolve().with_context(|| format!("server.listen = {address}"))?);
    }
    let mut skipped = None;
    for address in addresses {
        let beside = matches!(config.web.http.listen, Listen::BesideServer);
        match bind_both(address, beside) {
            Ok((socket, listener)) => {
                sockets.udp.push(socket);
                sockets.tcp.extend(listener);
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
    if let Listen::At(address) = &config.web.http.listen {
        for address in address.resolve().with_context(|| format!("web.http.listen = {address}"))? {
            let listener = udp::bind_tcp(address).with_context(|| format!("cannot serve HTTP on {address}"))?;
            sockets.tcp.push(listener);
        }
    }
    Ok(sockets)
}

/// Port 0 takes any port that is free for both.
fn bind_both(address: SocketAddr, tcp: bool) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    if !tcp {
        return Ok((udp::bind(address)?, None));
    }
    let mut tries = 0;
    loop {
        let listener = udp::bind_tcp(address)?;
        match udp::bind(listener.local_addr()?) {
            Ok(socket) => return Ok((socket, Some(listener))),
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < 16 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Starts the QUIC worker on a thread and runtime of its own. The future ends when its sessions are over.
pub(super) fn spawn_worker(
    shared: Arc<Shared>,
    sockets: Vec<UdpSocket>,
    shutdown: watch::Receiver<bool>,
) -> Result<impl Future<Output = ()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, wait) = oneshot::channel::<()>();
    std::thread::Builder::new().name("quic-0".into()).spawn(move || {
        runtime.block_on(work(shared, sockets, shutdown));
        drop(done);
    })?;
    Ok(async move {
        let _ = wait.await;
    })
}

async fn work(shared: Arc<Shared>, sockets: Vec<UdpSocket>, shutdown: watch::Receiver<bool>) {
    let alpn: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.alpn).chain(["h3"]).collect();
    let mut listeners = JoinSet::new();
    let mut endpoints = Vec::new();
    for socket in sockets {
        let tls = shared.identity.server_config(&alpn).map_err(io::Error::other);
        let tls = tls.and_then(|tls| QuicServerConfig::try_from(tls).map_err(io::Error::other));
        let endpoint = tls.and_then(|tls| udp::endpoint(socket, tls, IDLE_STREAMS));
        match endpoint {
            Ok(endpoint) => {
                endpoints.push(endpoint.clone());
                listeners.spawn(listen(shared.clone(), endpoint, shutdown.clone()));
            }
            Err(error) => error!(%error, "no QUIC endpoint"),
        }
    }
    while listeners.join_next().await.is_some() {}
    for endpoint in endpoints {
        endpoint.wait_idle().await;
    }
}

async fn listen(shared: Arc<Shared>, endpoint: Endpoint, shutdown: watch::Receiver<bool>) {
    let mut clients = JoinSet::new();
    let stop = stopped(shutdown);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                clients.spawn(connection::serve(shared.clone(), incoming));
            }
            Some(done) = clients.join_next() => match done {
                Err(error) if error.is_panic() => warn!(%error, "a connection's task panicked"),
                _ => {}
            },
            () = &mut stop => break,
        }
    }
    debug!(sessions = clients.len(), "leaving");
    endpoint.close(close::NONE.into(), b"server shutdown");
    clients.shutdown().await;
}
