//! A viewer learns what is live, when it starts and when it ends.

use anyhow::Result;

use super::{Live, Setting};

/// Seen by a viewer that is already there and by one that comes later; gone when the broadcast ends and when its
/// publisher leaves.
pub async fn comes_and_goes(setting: Setting) -> Result<()> {
    let name = &setting.name;
    let mut early = setting.viewer().await?;
    let source = setting.publisher().await?;
    let broadcast = source.announce(name);
    early.discover(name).await?;
    let mut late = setting.viewer().await?;
    late.discover(name).await?;

    drop(broadcast);
    early.retracted(name).await?;
    late.retracted(name).await?;

    let _again = source.announce(name);
    early.discover(name).await?;
    late.discover(name).await?;

    drop(source);
    early.retracted(name).await?;
    late.retracted(name).await
}

/// A name used again is a new broadcast: nothing of the old one is left.
pub async fn starts_over(setting: Setting) -> Result<()> {
    let Live { source, broadcast, mut track, mut viewer, found: _found, mut watching } = setting.live().await?;
    track.whole(7)?;
    watching.expect(7).await?.whole().await?;
    drop((broadcast, track));
    viewer.retracted(&setting.name).await?;

    let mut broadcast = source.announce(&setting.name);
    let mut watching = viewer.watch(&setting.name).await?;
    let mut track = broadcast.wanted().await?;
    for sequence in 0..2 {
        track.whole(sequence)?;
        watching.expect(sequence).await?.whole().await?;
    }
    Ok(())
}
