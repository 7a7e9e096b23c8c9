//! A viewer learns what is live, when it starts and when it ends.

use anyhow::Result;

use super::Setting;

/// Seen by a viewer that is already there and by one that comes later; gone when the broadcast ends and when its
/// publisher leaves; back when it is announced again.
pub async fn comes_and_goes(setting: Setting) -> Result<()> {
    let name = &setting.name;
    let mut early = setting.viewer().await?;
    let (source, broadcast) = setting.publish().await?;
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
