//! What is written arrives: every byte, in order, at once.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{Live, Setting};
use crate::content;
use crate::peer;

/// Each frame arrives before the next is written, so nothing is held back for the end of its group; the end of the
/// track arrives too.
pub async fn frame_by_frame(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    for sequence in 0..3 {
        let mut out = broadcast.open(sequence)?;
        peer::write(&mut out, 0)?;
        let mut group = watching.expect(sequence).await?;
        group.expect(0, setting.publisher).await?;
        for index in 1..content::FRAMES {
            peer::write(&mut out, index)?;
            group.expect(index, setting.publisher).await?;
        }
        out.finish()?;
        group.end().await?;
    }
    broadcast.track.finish()?;
    watching.end().await
}

/// Several groups written in one go arrive whole, each once, in whatever order the network likes.
pub async fn burst(setting: Setting) -> Result<()> {
    const GROUPS: u64 = 8;

    let Live { source: _source, broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    // Before 06 a subscription starts at whatever is newest when it arrives: one group settles that.
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(setting.publisher).await?;
    for sequence in 1..=GROUPS {
        broadcast.whole(sequence)?;
    }
    let mut seen = BTreeSet::new();
    for _ in 0..GROUPS {
        let mut group = watching.next().await?;
        group.whole(setting.publisher).await?;
        ensure!(seen.insert(group.sequence()), "group {} arrives twice", group.sequence());
    }
    broadcast.track.finish()?;
    watching.end().await
}
