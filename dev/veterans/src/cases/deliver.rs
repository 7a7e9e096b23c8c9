//! What is written arrives: every byte, in order, at once.

use anyhow::Result;

use super::{Live, Setting};
use crate::content;
use crate::seat::Door;

/// Each frame arrives before the next is written, so nothing is held back for the end of its group; the end of the
/// track arrives too, and both sessions go on.
pub async fn frame_by_frame(setting: Setting) -> Result<()> {
    let Live { source, broadcast: _broadcast, mut track, mut viewer, found: _found, mut watching } =
        setting.live().await?;
    for sequence in 0..3 {
        let mut out = track.open(sequence)?;
        out.write(0);
        let mut group = watching.expect(sequence).await?;
        group.expect(0).await?;
        for index in 1..content::FRAMES {
            out.write(index);
            group.expect(index).await?;
        }
        out.finish();
        group.end().await?;
    }
    track.finish();
    match setting.viewer.door {
        Door::WebTransport | Door::Quic => watching.end().await?,
        // web-transport-ws 0.2 reports every FIN it has sent as an error, and the library's answer to the end of a track
        // is one.
        Door::WebSocket => watching.broken().await?,
    }
    setting.live_on(&source, &mut viewer).await
}
