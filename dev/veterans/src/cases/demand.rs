//! Who wants what: demand reaches the publisher, ends, comes back, and is refused.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Live, Setting};
use crate::content::TRACK;
use crate::peer::Watching;

/// How long a viewer's library may take to forget a track: until then it answers a new subscription with the dead one.
const TIDYING: Duration = Duration::from_millis(50);

/// When the last viewer unsubscribes, the publisher learns that nobody watches; a second subscription is served anew.
pub async fn comes_back(setting: Setting) -> Result<()> {
    let Live { source: _source, mut broadcast, mut track, viewer: _viewer, found, mut watching } =
        setting.live().await?;
    track.whole(0)?;
    watching.expect(0).await?.whole().await?;
    drop(watching);
    track.unused().await?;

    sleep(TIDYING).await;
    let mut watching = Watching::new(found.subscribe(TRACK));
    let mut track = broadcast.wanted().await?;
    track.whole(1)?;
    watching.expect(1).await?.whole().await
}

/// A track its publisher does not have is refused, and both sessions go on.
pub async fn refused(setting: Setting) -> Result<()> {
    let Live { source, broadcast: _broadcast, mut track, mut viewer, found, mut watching } = setting.live().await?;
    Watching::new(found.subscribe("nobody-has-this")).broken().await?;
    track.whole(0)?;
    watching.expect(0).await?.whole().await?;
    setting.live_on(&source, &mut viewer).await
}
