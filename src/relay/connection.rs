//! The life of one client: handshake → who is it and what may it do → session → over.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::timeout;
use tracing::{Instrument, debug, info, info_span};

use super::Shared;
use crate::{
    auth::{Credentials, Grant, Token},
    model::origin::View,
    session::{self, handshake},
    transport::{Connection, Greeting, Incoming},
    types::Path,
    wire::{Dialect, lite::close},
};

/// How long a refused peer may take to read why.
const GOODBYE: Duration = Duration::from_secs(1);

/// The most a publisher may have in flight towards us.
const RECEIVE_WINDOW: u32 = 8 << 20;
/// The most that waits for a viewer's acknowledgement. Halved, distant viewers of fat tracks starve; doubled, a
/// stalled viewer pins that much more.
const SEND_WINDOW: u64 = 4 << 20;

/// Serves one incoming connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, incoming: Incoming) {
    let id = shared.origin.session();
    let remote = incoming.remote_address();
    async {
        let greeted = match timeout(handshake::DEADLINE, greet(&shared, incoming)).await {
            Ok(Ok(greeted)) => greeted,
            // A client whose race was won by another door leaves like this.
            Ok(Err(reason)) => return debug!(%reason, "handshake failed"),
            Err(_) => return debug!("handshake timed out"),
        };
        run(&shared, id, remote, greeted).await;
    }
    .instrument(info_span!("session", %id, %remote))
    .await;
}

/// A peer whose handshake is over and whose rights are not known yet.
struct Greeted {
    conn: Connection,
    dialect: &'static Dialect,
    peer: crate::wire::lite::setup::Setup,
    /// Path and query, as the URL or SETUP has it.
    target: String,
}

/// The transport's handshake, then SETUP where the dialect has it.
async fn greet(shared: &Shared, incoming: Incoming) -> Result<Greeted, String> {
    let protocols: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.alpn).collect();
    let Greeting { conn, protocol, url } = incoming.greet(&protocols).await.map_err(|error| error.to_string())?;
    let Some(dialect) = protocol.as_deref().and_then(Dialect::by_alpn) else {
        refuse(&conn, close::VERSION_NEGOTIATION_FAILED, "no dialect in common").await;
        return Err(format!("no dialect in common, asked for {protocol:?}"));
    };
    let peer = match handshake::accept(&conn, dialect, shared.origin.hop()).await {
        Ok(peer) => peer,
        Err(violation) => {
            refuse(&conn, violation.code(), &violation.to_string()).await;
            return Err(violation.to_string());
        }
    };
    // moq-lite "Setup stream": the path of SETUP counts where there is no URL.
    let target = url.unwrap_or_else(|| peer.path.clone().unwrap_or_default());
    Ok(Greeted { conn, dialect, peer, target })
}

async fn run(shared: &Shared, id: crate::model::origin::SessionId, remote: SocketAddr, greeted: Greeted) {
    let Greeted { conn, dialect, peer, target } = greeted;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let grant = match authorize(shared, path, query) {
        Ok(grant) => grant,
        Err(reason) => {
            info!(%reason, dialect = dialect.name, path, "refused");
            return refuse(&conn, close::UNAUTHORIZED, &reason).await;
        }
    };
    info!(dialect = dialect.name, root = ?grant.root, who = grant.label, "connected");
    conn.set_windows(RECEIVE_WINDOW, SEND_WINDOW);
    let Grant { root, publish, subscribe, cluster, .. } = grant;
    let view = View::new(shared.origin.clone(), id, root, publish, subscribe, cluster);
    let (_session, driver) = session::start(conn, dialect, peer, view, shared.limits);
    let closed = driver.run().await;
    info!(%remote, code = ?closed.code, reason = %closed.reason, "over");
}

fn authorize(shared: &Shared, path: &str, query: &str) -> Result<Grant, String> {
    let path = Path::parse(path).map_err(|error| error.to_string())?;
    let token = query.split('&').find_map(|item| item.strip_prefix("jwt="));
    let credentials = Credentials { token: token.and_then(Token::new) };
    shared.auth.authorize(&credentials, &path).map_err(|refusal| format!("{}: {refusal}", refusal.reason()))
}

/// Closes with a reason and keeps the connection until the peer has read it.
async fn refuse(conn: &Connection, code: u32, reason: &str) {
    conn.close(code, reason);
    let _ = timeout(GOODBYE, conn.closed()).await;
}
