//! Assembles everything, in order, once: sockets first, readiness last. Owns the tasks and the end of them.

mod accept;
mod bind;
mod connection;
mod membership;
mod workers;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tracing::{info, warn};

use self::{accept::Clients, bind::Sockets};
use crate::{
    auth::Auth,
    cluster::{self, Cluster},
    config::Config,
    http,
    model::{
        cache::{Cache, Limits},
        origin::{self, Origin},
    },
    session,
    transport::{
        self,
        config::{Allow, Tls},
        tls::Identity,
    },
    types::HopId,
    web::{self, config::Https},
    wire::Offer,
};

/// A relay that has bound its sockets and not begun to serve.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    sockets: Sockets,
    /// The certificates of HTTPS.
    https: Arc<Identity>,
    ws: bool,
    allow: Allow,
    address: SocketAddr,
    /// How other programs are asked.
    client: http::Client,
    /// The dialects spoken with other nodes.
    nodes: Offer,
}

/// What every connection needs.
#[derive(Debug)]
struct Shared {
    origin: Arc<Origin>,
    auth: Arc<Auth>,
    cluster: Arc<Cluster>,
    identity: Arc<Identity>,
    /// The dialects spoken with clients.
    offer: Offer,
    limits: session::Limits,
    transport: transport::Config,
    /// How long sessions may stay after they were asked to move.
    drain: Duration,
    /// How long a link may stay after its node has asked to move.
    handover: Duration,
}

/// How often to look for groups and broadcasts that have outlived their time.
const SWEEP: Duration = Duration::from_secs(1);

/// How long sessions may outlast their time to leave: a little more than each of them gives its peer to read the close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Sessions that may begin by another door than QUIC and were not looked at yet.
const KNOCKS: usize = 256;

impl Relay {
    /// Loads certificates and binds every socket; nothing is served yet. `optional` addresses may be missing on this
    /// machine, as long as one address is left.
    pub fn bind(config: &Config, optional: bool) -> Result<Self> {
        let server = &config.transport.server;
        let (identity, https) = identities(config)?;
        let auth = Arc::new(Auth::open(&config.auth)?);
        let sockets = bind::bind(config, optional)?;
        let limits = Limits {
            capacity: config.model.capacity,
            duration: config.model.duration,
            groups: config.model.groups.map(|groups| usize::try_from(groups).unwrap_or(usize::MAX)),
        };
        let hop = config.cluster.id.map_or_else(|| HopId::from_random(rand::random()), HopId);
        let settings = origin::Settings {
            reserved: Cluster::reserved(&config.cluster),
            linger: config.cluster.linger,
            max_hops: config.cluster.max_hops.into(),
        };
        let origin = Origin::with(hop, Cache::new(limits), settings);
        let cluster = Cluster::new(config.cluster.clone(), origin.clone())?;
        let client = client(config)?;
        let shared = Shared {
            origin,
            auth,
            cluster,
            identity,
            offer: config.session.server.clone(),
            limits: session::Limits::default().within(config.transport.quic.max_streams),
            transport: config.transport.clone(),
            drain: config.session.drain,
            handover: config.cluster.dial.goaway.handover,
        };
        Ok(Self {
            address: sockets.udp.iter().flatten().next().context("no address to serve")?.local_addr()?,
            shared: Arc::new(shared),
            sockets,
            https,
            ws: config.web.ws,
            allow: server.unix.allow.clone(),
            client,
            nodes: config.session.client.clone(),
        })
    }

    /// Opens what a configuration names, without binding anything: certificates, and the files of keys.
    pub fn examine(config: &Config) -> Result<()> {
        identities(config)?;
        Auth::open(&config.auth)?;
        Cluster::check(&config.cluster)?;
        client(config)?;
        Ok(())
    }

    /// The first UDP address served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first address of each kind that is not QUIC, if it is served.
    pub fn other_addresses(&self) -> OtherAddresses {
        let first = |listeners: &[TcpListener]| listeners.first().and_then(|listener| listener.local_addr().ok());
        let Sockets { http, https, internal, tcp, .. } = &self.sockets;
        OtherAddresses { http: first(http), https: first(https), tcp: first(tcp), internal: first(internal) }
    }

    /// What is live, to look at.
    pub fn origin(&self) -> Arc<Origin> {
        self.shared.origin.clone()
    }

    /// The nodes it is linked with, and those it should be.
    pub fn cluster(&self) -> Arc<Cluster> {
        self.shared.cluster.clone()
    }

