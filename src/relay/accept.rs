//! Every listener's clients, each to a task of its own.

use std::{os::unix::net::UnixListener, sync::Arc, time::Duration};

use anyhow::Result;
use tokio::{
    net,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

use super::{Shared, connection, stopped};
use crate::{
    transport::{Incoming, Listener, config::Allow, socket},
    web::Knock,
};

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
