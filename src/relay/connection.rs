//! The life of one client: handshake → who is it and what may it do → session → over.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::{Incoming, crypto::rustls::HandshakeData};
use tokio::time::timeout;
use tracing::{Instrument, debug, info, info_span};
use web_transport_quinn::{Request, proto::ConnectResponse};

use super::Shared;
use crate::{
    auth::{Credentials, Grant, Token},
    model::origin::View,
    session::{self, handshake},
    transport::{Connection, quic},
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

/// QUIC, then HTTP/3 where the peer speaks it, then SETUP where the dialect has it.
async fn greet(shared: &Shared, incoming: Incoming) -> Result<Greeted, String> {
    let quic = incoming.await.map_err(|error| error.to_string())?;
    let data = quic.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let alpn = data.and_then(|data| data.protocol).and_then(|alpn| String::from_utf8(alpn).ok()).unwrap_or_default();
    let (conn, dialect, url) = if alpn == "h3" {
        let (conn, dialect, url) = web_transport(quic).await?;
        (conn, dialect, Some(url))
    } else {
        let dialect = Dialect::by_alpn(&alpn).ok_or("no dialect in common")?;
        (Connection::Quic(quic::Connection::raw(quic)), dialect, None)
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

/// Answers CONNECT with the first protocol in the client's order that is served here.
async fn web_transport(quic: quinn::Connection) -> Result<(Connection, &'static Dialect, String), String> {
    let request = Request::accept(quic).await.map_err(|error| error.to_string())?;
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let dialect = request.protocols.iter().find_map(|protocol| Dialect::by_alpn(protocol));
    let mut response = ConnectResponse::OK;
    if let Some(dialect) = dialect {
        response = response.with_protocol(dialect.alpn);
    }
    let offered = request.protocols.join(", ");
    let session = request.respond(response).await.map_err(|error| error.to_string())?;
    let conn = Connection::Quic(quic::Connection::web(session));
    match dialect {
        Some(dialect) => Ok((conn, dialect, target)),
        None => {
            refuse(&conn, close::VERSION_NEGOTIATION_FAILED, "no dialect in common").await;
            Err(format!("no dialect in common, offered: {offered:?}"))
        }
    }
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
