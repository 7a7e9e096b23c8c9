//! A client that announces and writes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::step;
use crate::content::{self, TRACK};
use crate::lines;
use crate::seat::Seat;

/// How long a relay may go on receiving what nobody watches any more.
const LINGER: Duration = Duration::from_secs(8);

/// A client that publishes. Dropping it closes its session.
pub struct Publisher {
    session: Box<dyn lines::Publisher>,
    seat: Seat,
}

impl Publisher {
    pub async fn connect(relay: SocketAddr, seat: Seat) -> Result<Self> {
        let session = lines::publisher(seat.line, seat.url(relay)?);
        let session = step(|| "publisher connects".into(), session).await?.context("publisher connects")?;
        Ok(Self { session, seat })
    }

    /// Announce a broadcast with the usual track.
    pub fn announce(&self, name: &str) -> Broadcast {
        self.announce_track(name, TRACK)
    }

    /// Announce a broadcast with one track of this name.
    pub fn announce_track(&self, name: &str, track: &str) -> Broadcast {
        Broadcast(self.session.announce(&self.seat.path(name), track))
    }

    /// Close the session at once with an application error, whatever is in flight.
    pub fn die(self) {
        self.session.die();
    }
}

/// A broadcast on its way out, which ends when it is dropped.
pub struct Broadcast(lines::Announced);

impl Broadcast {
    /// Wait until the relay has subscribed to the track.
    pub async fn wanted(&mut self) -> Result<Track> {
        let track = step(|| "the relay subscribes".into(), self.0.wanted.recv()).await?;
        Ok(Track(track.context("the broadcast is served")?))
    }
}

/// The track, from being wanted until nobody wants it.
pub struct Track(Box<dyn lines::Track>);

impl Track {
    /// Open group `sequence`.
    pub fn open(&mut self, sequence: u64) -> Result<Group> {
        Ok(Group { group: self.0.open(sequence)?, sequence })
    }

    /// Write group `sequence` from its first frame to its end.
    pub fn whole(&mut self, sequence: u64) -> Result<()> {
        let mut group = self.open(sequence)?;
        for index in 0..content::FRAMES {
            group.write(index);
        }
        group.finish();
        Ok(())
    }

    /// Wait until the relay has unsubscribed.
    pub async fn unused(self) -> Result<()> {
        timeout(LINGER, self.0.unused()).await.context("the relay unsubscribes")
    }

    /// End the track cleanly.
    pub fn finish(self) {
        self.0.finish();
    }
}

/// A group on its way out.
pub struct Group {
    group: Box<dyn lines::Group>,
    sequence: u64,
}

impl Group {
    /// Append frame `index`.
    pub fn write(&mut self, index: usize) {
        self.write_bytes(content::frame(self.sequence, index));
    }

    pub fn write_bytes(&mut self, frame: impl Into<bytes::Bytes>) {
        self.group.write(frame.into());
    }

    pub fn finish(self) {
        self.group.finish();
    }

    /// Give it up.
    pub fn abort(self) {
        self.group.abort();
    }
}
