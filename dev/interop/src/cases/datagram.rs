//! A group of one frame that travels as a datagram (moq-lite 05 and newer).

use std::time::Duration;

use anyhow::{Result, ensure};
use moq_net::Datagram;

use super::{Live, Setting};
use crate::content;
use crate::dialect::Door;

/// How many are sent before their loss is no accident any more.
const ATTEMPTS: usize = 5;

/// It arrives as a datagram, with its number and its time, and as nothing else.
pub async fn arrives(setting: Setting) -> Result<()> {
    let Live { source: _source, mut broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(setting.publisher).await?;

    // This library decides whether it takes datagrams before a WebSocket's transport parameters have come: never.
    let deaf = setting.viewer.door == Door::WebSocket;
    let mut sent = Vec::new();
    let datagram = loop {
        ensure!(sent.len() < ATTEMPTS, "{ATTEMPTS} datagrams are lost");
        sent.push(broadcast.datagram()?);
        match watching.datagram().await? {
            None if deaf => break None,
            None => {}
            arrived => break arrived,
        }
    };
    if let Some(datagram) = datagram {
        ensure!(sent.contains(&datagram.sequence), "datagram {} was never sent", datagram.sequence);
        same(&datagram)?;
    }

    // Groups of more frames go on beside it, numbered on; it is none of them.
    let next = 1 + sent.len() as u64;
    broadcast.whole(next)?;
    watching.expect(next).await?.whole(setting.publisher).await
}

/// What is expected of the datagram with this number.
fn same(datagram: &Datagram) -> Result<()> {
    let expected = content::datagram(datagram.sequence);
    ensure!(datagram.payload == expected.payload, "datagram {} has another payload", datagram.sequence);
    let (is, was) = (Duration::from(datagram.timestamp), Duration::from(expected.timestamp));
    ensure!(is == was, "datagram {}: timestamp {is:?} instead of {was:?}", datagram.sequence);
    Ok(())
}

/// A viewer whose dialect has no datagrams gets a group that is as short.
pub async fn becomes_a_group(setting: Setting) -> Result<()> {
    let Live { source: _source, mut broadcast, viewer: _viewer, mut watching } = setting.live().await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(setting.publisher).await?;

    let sent = broadcast.datagram()?;
    let mut group = watching.expect(sent).await?;
    group.expect_datagram(setting.publisher).await?;
    group.end().await
}
