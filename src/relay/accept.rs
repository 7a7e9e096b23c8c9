//! Sockets, and from each a stream of connections to tasks on their own worker.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use tracing::{debug, info, warn};

use super::{Shared, connection, stopped};
use crate::{
    config::Config,
    session::IDLE_STREAMS,
    transport::{Listener, config, incoming::HTTP3, udp},
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

/// Starts the QUIC worker on a thread and runtime of its own. The receiver ends when its sessions are over.
pub(super) async fn spawn_worker(
    shared: Arc<Shared>,
    sockets: Vec<UdpSocket>,
    shutdown: watch::Receiver<bool>,
) -> Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (started, starting) = oneshot::channel();
    let (done, over) = oneshot::channel();
    std::thread::Builder::new().name("quic-0".into()).spawn(move || {
        runtime.block_on(async {
            let listeners = listeners(&shared, sockets);
            let serving = listeners.as_ref().ok().cloned();
            let _ = started.send(listeners.map(drop));
            work(shared, serving.unwrap_or_default(), shutdown).await;
        });
        drop::<oneshot::Sender<()>>(done);
    })?;
    starting.await.context("the QUIC worker ended")?.context("no QUIC endpoint")?;
    Ok(over)
}

/// Endpoints belong to the runtime they are made on.
fn listeners(shared: &Shared, sockets: Vec<UdpSocket>) -> io::Result<Vec<Listener>> {
    let alpn: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.alpn).chain([HTTP3]).collect();
    let listener = |socket| {
        let tls = shared.identity.server_config(&alpn).map_err(io::Error::other)?;
        Listener::new(socket, tls, IDLE_STREAMS)
    };
    sockets.into_iter().map(listener).collect()
}

async fn work(shared: Arc<Shared>, listeners: Vec<Listener>, shutdown: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for listener in &listeners {
        tasks.spawn(listen(shared.clone(), listener.clone(), shutdown.clone()));
    }
    while tasks.join_next().await.is_some() {}
    for listener in listeners {
        listener.drained().await;
    }
}

async fn listen(shared: Arc<Shared>, listener: Listener, shutdown: watch::Receiver<bool>) {
    let mut clients = JoinSet::new();
    let stop = stopped(shutdown);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            incoming = listener.accept() => {
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
    listener.close(close::NONE, "server shutdown");
    clients.shutdown().await;
}
