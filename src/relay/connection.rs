//! The life of one client: handshake → who is it and what may it do → session → over.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{Instrument, debug, info, info_span};

use super::{Shared, membership, stopped};
use crate::{
    auth::{self, Farewell, Grant},
    cluster::{self, Guest},
    model::origin::{SessionId, View},
    session::{self, Peer, handshake},
    transport::{Connection, Greeting, Incoming, Traffic},
    types::{Certificate, PathError},
    web::Knock,
    wire::lite::close,
};

/// How long a peer may take to read why it is refused, or that the relay has closed its session.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves one incoming connection to its end. After `shutdown` the peer is asked to move, and has to in time.
pub(super) async fn serve(shared: Arc<Shared>, knock: Knock, shutdown: watch::Receiver<bool>) {
    let Knock { incoming, admitted } = knock;
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
            Ok(greeted) => {
                let admitted = match admitted {
                    Some(admitted) => Some(admitted),
                    None => {
                        let dialect = greeted.peer.dialect.name;
                        let request = request(&shared, &greeted, door, remote);
                        Box::pin(admit(&shared, greeted.conn.clone(), dialect, request)).await
                    }
                };
                if let Some((request, grant)) = admitted {
                    run(&shared, id, greeted, &request, grant, shutdown).await;
                }
            }
            // A client whose race was won by another door leaves like this.
            Err(reason) => {
                debug!(%reason, "handshake failed");
                if let Some((request, grant)) = admitted {
                    let how = Farewell { reason: "handshake failed", duration: Duration::ZERO, sent: 0, received: 0 };
                    shared.auth.farewell(&request, &grant, how).await;
                }
            }
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
    host: Option<String>,
    certificate: Option<Certificate>,
    remote: Option<SocketAddr>,
}

/// The transport's handshake, then SETUP where the dialect has it.
async fn greet(shared: &Shared, incoming: Incoming) -> Result<Greeted, String> {
    let (offer, deadline) = (&shared.offer, Instant::now() + handshake::DEADLINE);
    let remote = incoming.remote_address();
    let greeting = timeout_at(deadline, incoming.greet(&offer.alpns())).await.map_err(|_| "too slow to connect")?;
    let Greeting { conn, protocol, url, host, certificate } = greeting.map_err(|error| error.to_string())?;
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
    Ok(Greeted { conn, peer, target, host, certificate, remote })
}

/// What the peer asks for and has brought along.
fn request(
    shared: &Shared,
    greeted: &Greeted,
    transport: &'static str,
    remote: Option<SocketAddr>,
) -> Result<auth::Request, PathError> {
    let Greeted { peer, target, host, certificate, .. } = greeted;
    let (path, query) = target.split_once('?').map_or((&**target, None), |(path, query)| (path, Some(query)));
    let mut request = shared.auth.request(path, query)?;
    request.transport = transport;
    request.remote = remote;
    request.host.clone_from(host);
    request.certificate.clone_from(certificate);
    request.protocol = Some(peer.dialect.name.to_owned());
    Ok(request)
}

/// What the peer may do; `None` when it was told that it may do nothing.
async fn admit(
    shared: &Shared,
    conn: Connection,
    dialect: &'static str,
    request: Result<auth::Request, PathError>,
) -> Option<(auth::Request, Grant)> {
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            info!(%error, dialect, "refused");
            refuse(&conn, close::UNAUTHORIZED, &error.to_string()).await;
            return None;
        }
    };
    match shared.auth.authorize(&request).await {
        Ok(grant) => Some((request, grant)),
        Err(refusal) => {
            let (reason, story) = (refusal.reason.name(), refusal.story());
            info!(reason, story, dialect, path = ?request.shown(), "refused");
            refuse(&conn, close::UNAUTHORIZED, &refusal.to_string()).await;
            None
        }
    }
}

async fn run(
    shared: &Shared,
    id: SessionId,
    greeted: Greeted,
    request: &auth::Request,
    grant: Grant,
    shutdown: watch::Receiver<bool>,
) {
    let Greeted { conn, peer, remote, .. } = greeted;
    let (dialect, since) = (peer.dialect.name, Instant::now());
    let node = match membership::node(&shared.cluster, request, &grant) {
        Ok(node) => node,
        Err(refusal) => {
            let (reason, story) = (refusal.reason.name(), refusal.story());
            info!(reason, story, dialect, path = ?request.shown(), "refused");
            refuse(&conn, close::UNAUTHORIZED, &refusal.to_string()).await;
            let how = Farewell { reason, duration: Duration::ZERO, sent: 0, received: 0 };
            return shared.auth.farewell(request, &grant, how).await;
        }
    };
    let called = node.as_ref().and_then(|node| node.name.as_deref());
    info!(dialect, path = ?request.shown(), who = grant.label, node = called, "connected");
    let quic = &shared.transport.quic;
    let (limits, (receive, send)) = match &node {
        Some(_) => (cluster::LIMITS, cluster::WINDOWS),
        None => (shared.limits, (u32::try_from(quic.receive_window).unwrap_or(u32::MAX), quic.send_window)),
    };
    conn.set_windows(receive, send);
    let (publish, subscribe) = (grant.publish.clone(), grant.subscribe.clone());
    let view = View::new(shared.origin.clone(), id, grant.root.clone(), publish, subscribe, node.is_some());
    let member = node.as_ref().map(|node| {
        let (name, register) = (node.name.as_deref(), node.register.as_deref());
        let (hop, price, is_full) = (peer.setup.hop, peer.setup.cost, node.is_full);
        shared.cluster.join(id, Guest { hop, dialect, remote, name, register, price, is_full })
    });
    let traffic = conn.clone();
    let (session, driver) = session::start(conn, peer, view, limits);
    let running = driver.run();
    tokio::pin!(running);
    let linked = async {
        match &member {
            Some(member) => membership::follow(member, &session, shared.handover).await,
            None => std::future::pending().await,
        }
    };
    let (how, closed) = tokio::select! {
        closed = &mut running => ("closed", Some(closed)),
        how = linked => (how, timeout(GOODBYE, &mut running).await.ok()),
        reason = shared.auth.ended(request, &grant) => {
            info!(reason = reason.name(), "rights are over");
            session.close(close::UNAUTHORIZED, &format!("{}: {reason}", reason.name()));
            (reason.name(), timeout(GOODBYE, &mut running).await.ok())
        }
        () = stopped(shutdown) => {
            session.leave();
            let late = tokio::select! {
                closed = &mut running => Err(closed),
                () = sleep(shared.drain) => Ok((close::GOAWAY_TIMEOUT, "server shutdown".to_owned())),
                // Whoever must not stay may not stay for that either.
                reason = shared.auth.ended(request, &grant) => {
                    Ok((close::UNAUTHORIZED, format!("{}: {reason}", reason.name())))
                }
            };
            let closed = match late {
                Err(closed) => Some(closed),
                Ok((code, reason)) => {
                    session.close(code, &reason);
                    timeout(GOODBYE, &mut running).await.ok()
                }
            };
            ("shutdown", closed)
        }
    };
    match closed {
        Some(closed) => info!(code = ?closed.code, reason = %closed.reason, "over"),
        None => info!("over: the peer does not take the goodbye"),
    }
    let Traffic { sent, received } = traffic.traffic();
    shared.auth.farewell(request, &grant, Farewell { reason: how, duration: since.elapsed(), sent, received }).await;
}

/// Closes with a reason and keeps the connection until the peer has read it.
async fn refuse(conn: &Connection, code: u32, reason: &str) {
    conn.close(code, reason);
    let _ = timeout(GOODBYE, conn.closed()).await;
}
