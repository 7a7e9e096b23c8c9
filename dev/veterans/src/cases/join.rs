//! A viewer that comes in the middle of a group gets that group from its first frame and everything after it.

use anyhow::Result;

use super::{Live, Setting};
use crate::content;

pub async fn late(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast: _broadcast, mut track, viewer: _viewer, found: _found, watching: mut early } =
        setting.live().await?;
    track.whole(0)?;
    early.expect(0).await?.whole().await?;
    let mut out = track.open(1)?;
    out.write(0);
    out.write(1);
    let mut one = early.expect(1).await?;
    one.expect(0).await?;
    one.expect(1).await?;

    let mut viewer = setting.viewer().await?;
    let mut late = viewer.watch(&setting.name).await?;
    let mut other = late.expect(1).await?;
    other.expect(0).await?;
    other.expect(1).await?;

    for index in 2..content::FRAMES {
        out.write(index);
        one.expect(index).await?;
        other.expect(index).await?;
    }
    out.finish();
    one.end().await?;
    other.end().await?;
    track.whole(2)?;
    early.expect(2).await?.whole().await?;
    late.expect(2).await?.whole().await
}
