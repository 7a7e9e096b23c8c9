//! What a viewer reads, compared with what [`content`] says was written.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use moq_net::{Datagram, group, track};
use tokio::time::timeout;

use super::step;
use crate::content::{self, Frame};
use crate::dialect::Seat;

/// How long a datagram may take that is not lost.
const SOON: Duration = Duration::from_millis(500);

/// A subscription being read.
pub struct Watching {
    track: track::Subscriber,
    seat: Seat,
}

impl Watching {
    pub fn new(track: track::Subscriber, seat: Seat) -> Self {
        Self { track, seat }
    }

    /// The next group, in order of arrival.
    pub async fn next(&mut self) -> Result<Group> {
        let group = step(|| "next group".into(), self.track.recv_group()).await?.context("track ends early")?;
        Ok(Group { group, seat: self.seat })
    }

    /// The next group, which must be `sequence`.
    pub async fn expect(&mut self, sequence: u64) -> Result<Group> {
        let group = self.next().await?;
        ensure!(group.sequence() == sequence, "expected group {sequence}, got {}", group.sequence());
        Ok(group)
    }

    /// The next datagram, if it comes soon. A group that comes in its place is found by whoever reads the next group.
    pub async fn datagram(&mut self) -> Result<Option<Datagram>> {
        match timeout(SOON, self.track.recv_datagram()).await {
            Ok(datagram) => Ok(Some(datagram?.context("track ends early")?)),
            Err(_) => Ok(None),
        }
    }

    /// The track must end cleanly, with no further group.
    pub async fn end(&mut self) -> Result<()> {
        match step(|| "track ends cleanly".into(), self.track.recv_group()).await? {
            None => Ok(()),
            Some(group) => bail!("group {} instead of the end of the track", group.sequence),
        }
    }

    /// The track must end with an error.
    pub async fn broken(&mut self) -> Result<()> {
        let end = async { Ok::<_, Infallible>(self.track.recv_group().await) };
        match step(|| "track ends in an error".into(), end).await? {
            Err(_) => Ok(()),
            Ok(None) => bail!("track ends cleanly although its publisher died"),
            Ok(Some(group)) => bail!("group {} from a dead publisher", group.sequence),
        }
    }
}

/// A group being read.
pub struct Group {
    group: group::Consumer,
    seat: Seat,
}

impl Group {
    pub fn new(group: group::Consumer, seat: Seat) -> Self {
        Self { group, seat }
    }

    pub fn sequence(&self) -> u64 {
        self.group.sequence
    }

    /// The next frame must be `index`, byte for byte.
    ///
    /// `source` tells whether the publisher could say when the frame is to be shown.
    pub async fn expect(&mut self, index: usize, source: Seat) -> Result<()> {
        self.frame(&format!("frame {index}"), content::frame(self.sequence(), index), source).await
    }

    /// The next frame must be the payload of the datagram with this group's number.
    pub async fn expect_datagram(&mut self, source: Seat) -> Result<()> {
        self.frame("datagram", content::datagram(self.sequence()), source).await
    }

    async fn frame(&mut self, what: &str, expected: Frame, source: Seat) -> Result<()> {
        let sequence = self.sequence();
        let place = || format!("group {sequence} {what}");
        let frame = step(place, self.group.read_frame()).await?.with_context(|| format!("{} is missing", place()))?;
        ensure!(
            frame.payload == expected.payload,
            "{}: {} bytes starting {:?} instead of {} bytes starting {:?}",
            place(),
            frame.payload.len(),
            start(&frame.payload),
            expected.payload.len(),
            start(&expected.payload),
        );
        if source.dialect.is_05_or_newer() && self.seat.dialect.is_05_or_newer() {
            let (is, was) = (Duration::from(frame.timestamp), Duration::from(expected.timestamp));
            ensure!(is == was, "{}: timestamp {is:?} instead of {was:?}", place());
        }
        Ok(())
    }

    /// The group must end cleanly here.
    pub async fn end(&mut self) -> Result<()> {
        let sequence = self.sequence();
        match step(|| format!("group {sequence} ends cleanly"), self.group.read_frame()).await? {
            None => Ok(()),
            Some(frame) => bail!("{} more bytes after the end of group {sequence}", frame.payload.len()),
        }
    }

    /// Everything [`Broadcast::whole`] writes, to the end.
    pub async fn whole(&mut self, source: Seat) -> Result<()> {
        for index in 0..content::FRAMES {
            self.expect(index, source).await?;
        }
        self.end().await
    }

    /// The group must end in an error, never cleanly. Returns the error.
    pub async fn broken(&mut self) -> Result<moq_net::Error> {
        let sequence = self.sequence();
        let end = async { Ok::<_, Infallible>(self.group.read_frame().await) };
        match step(|| format!("group {sequence} ends in an error"), end).await? {
            Err(err) => Ok(err),
            Ok(None) => bail!("group {sequence} ends cleanly although it was cut off"),
            Ok(Some(frame)) => bail!("{} bytes nobody wrote in group {sequence}", frame.payload.len()),
        }
    }
}

fn start(payload: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&payload[..payload.len().min(24)])
}
