//! A viewer that comes in the middle of a group gets that group from its first frame and everything after it.

use anyhow::Result;

use super::{Live, Setting};
use crate::content;
use crate::peer;

/// The relay already serves the track to somebody else and has the beginning in its cache.
pub async fn late(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(setting.publisher).await?;
    let mut out = broadcast.open(1)?;
    peer::write(&mut out, 0)?;
    peer::write(&mut out, 1)?;
    let mut early = watching.expect(1).await?;
    early.expect(0, setting.publisher).await?;
    early.expect(1, setting.publisher).await?;

    let mut viewer = setting.viewer().await?;
    let mut joined = viewer.join(&setting.name).await?;
    let mut late = joined.expect(1).await?;
    late.expect(0, setting.publisher).await?;
    late.expect(1, setting.publisher).await?;

    for index in 2..content::FRAMES {
        peer::write(&mut out, index)?;
        early.expect(index, setting.publisher).await?;
        late.expect(index, setting.publisher).await?;
    }
    out.finish()?;
    early.end().await?;
    late.end().await?;
    broadcast.whole(2)?;
    watching.expect(2).await?.whole(setting.publisher).await?;
    joined.expect(2).await?.whole(setting.publisher).await
}

/// Nobody watched before: the relay has to ask the publisher for what is in progress.
pub async fn first(setting: Setting) -> Result<()> {
    let (_source, broadcast) = setting.publish().await?;
    broadcast.whole(0)?;
    let mut out = broadcast.open(1)?;
    peer::write(&mut out, 0)?;
    peer::write(&mut out, 1)?;

    let mut viewer = setting.viewer().await?;
    let mut joined = viewer.join(&setting.name).await?;
    let mut group = joined.expect(1).await?;
    group.expect(0, setting.publisher).await?;
    group.expect(1, setting.publisher).await?;
    for index in 2..content::FRAMES {
        peer::write(&mut out, index)?;
        group.expect(index, setting.publisher).await?;
    }
    out.finish()?;
    group.end().await?;
    broadcast.whole(2)?;
    joined.expect(2).await?.whole(setting.publisher).await
}
