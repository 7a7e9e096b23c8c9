//! What is cut off is never passed off as complete, and takes nothing else with it.

use anyhow::Result;

use super::{Live, Setting};

/// The publisher gives up on one group: that group ends in an error, and the next one arrives.
pub async fn reset(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast: _broadcast, mut track, viewer: _viewer, found: _found, mut watching } =
        setting.live().await?;
    let mut out = track.open(0)?;
    out.write(0);
    let mut group = watching.expect(0).await?;
    group.expect(0).await?;
    out.abort();
    group.broken().await?;

    track.whole(1)?;
    watching.expect(1).await?.whole().await
}

/// The publisher's session is closed with an error in the middle of a group: group and track end in errors, the
/// announcement goes, and the viewer's session lives on.
pub async fn abort(setting: Setting) -> Result<()> {
    let Live { source, broadcast: _broadcast, mut track, mut viewer, found: _found, mut watching } =
        setting.live().await?;
    let mut out = track.open(0)?;
    out.write(0);
    let mut group = watching.expect(0).await?;
    group.expect(0).await?;
    source.die();
    group.broken().await?;
    watching.broken().await?;
    viewer.retracted(&setting.name).await?;
    setting.live_on(&setting.publisher().await?, &mut viewer).await
}
