//! What is cut off is never passed off as complete.

use anyhow::{Result, bail};
use moq_net::StreamError;

use super::{Live, Setting};
use crate::doomed::Doomed;
use crate::peer;

/// Why a group is given up.
const REASON: u16 = 5;

/// The publisher gives up on one group: that group ends in an error, and the next one arrives.
pub async fn reset(setting: Setting) -> Result<()> {
    given_up(&setting).await?;
    Ok(())
}

/// A reset says why, in the code its publisher gave.
///
/// On raw QUIC too: this library, like every web-transport-quinn before 0.13, understands stream codes only when they
/// are mapped as in HTTP/3 and reports any other as a failure of the transport.
pub async fn says_why(setting: Setting) -> Result<()> {
    match given_up(&setting).await? {
        moq_net::Error::Stream(StreamError::App(REASON)) => Ok(()),
        moq_net::Error::Transport(reason) => bail!("the reset has no readable code: {reason}"),
        other => bail!("the reset says {other:?}"),
    }
}

/// Group 0 is given up after a frame, group 1 is whole. Returns how group 0 ended for the viewer.
///
/// Group 1 is read before the end of group 0, because a reader in the library takes a reset for a change of route: it
/// waits for another source to continue the group until a newer group shows that none will.
async fn given_up(setting: &Setting) -> Result<moq_net::Error> {
    let Live { source: _source, broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    let mut out = broadcast.open(0)?;
    peer::write(&mut out, 0)?;
    let mut group = watching.expect(0).await?;
    group.expect(0, setting.publisher).await?;
    out.abort(moq_net::Error::App(REASON))?;

    broadcast.whole(1)?;
    watching.expect(1).await?.whole(setting.publisher).await?;
    group.broken().await
}

/// The publisher's session is closed with an error in the middle of a group.
pub async fn abort(setting: Setting) -> Result<()> {
    let Live { source, broadcast, mut viewer, mut watching } = setting.live().await?;
    let mut out = broadcast.open(0)?;
    peer::write(&mut out, 0)?;
    let mut group = watching.expect(0).await?;
    group.expect(0, setting.publisher).await?;
    source.die();
    group.broken().await?;
    watching.broken().await?;
    viewer.retracted(&setting.name).await
}

/// The publisher's process is killed in the middle of a group and says nothing more.
pub async fn killed(setting: Setting) -> Result<()> {
    let source = Doomed::start(&setting.relay, setting.publisher, &setting.name).await?;
    let mut viewer = setting.viewer().await?;
    let mut watching = viewer.watch(&setting.name).await?;
    let mut group = watching.expect(0).await?;
    group.expect(0, setting.publisher).await?;
    group.expect(1, setting.publisher).await?;
    source.kill().await?;
    group.broken().await?;
    watching.broken().await?;
    viewer.retracted(&setting.name).await
}
