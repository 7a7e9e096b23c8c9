//! The life of one client: handshake → who is it and what may it do → session → over.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tracing::{Instrument, debug, info, info_span};

use super::{Shared, stopped};
use crate::{
    auth::{Credentials, Grant},
    model::origin::{SessionId, View},
    session::{self, Peer, handshake},
    transport::{Connection, Greeting, Incoming, websocket::Bearer},
    types::Path,
    wire::lite::close,
};

/// How long a peer may take to read why it is refused, or that the relay has closed its session.
const GOODBYE: Duration = Duration::from_secs(1);

/// The most a publisher may have in flight towards us.
const RECEIVE_WINDOW: u32 = 8 << 20;
/// The most that waits for a viewer's acknowledgement. Halved, distant viewers of fat tracks starve; doubled, a
/// stalled viewer pins that much more.
const SEND_WINDOW: u64 = 4 << 20;

/// Serves one incoming connection to its end. After `shutdown` the peer is asked to move, and has to in time.
pub(super) async fn serve(shared: Arc<Shared>, incoming: Incoming, shutdown: watch::Receiver<bool>) {
    let id = shared.origin.session();
    let (door, remote) = (incoming.door(), incoming.remote_address());
    let span = match remote {
        Some(remote) => info_span!("session", %id, door, %remote),
        None => info_span!("session", %id, door),
    };
    async {
        let greeted = tokio::select! {
            greeted = greet(&shared, incoming) => greeted,
            () = stopped(shutdown.clone()) => return,
        };
        match greeted {
            Ok(greeted) => run(&shared, id, greeted, shutdown).await,
            // A client whose race was won by another door leaves like this.
            Err(reason) => debug!(%reason, "handshake failed"),
        }
    }
    .instrument(span)
    .await;
}

/// A peer whose handshake is over and whose rights are not known yet.
struct Greeted {
    conn: Connection,
    peer: Peer,
    /// Path and query, as the URL or SETUP has it.
    target: String,
    bearer: Option<Bearer>,
}

/// The transport's handshake, then SETUP where the dialect has it.
async fn greet(shared: &Shared, incoming: Incoming) -> Result<Greeted, String> {
    let (offer, deadline) = (&shared.offer, Instant::now() + handshake::DEADLINE);
    let greeting = timeout_at(deadline, incoming.greet(&offer.alpns())).await.map_err(|_| "too slow to connect")?;
    let Greeting { conn, protocol, url, bearer } = greeting.map_err(|error| error.to_string())?;
    let Some(choice) = offer.select(protocol.as_deref()) else {
        let asked = protocol.as_deref().unwrap_or("none that is offered");
        let reason = format!("no dialect in common: {asked} asked for, {} offered", offer.alpns().join(", "));
        refuse(&conn, close::VERSION_NEGOTIATION_FAILED, &reason).await;
        return Err(reason);
    };
    let peer = match handshake::accept(&conn, choice, offer, shared.origin.hop(), deadline).await {
        Ok(peer) => peer,
        Err(violation) => {
            refuse(&conn, violation.code(), &violation.to_string()).await;
            return Err(violation.to_string());
        }
    };
    // moq-lite "Setup stream": the path of SETUP counts where there is no URL.
    let target = url.unwrap_or_else(|| peer.setup.path.clone().unwrap_or_default());
    Ok(Greeted { conn, peer, target, bearer })
}

async fn run(shared: &Shared, id: SessionId, greeted: Greeted, shutdown: watch::Receiver<bool>) {
    let Greeted { conn, peer, target, bearer } = greeted;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let dialect = peer.dialect.name;
    let grant = match authorize(shared, path, &Credentials::new(query, bearer.as_ref().map(|token| &*token.0))) {
        Ok(grant) => grant,
        Err(reason) => {
            info!(%reason, dialect, path, "refused");
            return refuse(&conn, close::UNAUTHORIZED, &reason).await;
        }
    };
    info!(dialect, root = ?grant.root, who = grant.label, "connected");
    conn.set_windows(RECEIVE_WINDOW, SEND_WINDOW);
    let Grant { root, publish, subscribe, cluster, .. } = grant;
    let view = View::new(shared.origin.clone(), id, root, publish, subscribe, cluster);
    let (session, driver) = session::start(conn, peer, view, shared.limits);
    let running = driver.run();
    tokio::pin!(running);
    let closed = tokio::select! {
        closed = &mut running => Some(closed),
        () = stopped(shutdown) => {
            session.leave();
            match timeout(shared.drain, &mut running).await {
                Ok(closed) => Some(closed),
                Err(_) => {
                    session.close(close::GOAWAY_TIMEOUT, "server shutdown");
                    timeout(GOODBYE, &mut running).await.ok()
                }
            }
        }
    };
    match closed {
        Some(closed) => info!(code = ?closed.code, reason = %closed.reason, "over"),
        None => info!("over: the peer does not take the goodbye"),
    }
}

fn authorize(shared: &Shared, path: &str, credentials: &Credentials) -> Result<Grant, String> {
    let path = Path::parse(path).map_err(|error| error.to_string())?;
    shared.auth.authorize(credentials, &path).map_err(|refusal| format!("{}: {refusal}", refusal.reason()))
}

/// Closes with a reason and keeps the connection until the peer has read it.
async fn refuse(conn: &Connection, code: u32, reason: &str) {
    conn.close(code, reason);
    let _ = timeout(GOODBYE, conn.closed()).await;
}
