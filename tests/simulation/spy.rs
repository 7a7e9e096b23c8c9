//! A peer that calls itself by the name of another node, to see that nobody is told a way that leads through them: nodes
//! would refuse it, and hide that it was told.

use futures::FutureExt;
use moq_relay::{
    transport::Connection,
    types::HopId,
    wire::{Dialect, lite::setup::Setup},
};

use crate::common::{Announced, Peer};

#[derive(Debug)]
pub struct Spy {
    pub name: HopId,
    announced: Announced,
    peer: Peer,
}

impl Spy {
    pub async fn new(conn: Connection, dialect: &'static Dialect, name: HopId) -> Self {
        let peer = Peer::start(conn, dialect, Setup { hop: name, ..Setup::default() });
        let announced = peer.announced_without("", name).await;
        Self { name, announced, peer }
    }

    /// The ways it was told since the last look.
    pub async fn ways(&mut self) -> Vec<Vec<u64>> {
        if self.peer.conn.closed().now_or_never().is_some() {
            return Vec::new();
        }
        self.announced.rest().await.iter().map(|event| event.hops().to_vec()).collect()
    }
}
