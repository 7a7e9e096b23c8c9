//! One live link with one node: dialed again and again, moved when the node asks for it.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tracing::{Instrument, debug, info, info_span, warn};

use super::{
    Config, Lookup,
    config::{Backoff, Redirect},
    links::{self, Direction, Link, Links},
    peers::{Introduction, Wanted},
    token,
};
use crate::{
    http,
    model::origin::{Neighbour, Origin, SessionId, View},
    session::{self, Hello, handshake},
    transport::{Closed, Connection, Dialed, Dialer, Target},
    types::{HopId, Path, Scope},
    wire::{Offer, lite::close},
};

/// A link that has lasted this long was a good one: the next wait is the shortest.
const STABLE: Duration = Duration::from_secs(30);
/// How long an old link lives beside the next at least, whatever it carries.
pub const OVERLAP: Duration = Duration::from_secs(1);
/// How often to look whether a place is still this node itself.
const ITSELF: Duration = Duration::from_secs(60);
/// A node that asks to move sooner than this is not followed at once.
const RESTLESS: Duration = Duration::from_secs(1);
/// How long a node that dials this one, too, may take to.
const YIELD: Duration = Duration::from_secs(5);
/// How long the way by UDP is waited for once another is open.
const GRACE: Duration = Duration::from_secs(1);
/// How long a peer may take to read a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What every dial needs.
pub(super) struct Dials {
    pub(super) config: Arc<Config>,
    pub(super) dialer: Dialer,
    pub(super) lookup: Lookup,
    pub(super) client: http::Client,
    pub(super) origin: Arc<Origin>,
    pub(super) links: Arc<Links>,
    pub(super) offer: Offer,
    pub(super) limits: session::Limits,
    /// Receive and send window, in bytes.
    pub(super) windows: (u32, u64),
    /// How long sessions may stay once this node is asked to stop.
    pub(super) drain: Duration,
    pub(super) shutdown: watch::Receiver<bool>,
}

impl Dials {
    /// Waits until this node is asked to stop.
    pub(super) async fn stopped(&self) {
        // An owner that is gone wants the links gone too.
        let _ = self.shutdown.clone().wait_for(|stop| *stop).await;
    }
}

/// How a link has ended.
enum Ended {
    /// It is over, after it had lasted this long.
    Over(Duration, String),
    /// The node has asked to move, and to where, after this long.
    Moved(Duration, Option<Target>),
    /// Another one does its work, or did until now.
    Superfluous,
    /// This node stops.
    Stopped,
}

/// Keeps one link with a node, at the addresses that are told, until dropped, or until this node stops and the link is
/// over.
pub(super) async fn stay_linked(
    dials: Arc<Dials>,
    wanted: Wanted,
    address: Option<SocketAddr>,
    mut addresses: watch::Receiver<Vec<SocketAddr>>,
    lost: Arc<Notify>,
) {
    let node = wanted.name.clone();
    let place = Place { dials: &dials, wanted: &wanted, address };
    dials.links.wanted(&node, address, true);
    let mut pause = Pause::new(dials.config.dial.backoff.clone());
    let mut old = JoinSet::new();
    let mut moved = None;
    loop {
        while old.try_join_next().is_some() {}
        if wanted.yields {
            tokio::select! {
                () = place.wait_for_the_other_side() => {}
                () = dials.stopped() => break,
            }
        }
        let mut begun = Instant::now();
        let target = moved.take();
        let to = match &target {
            Some(target) => (dials.lookup)(target).await.unwrap_or_default(),
            None => addresses.borrow_and_update().clone(),
        };
        let reason = match place.link(target.as_ref(), &to, &mut old).await {
            Err(reason) => reason,
            Ok(Ended::Stopped) => break,
            Ok(Ended::Superfluous) => continue,
            Ok(Ended::Moved(lasted, target)) => {
                moved = target;
                if lasted < RESTLESS {
                    sleep(dials.config.dial.backoff.initial).await;
                }
                continue;
            }
            Ok(Ended::Over(lasted, reason)) => {
                if lasted >= STABLE {
                    pause.reset();
                }
                begun = Instant::now();
                reason
            }
        };
        dials.links.failed(&node, address, reason.clone());
        if dials.config.dial.once {
            warn!(%node, reason, "no link, and no other attempt");
            break;
        }
        let Some(wait) = pause.next(begun.elapsed()) else {
            warn!(%node, reason, "no link, and given up");
            dials.stopped().await;
            break;
        };
        warn!(%node, ?address, reason, again = ?wait, "no link");
        lost.notify_one();
        tokio::select! {
            () = sleep(wait) => {}
            _ = addresses.changed() => {}
            () = dials.stopped() => break,
        }
    }
    while old.join_next().await.is_some() {}
}

