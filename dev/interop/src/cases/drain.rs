//! A relay that is asked to stop lets its clients move first.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::time::{Instant, timeout};

use super::{Live, Setting, title};
use crate::dialect::Seat;
use crate::relay::{Flavor, Launch};
use crate::report::Case;

/// How long this relay waits for its sessions to move.
const DRAIN: Duration = Duration::from_secs(2);

/// What clocks and a busy machine may add to that, or take from it.
const SLACK: Duration = Duration::from_millis(1500);

const PROMISE: &str = "drain";

pub fn case(launch: &Launch, seat: Seat) -> Case {
    let title = title(PROMISE, seat, seat);
    if launch.flavor == Flavor::Upstream {
        return Case::skipped(title, "how long moq-relay drains is not known".to_owned());
    }
    Case::new(title, drains(launch.with(["--server-drain", "2s"]), seat))
}

/// After SIGTERM everybody is told to move, where the dialect has words for it; is served for as long as sessions may
/// stay; and is then closed on for having stayed. The relay ends with success.
///
/// These clients are told to stay, which for this library is the exception.
async fn drains(launch: Launch, seat: Seat) -> Result<()> {
    let mut relay = launch.start().await?;
    let setting = Setting::new(relay.doors().clone(), PROMISE, (seat, seat));
    let Live { source, broadcast, viewer, mut watching } = setting.live().await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(seat).await?;

    relay.terminate().await?;
    let asked = Instant::now();
    if seat.dialect.has_goaway() {
        source.session.told_to_move().await?;
        viewer.session.told_to_move().await?;
    }
    broadcast.whole(1)?;
    watching.expect(1).await?.whole(seat).await?;

    for (who, session) in [("publisher", &source.session), ("viewer", &viewer.session)] {
        match session.closed().await? {
            moq_net::Error::Session(moq_net::SessionError::GoawayTimeout) => {}
            // The library's qmux 0.5 lets the end of the socket replace the code that came just before it.
            moq_net::Error::Transport(_) if !seat.door.is_quic() => {}
            other => bail!("the {who}'s session ends with {other:?}"),
        }
        let stayed = asked.elapsed();
        ensure!(stayed + SLACK >= DRAIN && stayed <= DRAIN + SLACK, "the {who} may stay for {stayed:?}");
    }
    match timeout(SLACK, relay.stopped()).await {
        Err(_) => bail!("the relay goes on without sessions"),
        Ok(status) => {
            let status = status?;
            ensure!(status.success(), "the relay ends with {status}");
            Ok(())
        }
    }
}
