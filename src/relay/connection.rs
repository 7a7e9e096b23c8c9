//! The life of one client: handshake → who is it and what may it do → session → over.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{Instrument, debug, info, info_span};

use super::{Shared, asked_to_stop, membership};
use crate::{
    auth::{self, Farewell, Grant},
    cluster::{self, Guest, Member, Name},
    model::origin::{Neighbour, SessionId, View},
    session::{self, Driver, Peer, Session, handshake},
    transport::{Closed, Connection, Greeting, Incoming, Traffic},
    types::{Certificate, PathError},
    web::Knock,
    wire::lite::close,
};

/// How long a peer may take to read why it is refused, or that the relay has closed its session.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves one incoming connection to its end. After `shutdown` the peer is asked to move, and has to in time.
pub(super) fn serve(
    shared: Arc<Shared>,
    knock: Knock,
    mut shutdown: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let Knock { incoming, admitted } = knock;
    let id = shared.origin.session();
    let (door, remote) = (incoming.door(), incoming.remote_address());
    let span = match remote {
        Some(remote) => info_span!("session", %id, door, %remote),
        None => info_span!("session", %id, door),
    };
    // In a box, like all that is soon over: a task is as large as the largest of its states, and an `async fn` keeps a place
    // for what it was called with to its end.
    let entering = Box::pin(enter(shared.clone(), incoming, admitted));
    async move {
        let entered = tokio::select! {
            entered = entering => entered,
            () = asked_to_stop(&mut shutdown) => return,
        };
        if let Some(client) = entered {
            run(&shared, id, client, &mut shutdown).await;
        }
    }
    .instrument(span)
}

/// A client that has come in.
struct Client {
    conn: Connection,
    peer: Peer,
    remote: Option<SocketAddr>,
    rights: Box<Rights>,
}

/// What it has asked for, and what it may do.
struct Rights {
    request: auth::Request,
    grant: Grant,
}

/// From the door to a client with rights. `None` when it has none, or has never arrived.
async fn enter(
    shared: Arc<Shared>,
    incoming: Incoming,
    admitted: Option<(auth::Request, Grant)>,
) -> Option<Box<Client>> {
    let door = incoming.door();
    let greeted = match greet(&shared, incoming).await {
        Ok(greeted) => greeted,
        // A client whose race was won by another door leaves like this.
        Err(reason) => {
            debug!(%reason, "handshake failed");
            if let Some((request, grant)) = admitted {
                let how = Farewell { reason: "handshake failed", duration: Duration::ZERO, sent: 0, received: 0 };
                shared.auth.farewell(&request, &grant, how).await;
            }
            return None;
        }
    };
    let admitted = match admitted {
        Some(admitted) => Some(admitted),
        None => {
            let dialect = greeted.peer.dialect.name;
            admit(&shared, &greeted.conn, dialect, request(&shared, &greeted, door)).await
        }
    };
    let Greeted { conn, peer, remote, .. } = greeted;
    let (request, grant) = admitted?;
    Some(Box::new(Client { conn, peer, remote, rights: Box::new(Rights { request, grant }) }))
}

/// A peer whose handshake is over and whose rights are not known yet.
struct Greeted {
    conn: Connection,
    peer: Peer,
    /// Path and query, as the URL or SETUP has it.
    target: String,
    host: Option<String>,
    certificate: Option<Arc<Certificate>>,
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
fn request(shared: &Shared, greeted: &Greeted, transport: &'static str) -> Result<auth::Request, PathError> {
    let Greeted { peer, target, host, certificate, remote, .. } = greeted;
    let (path, query) = target.split_once('?').map_or((&**target, None), |(path, query)| (path, Some(query)));
    let mut request = shared.auth.request(path, query)?;
    request.transport = transport;
    request.remote = *remote;
    request.host.clone_from(host);
    request.certificate.clone_from(certificate);
    request.protocol = Some(peer.dialect.name.to_owned());
    Ok(request)
}

/// What the peer may do; `None` when it was told that it may do nothing.
async fn admit(
    shared: &Shared,
    conn: &Connection,
    dialect: &'static str,
    request: Result<auth::Request, PathError>,
) -> Option<(auth::Request, Grant)> {
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            info!(%error, dialect, "refused");
            refuse(conn, close::UNAUTHORIZED, &error.to_string()).await;
            return None;
        }
    };
    match shared.auth.authorize(&request).await {
        Ok(grant) => Some((request, grant)),
        Err(refusal) => {
            let (reason, story) = (refusal.reason.name(), refusal.story());
            info!(reason, story, dialect, path = ?request.shown(), "refused");
            refuse(conn, close::UNAUTHORIZED, &refusal.to_string()).await;
            None
        }
    }
}

/// A client that is served.
struct Served {
    session: Session,
    driver: Driver,
    member: Option<Box<Member>>,
    rights: Box<Rights>,
}