/// A node at one place.
struct Place<'a> {
    dials: &'a Arc<Dials>,
    wanted: &'a Wanted,
    address: Option<SocketAddr>,
}

impl Place<'_> {
    /// Gives a node that dials this one the time to, and stays back as long as its link lives.
    async fn wait_for_the_other_side(&self) {
        let links = &self.dials.links;
        let name = Some(&self.wanted.name);
        let is_theirs = |link: &Link| link.direction == Direction::Inbound && link.name.as_ref() == name;
        loop {
            let linked = links.find(|live| live.values().any(is_theirs).then_some(()));
            if timeout(YIELD, linked).await.is_err() {
                return;
            }
            links.find(|live| (!live.values().any(is_theirs)).then_some(())).await;
        }
    }

    /// Dials the node and keeps the session until it ends. One that is to move goes on in `old` beside the next.
    async fn link(
        &self,
        moved: Option<&Target>,
        addresses: &[SocketAddr],
        old: &mut JoinSet<()>,
    ) -> Result<Ended, String> {
        let dials = self.dials;
        let deadline = Some(dials.config.dial.timeout).filter(|time| !time.is_zero());
        let deadline = Instant::now() + deadline.unwrap_or(Duration::from_secs(3600));
        let connecting = tokio::time::timeout_at(deadline, self.connect(moved, addresses, deadline));
        let (conn, peer, remote) = tokio::select! {
            connected = connecting => connected.unwrap_or_else(|_| Err("no answer in time".to_owned()))?,
            () = dials.stopped() => return Ok(Ended::Stopped),
        };
        let hop = peer.setup.hop;
        if hop.is(dials.origin.hop()) {
            conn.close(close::NONE, "this is the same node");
            debug!(node = %self.wanted.name, ?remote, "this node itself");
            return Ok(tokio::select! {
                () = sleep(ITSELF) => Ended::Superfluous,
                () = dials.stopped() => Ended::Stopped,
            });
        }
        let id = dials.origin.session();
        let (everything, dialect) = (Scope::everything(), peer.dialect);
        let view = View::new(dials.origin.clone(), id, Path::root(), everything.clone(), everything, true)
            .next_to(Neighbour { name: Some(self.wanted.name.as_str().into()), dialed: true });
        conn.set_windows(dials.windows.0, dials.windows.1);
        let link = Link {
            direction: Direction::Outbound,
            name: Some(self.wanted.name.clone()),
            hop,
            dialect: dialect.name,
            remote,
            price: self.wanted.price,
            is_full: true,
            leaving: false,
            since: links::now(),
        };
        let since = Instant::now();
        let (session, driver) = session::start(conn.clone(), peer, view, dials.limits);
        let listed = dials.links.add(id, link);
        dials.links.answered(&self.wanted.name, self.address);
        let span = info_span!("link", %id, node = %self.wanted.name);
        span.in_scope(|| info!(dialect = dialect.name, ?remote, "linked"));
        let mut driving = Box::pin(driver.run().instrument(span.clone()));
        let ended = tokio::select! {
            closed = &mut driving => Ended::Over(since.elapsed(), story(&closed)),
            uri = session.sent_away() => {
                listed.update(|link| link.leaving = true);
                let target = self.redirect(&uri);
                span.in_scope(|| info!(uri, follows = ?target, "asked to move"));
                let (handover, session) = (dials.config.dial.goaway.handover, session.clone());
                old.spawn(async move {
                    let _listed = listed;
                    let carrying = async {
                        sleep(OVERLAP).await;
                        session.deserted().await;
                    };
                    // What still comes over it alone may come back over the next.
                    tokio::select! {
                        _ = driving => {}
                        () = sleep(handover) => {}
                        () = carrying => {}
                    }
                    session.close(close::NONE, "moved");
                });
                return Ok(Ended::Moved(since.elapsed(), target));
            }
            () = self.is_double(id) => {
                span.in_scope(|| info!("another link with this node does the work of this one"));
                session.close(close::NONE, "superfluous");
                let _ = timeout(GOODBYE, driving).await;
                drop(listed);
                tokio::select! {
                    () = self.is_alone(hop) => {}
                    () = dials.stopped() => return Ok(Ended::Stopped),
                }
                Ended::Superfluous
            }
            () = dials.stopped() => {
                session.leave();
                if timeout(dials.drain, &mut driving).await.is_err() {
                    session.close(close::GOAWAY_TIMEOUT, "server shutdown");
                    let _ = timeout(GOODBYE, driving).await;
                }
                Ended::Stopped
            }
        };
        Ok(ended)
    }

    /// The transport, then SETUP where the dialect has it.
    async fn connect(
        &self,
        moved: Option<&Target>,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<(Connection, session::Peer, Option<SocketAddr>), String> {
        let dials = self.dials;
        let target = self.authorized(moved).await?;
        let pinned = if target.is_pinned_by_http() { Some(self.fingerprint(&target).await?) } else { None };
        let Dialed { conn, protocol, path, remote } = self.dial(&target, addresses, pinned.as_deref()).await?;
        let refuse = |code, reason: String| {
            conn.close(code, &reason);
            Err(reason)
        };
        let Some(choice) = dials.offer.select(protocol.as_deref()) else {
            let chosen = protocol.as_deref().unwrap_or("nothing");
            return refuse(close::VERSION_NEGOTIATION_FAILED, format!("no dialect in common: {chosen} was chosen"));
        };
        let hello = Hello { hop: dials.origin.hop(), path, price: self.wanted.price };
        let deadline = deadline.min(Instant::now() + handshake::DEADLINE);
        match handshake::connect(&conn, choice, &dials.offer, hello, deadline).await {
            Ok(peer) => Ok((conn, peer, remote)),
            Err(violation) => {
                // A refusal often comes as the close of a session that has not begun.
                match timeout(Duration::ZERO, conn.closed()).await {
                    Ok(closed) => Err(story(&closed)),
                    Err(_) => refuse(violation.code(), violation.to_string()),
                }
            }
        }
    }

    /// The place with what the node needs to know of this one.
    async fn authorized(&self, moved: Option<&Target>) -> Result<Target, String> {
        let mut wanted = self.wanted.clone();
        if let Some(moved) = moved {
            wanted.target = moved.clone();
        }
        let file: Option<PathBuf> = self.dials.config.token.clone();
        let read = tokio::task::spawn_blocking(move || token::authorized(&wanted, file.as_ref())).await;
        let target = read.map_err(|error| error.to_string())??;
        Ok(match (self.wanted.introduction, &self.dials.config.node) {
            (Introduction::Register, Some(node)) => target.with("register", node),
            (Introduction::Node, Some(node)) => target.with("node", node),
            _ => target,
        })
    }

    /// By UDP, and by TCP where that is no way.
    async fn dial(&self, target: &Target, addresses: &[SocketAddr], pinned: Option<&str>) -> Result<Dialed, String> {
        let dials = self.dials;
        let dial = &dials.config.dial;
        let protocols = dials.offer.alpns();
        let attempt = async |target: &Target| {
            let dialed = dials.dialer.dial(target, addresses, dial.race, &protocols, pinned).await;
            dialed.map_err(|error| error.to_string())
        };
        let Some(socket) = target.as_websocket().filter(|_| dial.websocket.enabled) else {
            return attempt(target).await;
        };
        let mut udp = pin!(attempt(target));
        let mut tcp = pin!(async {
            sleep(dial.websocket.delay).await;
            attempt(&socket).await
        });
        tokio::select! {
            dialed = &mut udp => match dialed {
                Ok(dialed) => Ok(dialed),
                // The better known reason is the better one.
                Err(reason) => tcp.await.map_err(|_| reason),
            },
            dialed = &mut tcp => match dialed {
                Ok(dialed) => match timeout(GRACE, &mut udp).await {
                    Ok(Ok(better)) => Ok(better),
                    _ => {
                        info!(node = %self.wanted.name, "no way through by UDP: linked by WebSocket");
                        Ok(dialed)
                    }
                },
                Err(_) => udp.await,
            },
        }
    }

    /// The certificate that a place shows, as a page of it says.
    async fn fingerprint(&self, target: &Target) -> Result<String, String> {
        let mut url = target.url().clone();
        url.set_path("/certificate.sha256");
        url.set_query(None);
        let answer = self.dials.client.get(url.as_str()).await.and_then(http::Answer::success);
        let text = String::from_utf8(answer.map_err(|error| format!("no fingerprint: {error}"))?.body);
        text.map(|text| text.trim().to_owned()).map_err(|_| "no fingerprint: not text".to_owned())
    }

    /// Where a GOAWAY leads, if it may lead there; otherwise the same place is dialed again.
    fn redirect(&self, uri: &str) -> Option<Target> {
        let here = &self.wanted.target;
        let target = Target::parse(uri).ok().filter(|target| uri.contains("://") && target.tier() >= here.tier())?;
        let allowed = match self.dials.config.dial.goaway.redirect {
            Redirect::Follow => true,
            Redirect::SameHost => target.host().eq_ignore_ascii_case(here.host()),
            Redirect::Ignore => false,
        };
        allowed.then_some(target)
    }

    /// Waits until another link with the same node makes this one superfluous: an older one that this side has dialed,
    /// or one from a node that comes first by its number.
    async fn is_double(&self, id: SessionId) {
        let own = self.dials.origin.hop();
        let price = self.wanted.price;
        let look = |live: &BTreeMap<SessionId, Link>| {
            let hop = live.get(&id)?.hop;
            let does_its_work = |(other, link): (&SessionId, &Link)| {
                let same = *other != id && link.hop.is(hop) && !link.leaving;
                let outbound = link.direction == Direction::Outbound && *other < id;
                let inbound = link.direction == Direction::Inbound && link.is_full && hop < own;
                same && (outbound || (inbound && (price.is_none() || price == link.price)))
            };
            live.iter().any(does_its_work).then_some(())
        };
        self.dials.links.find(look).await;
    }

    /// Waits until no link with a node is left that does the work of this one.
    async fn is_alone(&self, hop: HopId) {
        self.dials.links.find(|live| (!live.values().any(|link| link.hop.is(hop))).then_some(())).await;
    }
}

/// Why a session is over, for the log.
fn story(closed: &Closed) -> String {
    match (closed.code, closed.reason.as_str()) {
        (Some(code), "") => format!("closed with code {code:#x}"),
        (_, reason) => reason.to_owned(),
    }
}

/// Waiting, longer each time, and never as long as anybody else.
struct Pause {
    backoff: Backoff,
    next: Duration,
    since: Instant,
}

impl Pause {
    fn new(backoff: Backoff) -> Self {
        Self { next: backoff.initial, since: Instant::now(), backoff }
    }

    fn reset(&mut self) {
        (self.next, self.since) = (self.backoff.initial, Instant::now());
    }

    /// The time to wait after an attempt that took this long; `None` once all of it was in vain.
    fn next(&mut self, spent: Duration) -> Option<Duration> {
        if self.backoff.timeout.is_some_and(|most| self.since.elapsed() >= most) {
            return None;
        }
        let most = self.next.min(self.backoff.max);
        self.next = most.saturating_mul(self.backoff.multiplier).min(self.backoff.max);
        let wait = most.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        Some(wait.saturating_sub(spent).max(self.backoff.initial.min(most) / 2))
    }
}
