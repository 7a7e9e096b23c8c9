//! The path a client connects to is the root of everything it names.

use anyhow::Result;
use moq_tokio::quic;

use super::Setting;
use crate::peer::{Publisher, Viewer};

/// Published as `cam` below `/NAME`: seen as `NAME/cam` from the top and as `cam` from below.
pub async fn becomes_the_root(Setting { relay, publisher, viewer, name, .. }: Setting) -> Result<()> {
    let below = format!("/{name}");
    let source = Publisher::connect_at(&relay, publisher, &below, quic::Config::default()).await?;
    let broadcast = source.announce("cam")?;

    let mut top = Viewer::connect(&relay, viewer).await?;
    top.discover(&format!("{name}/cam")).await?;
    let mut inside = Viewer::connect_at(&relay, viewer, &below).await?;
    let mut watching = super::reaching(inside.watch("cam"), &broadcast).await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(publisher).await
}
