//! The threads that serve QUIC: a runtime each, and connections that never leave it.

use std::{io, num::NonZero, sync::Arc};

use anyhow::{Context, Result, ensure};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

use super::{
    Shared,
    accept::{self, Clients},
};
use crate::{
    model::watch::Worker,
    transport::{Dialer, Listener, config::Runtime, incoming::HTTP3, listener::Terms, port::Share},
    wire::{Dialect, lite::close},
};

/// How many serve: as many as were asked for, else one for each core that this process may use.
pub(super) fn count(runtime: &Runtime) -> u16 {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    runtime.workers.unwrap_or_else(|| u16::try_from(cores()).unwrap_or(u16::MAX))
}

/// Starts them on what `ports` share out, in their order. The first also does the `linking` with other nodes. Each
/// task ends when the sessions of its worker are over.
pub(super) async fn start(
    shared: &Arc<Shared>,
    ports: Vec<Vec<Share>>,
    linking: Linking,
    shutdown: &watch::Receiver<bool>,
) -> Result<JoinSet<()>> {
    let terms = terms(shared)?;
    let mut shares: Vec<Vec<Share>> = Vec::new();
    for port in ports {
        shares.resize_with(port.len().max(shares.len()), Vec::new);
        port.into_iter().zip(&mut shares).for_each(|(share, worker)| worker.push(share));
    }
    let cores = if shared.transport.runtime.pin { cores(shares.len()) } else { Vec::new() };
    let mut linking = Some(linking);
    let mut workers = JoinSet::new();
    for (number, shares) in shares.into_iter().enumerate() {
        let worker = Start {
            shared: shared.clone(),
            terms: terms.clone(),
            core: cores.get(number).copied(),
            linking: linking.take(),
            shutdown: shutdown.clone(),
        };
        let over = worker.spawn(number, shares).await?;
        workers.spawn(async move {
            let _ = over.await;
        });
    }
    ensure!(!workers.is_empty(), "no address to serve");
    Ok(workers)
}

/// Keeps the relay linked with other nodes, which this dialer reaches.
pub(super) type Linking = Box<dyn FnOnce(Dialer) -> BoxFuture<'static, ()> + Send>;

/// What every listener offers: certificates, and a place for all protocols.
fn terms(shared: &Shared) -> Result<Terms> {
    let mut alpns = shared.offer.alpns();
    alpns.push(HTTP3);
    // Clients that speak nothing else than what is switched off are let in to be told so: TLS has no words for it.
    alpns.extend(
        Dialect::ALL.iter().map(|dialect| dialect.alpn).filter(|alpn| shared.offer.select(Some(alpn)).is_none()),
    );
    let tls = shared.identity.server_config(&alpns).context("no QUIC endpoint")?;
    let (server, quic) = (&shared.transport.server, &shared.transport.quic);
    Terms::new(tls, (server, quic), shared.identity.reset_key()).context("no QUIC endpoint")
}

/// The core of each worker, when there is one for each. Fewer workers than cores leave the choice to the kernel, which
/// knows who else is busy.
fn cores(workers: usize) -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    let cores: Vec<_> = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
    if cores.len() == workers { cores } else { Vec::new() }
}

/// Keeps the current thread on one core.
fn pin(core: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// What a worker begins with.
struct Start {
    shared: Arc<Shared>,
    terms: Terms,
    core: Option<usize>,
    linking: Option<Linking>,
    shutdown: watch::Receiver<bool>,
}

impl Start {
    /// On a thread and runtime of its own, and returns once it serves. The receiver ends when its sessions are over.
    async fn spawn(self, number: usize, shares: Vec<Share>) -> Result<oneshot::Receiver<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (started, starting) = oneshot::channel();
        let (done, over) = oneshot::channel();
        std::thread::Builder::new().name(format!("quic-{number}")).spawn(move || {
            if let Some(Err(error)) = self.core.map(pin) {
                debug!(number, %error, "not kept on a core");
            }
            runtime.block_on(self.work(Worker::enter(), shares, started));
            drop::<oneshot::Sender<()>>(done);
        })?;
        starting.await.context("the QUIC worker ended")?.context("no QUIC endpoint")?;
        Ok(over)
    }

    /// Serves on the current runtime, which endpoints belong to once made, until its sessions are over.
    async fn work(self, worker: Worker, shares: Vec<Share>, started: oneshot::Sender<io::Result<()>>) {
        let listeners: Result<Vec<_>, _> =
            shares.into_iter().map(|share| Listener::new(share, self.terms.clone())).collect();
        let (listeners, first): (Vec<_>, FuturesUnordered<_>) = match listeners {
            Ok(listeners) => listeners.into_iter().unzip(),
            Err(error) => return drop(started.send(Err(error))),
        };
        let _ = started.send(Ok(()));
        first.push(async move { worker.dispatch().await }.boxed());
        let linking = self.linking.and_then(|linking| match Dialer::open(&self.shared.transport) {
            Ok((dialer, driver)) => {
                first.push(driver);
                Some(linking(dialer))
            }
            Err(error) => {
                warn!(%error, "other nodes cannot be dialed");
                None
            }
        });
        let serving = serve(self.shared, listeners, self.shutdown);
        let sessions = async {
            tokio::join!(serving, OptionFuture::from(linking));
        };
        lead(first, sessions).await;
    }
}

/// Runs until `sessions` are over, as the runtime's own future: what comes `first`, of which something never ends, has
/// another turn or two after at most 61 tasks (`event_interval`), however many there are.
async fn lead(first: FuturesUnordered<BoxFuture<'static, ()>>, sessions: impl Future<Output = ()> + Send + 'static) {
    tokio::select! {
        biased;
        () = first.for_each(async |()| ()) => {}
        _ = tokio::spawn(sessions) => {}
    }
}

async fn serve(shared: Arc<Shared>, listeners: Vec<Listener>, shutdown: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for listener in &listeners {
        let (shared, listener, shutdown) = (shared.clone(), listener.clone(), shutdown.clone());
        tasks.spawn(async move {
            accept::serve(shared, Clients::Quic(listener.clone()), shutdown).await;
            listener.close(close::NONE, "server shutdown");
        });
    }
    while tasks.join_next().await.is_some() {}
    for listener in listeners {
        listener.drained().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn a_socket_is_read_however_many_tasks_there_are() {
        const TURNS: usize = 10;
        const CROWD: usize = 2000;
        let polls = Arc::new(AtomicUsize::new(0));
        let (count, crowd) = (polls.clone(), polls);
        let (done, over) = oneshot::channel();
        let reading = async move {
            while count.load(Relaxed) < CROWD {
                yield_now().await;
            }
            let before = count.load(Relaxed);
            for _ in 0..TURNS {
                yield_now().await;
            }
            let _ = done.send(count.load(Relaxed) - before);
            std::future::pending().await
        };
        let (found, waited) = std::sync::mpsc::channel();
        let sessions = async move {
            let mut busy = JoinSet::new();
            for _ in 0..CROWD {
                let polls = crowd.clone();
                busy.spawn(async move {
                    loop {
                        polls.fetch_add(1, Relaxed);
                        yield_now().await;
                    }
                });
            }
            found.send(over.await).unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lead(FuturesUnordered::from_iter([reading.boxed()]), sessions));
        let waited = waited.recv().unwrap().unwrap();
        assert!(waited < TURNS * CROWD / 10, "{waited} tasks were polled before its {TURNS} turns were over");
    }
}
