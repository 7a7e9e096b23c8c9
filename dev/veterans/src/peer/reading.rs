//! What a viewer reads, compared with what [`content`] says was written.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;

use super::step;
use crate::content;
use crate::lines::{Frames, Groups};

/// A subscription being read. Dropping it unsubscribes.
pub struct Watching(Box<dyn Groups>);

impl Watching {
    pub fn new(groups: Box<dyn Groups>) -> Self {
        Self(groups)
    }

    /// The next group, in order of arrival.
    pub async fn next(&mut self) -> Result<Group> {
        let group = step(|| "next group".into(), self.0.next()).await?.context("next group")?;
        let (sequence, frames) = group.context("track ends early")?;
        Ok(Group { sequence, frames })
    }

    /// The next group, which must be `sequence`.
    pub async fn expect(&mut self, sequence: u64) -> Result<Group> {
        let group = self.next().await?;
        ensure!(group.sequence == sequence, "expected group {sequence}, got {}", group.sequence);
        Ok(group)
    }

    /// The track must end cleanly, with no further group.
    pub async fn end(&mut self) -> Result<()> {
        match step(|| "track ends cleanly".into(), self.0.next()).await?.context("track ends cleanly")? {
            None => Ok(()),
            Some((sequence, _)) => bail!("group {sequence} instead of the end of the track"),
        }
    }

    /// The track must end with an error.
    pub async fn broken(&mut self) -> Result<()> {
        match step(|| "track ends in an error".into(), self.0.next()).await? {
            Err(_) => Ok(()),
            Ok(None) => bail!("track ends cleanly although it was cut off"),
            Ok(Some((sequence, _))) => bail!("group {sequence} of a track that was cut off"),
        }
    }
}

/// A group being read.
pub struct Group {
    sequence: u64,
    frames: Box<dyn Frames>,
}

impl Group {
    /// The next frame, whatever it holds.
    pub async fn next(&mut self) -> Result<Bytes> {
        let frame = step(|| "next frame".into(), self.frames.next()).await?.context("next frame")?;
        frame.context("group ends early")
    }

    /// The next frame must be `index`, byte for byte.
    pub async fn expect(&mut self, index: usize) -> Result<()> {
        let sequence = self.sequence;
        let place = || format!("group {sequence} frame {index}");
        let frame = self.next().await.with_context(place)?;
        let expected = content::frame(sequence, index);
        ensure!(
            frame == expected,
            "{}: {} bytes starting {:?} instead of {} bytes",
            place(),
            frame.len(),
            String::from_utf8_lossy(&frame[..frame.len().min(24)]),
            expected.len(),
        );
        Ok(())
    }

    /// The group must end cleanly here.
    pub async fn end(&mut self) -> Result<()> {
        let sequence = self.sequence;
        let place = || format!("group {sequence} ends cleanly");
        match step(place, self.frames.next()).await?.with_context(place)? {
            None => Ok(()),
            Some(frame) => bail!("{} more bytes after the end of group {sequence}", frame.len()),
        }
    }

    /// Everything a whole group has, to the end.
    pub async fn whole(&mut self) -> Result<()> {
        for index in 0..content::FRAMES {
            self.expect(index).await?;
        }
        self.end().await
    }

    /// The group must end in an error, never cleanly.
    pub async fn broken(&mut self) -> Result<()> {
        let sequence = self.sequence;
        match step(|| format!("group {sequence} ends in an error"), self.frames.next()).await? {
            Err(_) => Ok(()),
            Ok(None) => bail!("group {sequence} ends cleanly although it was cut off"),
            Ok(Some(frame)) => bail!("{} bytes nobody wrote in group {sequence}", frame.len()),
        }
    }
}
