//! Every listener's clients, each to a task of its own on its own worker.

use std::{io, net::UdpSocket, os::unix::net::UnixListener, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    net,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

use super::{Shared, connection, stopped};
use crate::{
    session::IDLE_STREAMS,
    transport::{Incoming, Listener, config::Allow, incoming::HTTP3, socket},
    web::Knock,
    wire::{Dialect, lite::close},
};

/// Starts the QUIC worker on a thread and runtime of its own. The receiver ends when its sessions are over.
pub(super) async fn spawn_worker(
    shared: Arc<Shared>,
    sockets: Vec<UdpSocket>,
    linking: impl Future<Output = io::Result<()>> + Send + 'static,
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
            let links = async {
                if let Err(error) = linking.await {
                    warn!(%error, "other nodes cannot be dialed");
                }
            };
            tokio::join!(work(shared, serving.unwrap_or_default(), shutdown), links);
        });
        drop::<oneshot::Sender<()>>(done);
    })?;
    starting.await.context("the QUIC worker ended")?.context("no QUIC endpoint")?;
    Ok(over)
}

/// Endpoints belong to the runtime they are made on.
fn listeners(shared: &Shared, sockets: Vec<UdpSocket>) -> io::Result<Vec<Listener>> {
    let mut alpns = shared.offer.alpns();
    alpns.push(HTTP3);
    // Clients that speak nothing else than what is switched off are let in to be told so: TLS has no words for it.
    alpns.extend(
        Dialect::ALL.iter().map(|dialect| dialect.alpn).filter(|alpn| shared.offer.select(Some(alpn)).is_none()),
    );
    let listener = |socket| {
        let tls = shared.identity.server_config(&alpns).map_err(io::Error::other)?;
        let reset = shared.identity.reset_key();
        Listener::new(socket, tls, IDLE_STREAMS, (&shared.transport.server, &shared.transport.quic), reset)
    };
    sockets.into_iter().map(listener).collect()
}

async fn work(shared: Arc<Shared>, listeners: Vec<Listener>, shutdown: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for listener in &listeners {
        let (shared, listener, shutdown) = (shared.clone(), listener.clone(), shutdown.clone());
        tasks.spawn(async move {
            serve(shared, Clients::Quic(listener.clone()), shutdown).await;
            listener.close(close::NONE, "server shutdown");
        });
    }
    while tasks.join_next().await.is_some() {}
    for listener in listeners {
        listener.drained().await;
    }
}

/// Where clients come from.
#[derive(Debug)]
pub(super) enum Clients {
    /// A UDP socket.
    Quic(Listener),
    /// The doors that share the relay's own runtime.
    Others(mpsc::Receiver<Knock>),
}

impl Clients {
    async fn next(&mut self) -> Option<Knock> {
        match self {
            Self::Quic(listener) => listener.accept().await.map(Knock::from),
            Self::Others(knocks) => knocks.recv().await,
        }
    }

    /// Turns away whoever comes from here on.
    fn close(self) {
        match self {
            Self::Quic(listener) => listener.refuse(),
            Self::Others(knocks) => drop(knocks),
        }
    }
}

/// Serves every client that comes; after `shutdown` those that are there, until they are gone.
pub(super) async fn serve(shared: Arc<Shared>, mut from: Clients, shutdown: watch::Receiver<bool>) {
    let mut clients = JoinSet::new();
    let stop = stopped(shutdown.clone());
    tokio::pin!(stop);
    loop {
        tokio::select! {
            knock = from.next() => {
                let Some(knock) = knock else { break };
                clients.spawn(connection::serve(shared.clone(), knock, shutdown.clone()));
            }
            Some(done) = clients.join_next() => report(done),
            () = &mut stop => break,
        }
    }
    let lingers = matches!(from, Clients::Others(_)) && !clients.is_empty();
    from.close();
    debug!(sessions = clients.len(), "leaving");
    while let Some(done) = clients.join_next().await {
        report(done);
    }
    if lingers {
        // Only QUIC tells when the last words are out.
        tokio::time::sleep(LAST_WORDS).await;
    }
}

/// What sockets may take to send what their sessions said last.
const LAST_WORDS: Duration = Duration::from_millis(100);

fn report(done: Result<(), tokio::task::JoinError>) {
    match done {
        Err(error) if error.is_panic() => warn!(%error, "a connection's task panicked"),
        _ => {}
    }
}

/// Takes TCP connections for QMux until the doors are closed.
pub(super) async fn tcp(listener: net::TcpListener, door: mpsc::Sender<Knock>) {
    loop {
        tokio::select! {
            (stream, remote) = socket::accept("TCP", || listener.accept()) => {
                let _ = door.send(Incoming::Tcp(stream, remote).into()).await;
            }
            () = door.closed() => return,
        }
    }
}

/// The same on a Unix socket, from those who may. Its file is removed in the end.
pub(super) async fn unix(listener: UnixListener, allow: Allow, door: mpsc::Sender<Knock>) -> Result<()> {
    let listener = net::UnixListener::from_std(listener)?;
    let _file = Removed(listener.local_addr()?);
    loop {
        let (stream, _) = tokio::select! {
            accepted = socket::accept("Unix", || listener.accept()) => accepted,
            () = door.closed() => return Ok(()),
        };
        // Gone already.
        let Ok(credentials) = stream.peer_cred() else { continue };
        let (uid, gid, pid) = (credentials.uid(), credentials.gid(), credentials.pid());
        if !allow.admits(uid, gid, pid.and_then(|pid| u32::try_from(pid).ok())) {
            debug!(uid, gid, pid, "refused on the Unix socket: not on the list");
            continue;
        }
        let _ = door.send(Incoming::Unix(stream).into()).await;
    }
}

/// Removes a socket's file when dropped.
struct Removed(net::unix::SocketAddr);

impl Drop for Removed {
    fn drop(&mut self) {
        if let Some(path) = self.0.as_pathname() {
            let _ = std::fs::remove_file(path);
        }
    }
}