/// Begins to serve a client, unless it wants to be a node and must not.
fn begin(shared: &Shared, id: SessionId, client: Box<Client>) -> Result<Served, (Box<Client>, auth::Refusal)> {
    let Rights { request, grant } = &*client.rights;
    let node = match membership::node(&shared.cluster, request, grant) {
        Ok(node) => node,
        Err(refusal) => return Err((client, refusal)),
    };
    let Client { conn, peer, remote, rights } = *client;
    let Rights { request, grant } = &*rights;
    let dialect = peer.dialect.name;
    let called = node.as_ref().and_then(|node| node.name.as_deref());
    info!(dialect, path = ?request.shown(), who = grant.label, node = called, "connected");
    let quic = &shared.transport.quic;
    let (limits, (receive, send)) = match &node {
        Some(_) => (cluster::LIMITS.within(quic.max_streams), cluster::WINDOWS),
        None => (shared.limits, (u32::try_from(quic.receive_window).unwrap_or(u32::MAX), quic.send_window)),
    };
    conn.set_windows(receive, send);
    let (publish, subscribe) = (grant.publish.clone(), grant.subscribe.clone());
    let view = View::new(shared.origin.clone(), id, grant.root.clone(), publish, subscribe, node.is_some()).next_to(
        Neighbour {
            name: called.and_then(|name| Name::parse(name).ok()).map(|name| name.as_str().into()),
            dialed: false,
        },
    );
    let member = node.map(|node| {
        let (name, register) = (node.name.as_deref(), node.register.as_deref());
        let (hop, price, is_full) = (peer.setup.hop, peer.setup.cost, node.is_full);
        Box::new(shared.cluster.join(id, Guest { hop, dialect, remote, name, register, price, is_full }))
    });
    let (session, driver) = session::start(conn, peer, view, limits);
    Ok(Served { session, driver, member, rights })
}

async fn run(shared: &Shared, id: SessionId, client: Box<Client>, shutdown: &mut watch::Receiver<bool>) {
    let Served { session, driver, member, rights } = match begin(shared, id, client) {
        Ok(served) => served,
        Err((client, refusal)) => return Box::pin(turn_away(shared, client, refusal)).await,
    };
    let since = Instant::now();
    let mut running = pin!(driver.run());
    let linked = async {
        match &member {
            Some(member) => Box::pin(membership::follow(member, &session, shared.handover)).await,
            None => std::future::pending().await,
        }
    };
    let (how, closed) = tokio::select! {
        closed = &mut running => ("closed", Some(closed)),
        how = linked => (how, timeout(GOODBYE, &mut running).await.ok()),
        reason = shared.auth.ended(&rights.request, &rights.grant) => {
            info!(reason = reason.name(), "rights are over");
            session.close(close::UNAUTHORIZED, &format!("{}: {reason}", reason.name()));
            (reason.name(), timeout(GOODBYE, &mut running).await.ok())
        }
        () = asked_to_stop(shutdown) => {
            let ended = shared.auth.ended(&rights.request, &rights.grant);
            ("shutdown", Box::pin(move_away(&session, running, ended, shared.drain)).await)
        }
    };
    match closed {
        Some(closed) => info!(code = ?closed.code, reason = %closed.reason, "over"),
        None => info!("over: the peer does not take the goodbye"),
    }
    let Traffic { sent, received } = session.traffic();
    let how = Farewell { reason: how, duration: since.elapsed(), sent, received };
    shared.auth.farewell(&rights.request, &rights.grant, how).await;
}

/// Refuses whoever wants to be a node and must not.
async fn turn_away(shared: &Shared, client: Box<Client>, refusal: auth::Refusal) {
    let Rights { request, grant } = &*client.rights;
    let (reason, story) = (refusal.reason.name(), refusal.story());
    info!(reason, story, dialect = client.peer.dialect.name, path = ?request.shown(), "refused");
    refuse(&client.conn, close::UNAUTHORIZED, &refusal.to_string()).await;
    let how = Farewell { reason, duration: Duration::ZERO, sent: 0, received: 0 };
    shared.auth.farewell(request, grant, how).await;
}

/// Asks the peer to move, and ends a session that is still there after `drain`, or whose rights end before.
async fn move_away(
    session: &Session,
    mut running: Pin<&mut impl Future<Output = Closed>>,
    ended: impl Future<Output = auth::Reason>,
    drain: Duration,
) -> Option<Closed> {
    session.leave();
    let (code, reason) = tokio::select! {
        closed = &mut running => return Some(closed),
        () = sleep(drain) => (close::GOAWAY_TIMEOUT, "server shutdown".to_owned()),
        // Whoever must not stay may not stay for that either.
        reason = ended => (close::UNAUTHORIZED, format!("{}: {reason}", reason.name())),
    };
    session.close(code, &reason);
    timeout(GOODBYE, running).await.ok()
}

/// Closes with a reason and keeps the connection until the peer has read it.
async fn refuse(conn: &Connection, code: u32, reason: &str) {
    conn.close(code, reason);
    let _ = timeout(GOODBYE, conn.closed()).await;
}
