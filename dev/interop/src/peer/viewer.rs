//! A client that discovers and subscribes.

use std::time::Duration;

use anyhow::{Result, bail};
use moq_net::announce::{self, Kind};
use moq_net::track::Subscription;
use moq_net::{broadcast, origin, track};
use moq_tokio::quic;

use super::session::{Session, client};
use super::{STEP, Watching, step, within};
use crate::content::TRACK;
use crate::dialect::Seat;
use crate::doors::Doors;

/// How far a viewer lets groups fall behind before it skips them. No case falls behind this far; and before 05, where
/// nothing says which group is the last, each hop waits this long for stragglers at the end of a track.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client that watches. Dropping it closes its session.
pub struct Viewer {
    origin: origin::Producer,
    announced: announce::Consumer,
    seat: Seat,
    pub session: Session,
}

impl Viewer {
    pub async fn connect(relay: &Doors, seat: Seat) -> Result<Self> {
        Self::connect_at(relay, seat, "/").await
    }

    /// Connect below `path`, which becomes the root of what this viewer sees.
    pub async fn connect_at(relay: &Doors, seat: Seat, path: &str) -> Result<Self> {
        let origin = moq_tokio::origin::spawn();
        let client = client(seat, quic::Config::default())?.with_subscriber(origin.clone());
        let session = step(|| "viewer connects".into(), Session::dial(client, relay, seat, path)).await?;
        let announced = origin.consume().announced();
        Ok(Self { origin, announced, seat, session })
    }

    /// Wait until exactly `name` is announced.
    pub async fn discover(&mut self, name: &str) -> Result<()> {
        self.discover_within(STEP, name).await
    }

    /// The same where that may take its time.
    pub async fn discover_within(&mut self, patience: Duration, name: &str) -> Result<()> {
        within(patience, || format!("{name} is announced"), self.until(name, Kind::is_active)).await
    }

    /// Wait until `name`, announced earlier, is gone.
    pub async fn retracted(&mut self, name: &str) -> Result<()> {
        self.retracted_within(STEP, name).await
    }

    /// The same where that may take its time.
    pub async fn retracted_within(&mut self, patience: Duration, name: &str) -> Result<()> {
        let gone = |kind| kind == Kind::Retracted;
        within(patience, || format!("{name} is retracted"), self.until(name, gone)).await
    }

    async fn until(&mut self, name: &str, wanted: impl Fn(Kind) -> bool) -> Result<()> {
        while let Some(update) = self.announced.next().await {
            if update.prefix.as_str() == name && wanted(update.kind) {
                return Ok(());
            }
        }
        bail!("announcements end")
    }

    /// Discover `name` and resolve it.
    pub async fn broadcast(&mut self, name: &str) -> Result<broadcast::Consumer> {
        self.discover(name).await?;
        step(|| "broadcast resolves".into(), self.origin.consume().request_broadcast(name)).await
    }

    /// Resolve `name`, announced earlier, as soon as somebody serves it.
    pub async fn broadcast_again(&mut self, name: &str) -> Result<broadcast::Consumer> {
        step(|| "broadcast resolves again".into(), self.origin.consume().routed_broadcast(name)).await
    }

    /// Discover `name` and resolve its usual track, without asking for any group yet.
    pub async fn track(&mut self, name: &str) -> Result<track::Consumer> {
        Ok(self.broadcast(name).await?.track(TRACK)?)
    }

    /// Discover `name` and subscribe from its newest group on, skipping nothing from there.
    pub async fn watch(&mut self, name: &str) -> Result<Watching> {
        let track = self.track(name).await?;
        self.subscribe(track, Subscription::default().with_max_age(PATIENCE)).await
    }

    /// Discover `name` and join at the live edge: only the newest group is worth having.
    pub async fn join(&mut self, name: &str) -> Result<Watching> {
        let track = self.track(name).await?;
        self.read(track).await
    }

    /// Read a track at the live edge.
    pub async fn read(&self, track: track::Consumer) -> Result<Watching> {
        self.subscribe(track, Subscription::default()).await
    }

    async fn subscribe(&self, track: track::Consumer, subscription: Subscription) -> Result<Watching> {
        let track = step(|| "subscription is accepted".into(), track.subscribe(subscription)).await?;
        Ok(Watching::new(track, self.seat))
    }
}
