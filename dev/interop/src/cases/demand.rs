//! Who wants what: demand reaches the publisher, ends, and finds somebody else.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use moq_net::track::Subscription;
use tokio::time::{sleep, timeout};

use super::{Live, Setting};
use crate::content::TRACK;
use crate::peer::{Broadcast, Publisher, Viewer};

/// How long each relay on the way may go on receiving what nobody watches any more.
const LINGER: Duration = Duration::from_secs(8);

/// How long one attempt to find a publisher may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// When the last viewer has left, the publisher learns that nobody watches.
pub async fn ends(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, viewer, watching } = watched(&setting).await?;
    drop((viewer, watching));
    timeout(setting.relays() * LINGER, broadcast.track.unused()).await.context("the relay unsubscribes")??;
    Ok(())
}

/// A viewer that comes back while the relay still has the track, or just after, sees it again.
pub async fn returns(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, viewer, watching } = watched(&setting).await?;
    drop((viewer, watching));

    let mut again = setting.viewer().await?;
    let mut watching = again.join(&setting.name).await?;
    watching.expect(0).await?.whole(setting.publisher).await?;
    broadcast.whole(1)?;
    watching.expect(1).await?.whole(setting.publisher).await
}

/// A track its publisher does not have is refused, and the session goes on.
pub async fn refused(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, mut viewer, mut watching } = setting.live().await?;
    let unknown = viewer.broadcast_again(&setting.name).await?.track("nobody-has-this")?;
    let answer = async { unknown.subscribe(Subscription::default()).await?.recv_group().await };
    match timeout(Duration::from_secs(3), answer).await {
        Err(_) => bail!("a track nobody has is neither refused nor ended"),
        Ok(Ok(Some(group))) => bail!("group {} of a track nobody has", group.sequence),
        Ok(Ok(None) | Err(_)) => {}
    }
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(setting.publisher).await
}

/// Two publishers offer the same broadcast and the older one, watched so far, dies: a viewer finds the newer.
pub async fn older_dies(setting: Setting) -> Result<()> {
    let Live { source, broadcast: _dead, mut viewer, watching: _watching } = watched(&setting).await?;
    let (_newer, broadcast) = one_more(&setting).await?;
    broadcast.whole(8)?;
    source.die();
    finds(&setting, &mut viewer, 8).await
}

/// Two publishers offer the same broadcast and the newer one dies: a viewer stays with the older or returns to it.
pub async fn newer_dies(setting: Setting) -> Result<()> {
    let Live { source: _older, broadcast, mut viewer, watching: _watching } = watched(&setting).await?;
    let (newer, _dead) = one_more(&setting).await?;
    broadcast.whole(8)?;
    newer.die();
    finds(&setting, &mut viewer, 8).await
}

/// A broadcast whose group 0 has reached a viewer.
async fn watched(setting: &Setting) -> Result<Live> {
    let mut live = setting.live().await?;
    live.broadcast.whole(0)?;
    live.watching.expect(0).await?.whole(setting.publisher).await?;
    Ok(live)
}

/// One more publisher of a broadcast that is live already. When this returns the relay knows both.
async fn one_more(setting: &Setting) -> Result<(Publisher, Broadcast)> {
    let (source, broadcast) = setting.publish().await?;
    setting.settle(&source, &mut setting.viewer().await?).await?;
    Ok((source, broadcast))
}

/// Subscribe until group `sequence` comes. What is subscribed already may go on or end, as the dialect has it.
async fn finds(setting: &Setting, viewer: &mut Viewer, sequence: u64) -> Result<()> {
    loop {
        let attempt = async {
            let track = viewer.broadcast_again(&setting.name).await?.track(TRACK)?;
            let mut watching = viewer.read(track).await?;
            watching.expect(sequence).await?.whole(setting.publisher).await
        };
        if let Ok(Ok(())) = timeout(ATTEMPT, attempt).await {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
