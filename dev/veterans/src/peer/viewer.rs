//! A client that discovers and subscribes.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::{Watching, step};
use crate::content::TRACK;
use crate::lines::{self, Source};
use crate::seat::Seat;

/// A client that watches. Dropping it closes its session.
pub struct Viewer {
    session: Box<dyn lines::Viewer>,
    seat: Seat,
}

impl Viewer {
    pub async fn connect(relay: SocketAddr, seat: Seat) -> Result<Self> {
        let session = lines::viewer(seat.line, seat.url(relay)?);
        let session = step(|| "viewer connects".into(), session).await?.context("viewer connects")?;
        Ok(Self { session, seat })
    }

    /// Wait until `name` is announced.
    pub async fn discover(&mut self, name: &str) -> Result<Box<dyn Source>> {
        let path = self.seat.path(name);
        let source = async {
            loop {
                if let (is, Some(source)) = self.session.announced().await.context("announcements end")?
                    && is == path
                {
                    return Ok(source);
                }
            }
        };
        step(|| format!("{name} is announced"), source).await?
    }

    /// Wait until `name`, announced earlier, is gone.
    pub async fn retracted(&mut self, name: &str) -> Result<()> {
        let path = self.seat.path(name);
        let gone = async {
            loop {
                if let (is, None) = self.session.announced().await.context("announcements end")?
                    && is == path
                {
                    return Ok(());
                }
            }
        };
        step(|| format!("{name} is retracted"), gone).await?
    }

    /// Discover `name` and subscribe to its usual track.
    pub async fn watch(&mut self, name: &str) -> Result<Watching> {
        Ok(Watching::new(self.discover(name).await?.subscribe(TRACK)))
    }
}
