//! A client that announces and writes.

use anyhow::{Result, ensure};
use moq_net::{broadcast, group, origin, track};
use moq_tokio::quic;

use super::session::{Session, client};
use super::step;
use crate::content::{self, Frame, TRACK};
use crate::dialect::Seat;
use crate::doors::Doors;

/// A client that publishes. Dropping it closes its session.
pub struct Publisher {
    origin: origin::Producer,
    pub session: Session,
}

impl Publisher {
    pub async fn connect(relay: &Doors, seat: Seat) -> Result<Self> {
        Self::connect_at(relay, seat, "/", quic::Config::default()).await
    }

    /// Connect below `path`, which becomes the root of what this publisher announces.
    pub async fn connect_at(relay: &Doors, seat: Seat, path: &str, quic: quic::Config) -> Result<Self> {
        let origin = moq_tokio::origin::spawn();
        let client = client(seat, quic)?.with_publisher(&origin);
        let session = step(|| "publisher connects".into(), Session::dial(client, relay, seat, path)).await?;
        Ok(Self { origin, session })
    }

    /// Announce a broadcast with the usual track. Both end when their handles drop.
    pub fn announce(&self, name: &str) -> Result<Broadcast> {
        self.announce_track(name, TRACK)
    }

    /// Announce a broadcast with one track of this name.
    pub fn announce_track(&self, name: &str, track: &str) -> Result<Broadcast> {
        let broadcast = self.origin.create_broadcast(name)?;
        let track = broadcast.create_track(track, track::Info::default())?;
        broadcast.announce(origin::Route::default())?;
        Ok(Broadcast { broadcast, track })
    }

    /// Close the session after what is queued has been delivered.
    pub async fn leave(self) -> Result<()> {
        self.session.close().await
    }

    /// Close the session at once with an application error, whatever is in flight.
    pub fn die(self) {
        self.session.abort();
    }
}

/// A broadcast on its way out.
pub struct Broadcast {
    broadcast: broadcast::Producer,
    pub track: track::Producer,
}

impl Broadcast {
    /// Wait until the relay has subscribed to the track.
    pub async fn wanted(&self) -> Result<()> {
        step(|| "the relay subscribes".into(), self.track.used()).await
    }

    /// Open group `sequence`.
    pub fn open(&self, sequence: u64) -> Result<group::Producer> {
        Ok(self.track.create_group(group::Info { sequence })?)
    }

    /// Write a group of one frame that travels as a datagram. Returns its number.
    pub fn datagram(&mut self) -> Result<u64> {
        let next = self.track.latest().map_or(0, |latest| latest + 1);
        let Frame { timestamp, payload } = content::datagram(next);
        let sequence = self.track.append_datagram(timestamp, payload)?;
        ensure!(sequence == next, "the library numbers datagram {next} {sequence}");
        Ok(sequence)
    }

    /// End the broadcast while the session lives on.
    pub fn end(self) {
        self.broadcast.close();
    }

    /// Write group `sequence` from its first frame to its end.
    pub fn whole(&self, sequence: u64) -> Result<()> {
        let mut group = self.open(sequence)?;
        for index in 0..content::FRAMES {
            write(&mut group, index)?;
        }
        Ok(group.finish()?)
    }
}

/// Append frame `index` to an open group.
pub fn write(group: &mut group::Producer, index: usize) -> Result<()> {
    let Frame { timestamp, payload } = content::frame(group.sequence, index);
    Ok(group.write_frame(timestamp, payload)?)
}