    /// Serves until `shutdown` turns true, then asks every session to move and waits until they have.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<()> {
        let Self { shared, sockets, https, ws, allow, client, nodes, .. } = self;
        log(&shared, &sockets);
        let Sockets { udp, http, https: secure, internal, tcp, unix } = sockets;
        let mut tasks = JoinSet::new();
        let means = cluster::Means { client, offer: nodes, drain: shared.drain, shutdown: shutdown.clone() };
        let cluster = shared.cluster.clone();
        let linking = Box::new(|dialer| cluster.run(dialer, means).boxed());
        let mut workers = workers::start(&shared, udp, linking, &shutdown).await?;
        let (knock, knocks) = mpsc::channel(KNOCKS);
        let doors = tokio::spawn(accept::serve(shared.clone(), Clients::Others(knocks), shutdown.clone()));
        let pages = web::State {
            identity: shared.identity.clone(),
            auth: shared.auth.clone(),
            origin: shared.origin.clone(),
            cluster: shared.cluster.clone(),
            door: ws.then(|| web::Door {
                knock: knock.clone(),
                protocols: shared.offer.alpns(),
                in_band: shared.offer.select(None).is_some(),
            }),
        };
        let router = web::router(pages.clone());
        for listener in internal {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let router = web::internal(pages.clone());
            tasks.spawn(web::serve(listener, None, router, stopped(shutdown.clone())));
        }
        let acceptor = https.acceptor(&["h2", "http/1.1"])?;
        let secured = secure.into_iter().map(|listener| (listener, Some(acceptor.clone())));
        for (listener, tls) in http.into_iter().map(|listener| (listener, None)).chain(secured) {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(web::serve(listener, tls, router.clone(), stopped(shutdown.clone())));
        }
        for listener in tcp {
            tasks.spawn(accept::tcp(tokio::net::TcpListener::from_std(listener)?, knock.clone()));
        }
        if let Some(listener) = unix {
            let serving = accept::unix(listener, allow, knock.clone());
            tasks.spawn(async move {
                if let Err(error) = serving.await {
                    warn!(%error, "the Unix socket is not served any more");
                }
            });
        }
        if !Arc::ptr_eq(&https, &shared.identity) {
            tasks.spawn(https.maintain());
        }
        tasks.spawn(shared.identity.clone().maintain());
        let auth = shared.auth.clone();
        tasks.spawn(async move { auth.maintain().await });
        tasks.spawn(sweep(shared.origin.clone()));
        tokio::select! {
            () = stopped(shutdown.clone()) => {}
            // Workers hear of a shutdown too and may be faster.
            _ = workers.join_next() => {
                ensure!(*shutdown.borrow() || shutdown.has_changed().is_err(), "a QUIC worker ended");
            }
        }
        info!("shutting down");
        let leave = async {
            while workers.join_next().await.is_some() {}
            let _ = doors.await;
        };
        if tokio::time::timeout(shared.drain + GOODBYE, leave).await.is_err() {
            warn!("some sessions did not take the goodbye in time");
        }
        tasks.shutdown().await;
        Ok(())
    }
}

/// Lists of nodes and fingerprints are asked for under the certificates that nodes are dialed under.
fn client(config: &Config) -> Result<http::Client> {
    let tls = &config.transport.client.tls;
    let trust =
        http::Trust { root: tls.root.clone(), identity: tls.identity.clone(), disable_verify: tls.disable_verify };
    Ok(http::Client::new(&trust, None)?)
}

/// The certificates of QUIC and those of HTTPS.
fn identities(config: &Config) -> Result<(Arc<Identity>, Arc<Identity>)> {
    let identity = Identity::load(&config.transport.server.tls)?;
    let Https { cert, key, root, .. } = &config.web.https;
    let https = match &cert[..] {
        [] => identity.clone(),
        _ => {
            let root = if root.is_empty() { &config.transport.server.tls.root } else { root };
            let (cert, key, root) = (cert.clone(), key.clone(), root.clone());
            Identity::load(&Tls { cert, key, root, generate: Vec::new() })?
        }
    };
    Ok((identity, https))
}

/// See [`Relay::other_addresses`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherAddresses {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// HTTP over TLS.
    pub https: Option<SocketAddr>,
    /// QMux over TCP.
    pub tcp: Option<SocketAddr>,
    /// HTTP for whoever runs this node.
    pub internal: Option<SocketAddr>,
}

fn log(shared: &Shared, sockets: &Sockets) {
    let local = |listeners: &[TcpListener]| -> Vec<_> {
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    };
    let quic: Vec<_> = sockets.udp.iter().filter_map(|port| port.first()?.local_addr().ok()).collect();
    let (http, https, tcp) = (local(&sockets.http), local(&sockets.https), local(&sockets.tcp));
    let internal = local(&sockets.internal);
    let unix = sockets.unix.as_ref().and_then(|listener| listener.local_addr().ok());
    let workers = sockets.udp.first().map_or(0, Vec::len);
    info!(hop = ?shared.origin.hop(), workers, ?quic, ?http, ?https, ?internal, ?tcp, ?unix, "serving");
}

async fn stopped(mut shutdown: watch::Receiver<bool>) {
    asked_to_stop(&mut shutdown).await;
}

async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    // An owner that is gone wants the relay gone too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn sweep(origin: Arc<Origin>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        origin.cache().sweep();
        origin.sweep();
    }
}
