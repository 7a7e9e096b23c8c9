//! A viewer learns what is live, when it starts and when it ends.

use anyhow::Result;

use super::{Setting, reaching};

/// Seen by a viewer that is already there and by one that comes later; gone when the broadcast ends and when its
/// publisher leaves; back when it is announced again.
pub async fn comes_and_goes(setting: Setting) -> Result<()> {
    let name = &setting.name;
    let mut early = setting.viewer().await?;
    let source = setting.settled(&mut early).await?;
    let broadcast = source.announce(name)?;
    early.discover(name).await?;
    let mut late = setting.viewer().await?;
    late.discover(name).await?;

    broadcast.end();
    early.retracted(name).await?;
    late.retracted(name).await?;

    let _again = source.announce(name)?;
    early.discover(name).await?;
    late.discover(name).await?;

    source.leave().await?;
    early.retracted(name).await?;
    late.retracted(name).await
}

/// A name used again is a new broadcast, whose groups start at 0; nothing of the old one is left.
///
/// The second broadcast has a viewer of its own: one that knows the first may find its groups in its own cache.
pub async fn starts_over(setting: Setting) -> Result<()> {
    let mut viewer = setting.viewer().await?;
    let source = setting.settled(&mut viewer).await?;
    let broadcast = source.announce(&setting.name)?;
    let mut watching = reaching(viewer.watch(&setting.name), &broadcast).await?;
    broadcast.whole(7)?;
    watching.expect(7).await?.whole(setting.publisher).await?;
    broadcast.end();
    viewer.retracted(&setting.name).await?;

    let broadcast = source.announce(&setting.name)?;
    let mut viewer = setting.viewer().await?;
    let mut watching = reaching(viewer.watch(&setting.name), &broadcast).await?;
    for sequence in 0..2 {
        broadcast.whole(sequence)?;
        watching.expect(sequence).await?.whole(setting.publisher).await?;
    }
    Ok(())
}
