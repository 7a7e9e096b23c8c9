//! Assembles everything, in order, once: sockets first, readiness last. Owns the tasks and the end of them.

mod accept;
mod connection;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

use crate::{
    auth::Auth,
    config::Config,
    model::{
        cache::{Cache, Limits},
        origin::Origin,
    },
    session,
    transport::tls::Identity,
    types::HopId,
    web,
};

/// A relay that has bound its sockets and not begun to serve.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    udp: Vec<std::net::UdpSocket>,
    tcp: Vec<std::net::TcpListener>,
    address: SocketAddr,
    web_address: Option<SocketAddr>,
}

/// What every connection needs.
#[derive(Debug)]
struct Shared {
    origin: Arc<Origin>,
    auth: Arc<Auth>,
    identity: Arc<Identity>,
    limits: session::Limits,
}

/// How often the cache looks for groups that have outlived their time.
const SWEEP: Duration = Duration::from_secs(1);

/// How long sessions may take to hear that the relay is leaving.
const GOODBYE: Duration = Duration::from_secs(2);

impl Relay {
    /// Loads certificates and binds every socket; nothing is served yet. `optional` addresses may be missing on this
    /// machine, as long as one address is left.
    pub fn bind(config: &Config, optional: bool) -> Result<Self> {
        let identity = Identity::load(&config.transport.server.tls)?;
        let auth = Arc::new(Auth::new(&config.auth));
        let sockets = accept::bind(config, optional)?;
        let hop = HopId::from_random(rand::random());
        let limits = Limits {
            capacity: config.model.capacity,
            duration: config.model.duration,
            groups: config.model.groups.map(|groups| usize::try_from(groups).unwrap_or(usize::MAX)),
        };
        let origin = Origin::new(hop, Cache::new(limits));
        let shared = Arc::new(Shared { origin, auth, identity, limits: session::Limits::default() });
        Ok(Self {
            shared,
            address: sockets.udp.first().context("no address to serve")?.local_addr()?,
            web_address: sockets.tcp.first().map(std::net::TcpListener::local_addr).transpose()?,
            udp: sockets.udp,
            tcp: sockets.tcp,
        })
    }

    /// The first UDP address served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first HTTP address served, if any.
    pub const fn web_address(&self) -> Option<SocketAddr> {
        self.web_address
    }

    /// What is live, to look at.
    pub fn origin(&self) -> Arc<Origin> {
        self.shared.origin.clone()
    }

    /// Serves until `shutdown` turns true, then says goodbye to every session.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<()> {
        let Self { shared, udp, tcp, .. } = self;
        let addresses: Vec<_> = udp.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let pages: Vec<_> = tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let mut tasks = JoinSet::new();
        let mut worker = accept::spawn_worker(shared.clone(), udp, shutdown.clone()).await?;
        for listener in tcp {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let router = web::router(web::State {
                identity: shared.identity.clone(),
                auth: shared.auth.clone(),
                origin: shared.origin.clone(),
            });
            tasks.spawn(web::serve(listener, router, stopped(shutdown.clone())));
        }
        tasks.spawn(shared.identity.clone().maintain());
        tasks.spawn(sweep(shared.origin.cache().clone()));
        info!(hop = ?shared.origin.hop(), quic = ?addresses, http = ?pages, "serving");
        let over = tokio::select! {
            () = stopped(shutdown.clone()) => false,
            // The worker hears of a shutdown too and may be faster.
            _ = &mut worker => {
                ensure!(*shutdown.borrow() || shutdown.has_changed().is_err(), "the QUIC worker ended");
                true
            }
        };
        info!("shutting down");
        if !over && tokio::time::timeout(GOODBYE, worker).await.is_err() {
            warn!("some sessions did not take the goodbye in time");
        }
        tasks.shutdown().await;
        Ok(())
    }
}

async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // An owner that is gone wants the relay gone too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn sweep(cache: Arc<Cache>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        cache.sweep();
    }
}
