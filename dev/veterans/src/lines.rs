//! The published libraries, each behind the same few traits.
//!
//! Their models have been the same for half a year while their types are not, so one file (`roles`) is compiled once for
//! every line. How a session is opened changed once: `dial_early` and `dial_late`.

mod v07;
mod v09;
mod v13;
mod v14;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use url::Url;

use crate::seat::Line;

/// Where clients bind: relays under test listen on IPv4.
const BIND: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Dial as a publisher.
pub async fn publisher(line: Line, url: Url) -> Result<Box<dyn Publisher>> {
    match line {
        Line::V07 => v07::publisher(url).await,
        Line::V09 => v09::publisher(url).await,
        Line::V13 => v13::publisher(url).await,
        Line::V14 => v14::publisher(url).await,
    }
}

/// Dial as a viewer.
pub async fn viewer(line: Line, url: Url) -> Result<Box<dyn Viewer>> {
    match line {
        Line::V07 => v07::viewer(url).await,
        Line::V09 => v09::viewer(url).await,
        Line::V13 => v13::viewer(url).await,
        Line::V14 => v14::viewer(url).await,
    }
}

/// A session that announces. Dropping it leaves.
pub trait Publisher: Send + Sync {
    /// Announce `path` with one track.
    fn announce(&self, path: &str, track: &str) -> Announced;

    /// Close the session at once with an application error, whatever is in flight.
    fn die(self: Box<Self>);
}

/// A broadcast on its way out, ended when dropped.
pub struct Announced {
    /// Its track, once for every time somebody begins to want it. Any other track is refused.
    pub wanted: mpsc::Receiver<Box<dyn Track>>,
    /// The task that owns the broadcast.
    serving: AbortHandle,
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A track being written. Dropping it without [`Track::finish`] breaks it off.
#[async_trait]
pub trait Track: Send + Sync {
    /// Open a group newer than every other.
    fn open(&mut self, sequence: u64) -> Result<Box<dyn Group>>;

    /// Wait until nobody wants the track any more.
    async fn unused(&self);

    /// End the track cleanly.
    fn finish(self: Box<Self>);
}

/// A group being written.
pub trait Group: Send + Sync {
    fn write(&mut self, frame: Bytes);

    /// End the group cleanly.
    fn finish(self: Box<Self>);

    /// Give the group up.
    fn abort(self: Box<Self>);
}

/// A session that discovers and subscribes. Dropping it leaves.
#[async_trait]
pub trait Viewer: Send + Sync {
    /// The next path that comes, with its source, or goes. None when the library says nothing more.
    async fn announced(&mut self) -> Option<(String, Option<Box<dyn Source>>)>;
}

/// A broadcast that can be watched.
pub trait Source: Send + Sync {
    /// The library subscribes at once, and answers in the groups.
    fn subscribe(&self, track: &str) -> Box<dyn Groups>;
}

/// A subscription. Dropping it unsubscribes.
#[async_trait]
pub trait Groups: Send + Sync {
    /// The next group and its sequence. None at a clean end.
    async fn next(&mut self) -> Result<Option<(u64, Box<dyn Frames>)>>;
}

/// A group being read.
#[async_trait]
pub trait Frames: Send + Sync {
    /// The next whole frame. None at a clean end.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}
