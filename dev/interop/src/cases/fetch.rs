//! A viewer asks for one old group by number (moq-lite 05 and newer).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use moq_net::group::Fetch;
use moq_net::track;
use tokio::time::timeout;

use super::{Live, Setting};
use crate::peer::Group;

/// The relay has the group because somebody watched it live.
pub async fn cached(setting: Setting) -> Result<()> {
    let Live { source: _source, broadcast, viewer: _early, mut watching } = setting.live().await?;
    for sequence in 0..3 {
        broadcast.whole(sequence)?;
        watching.expect(sequence).await?.whole(setting.publisher).await?;
    }
    // A viewer of its own: the first one would answer from its own cache.
    let mut viewer = setting.viewer().await?;
    let track = viewer.track(&setting.name).await?;
    fetch(&setting, &track, 0).await
}

/// Nobody watched: the relay has to fetch the group from the publisher.
pub async fn through(setting: Setting) -> Result<()> {
    let (_source, broadcast) = setting.publish().await?;
    for sequence in 0..3 {
        broadcast.whole(sequence)?;
    }
    let mut viewer = setting.viewer().await?;
    let track = viewer.track(&setting.name).await?;
    fetch(&setting, &track, 1).await
}

/// A group that does not exist is refused, not waited for; the next fetch is served.
pub async fn missing(setting: Setting) -> Result<()> {
    let (_source, broadcast) = setting.publish().await?;
    broadcast.whole(5)?;
    let mut viewer = setting.viewer().await?;
    let track = viewer.track(&setting.name).await?;
    let answer = timeout(Duration::from_secs(3), track.fetch_group(3, Fetch::default())).await;
    ensure!(answer.context("group 3 was never written and is not refused")?.is_err(), "group 3 was never written");
    fetch(&setting, &track, 5).await
}

/// Fetch group `sequence` and compare it.
async fn fetch(setting: &Setting, track: &track::Consumer, sequence: u64) -> Result<()> {
    let group =
        track.fetch_group(sequence, Fetch::default()).await.with_context(|| format!("fetch group {sequence}"))?;
    Group::new(group, setting.viewer).whole(setting.publisher).await
}
