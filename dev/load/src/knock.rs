//! `load knock`: comes, is let in, leaves; as often as asked. What one visit cost the server.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    cli,
    client::{Client, Reading},
    door::{Connection, Door},
    subscribe::subscribe,
    usage::Usage,
    wire::{self, Version},
};

/// Visitors at a time.
const AT_ONCE: usize = 16;
/// Until the server has put away what the last ones left.
const SETTLE: Duration = Duration::from_millis(500);

/// What the server used.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(crate) struct Knocked {
    pub(crate) visits: usize,
    pub(crate) cpu_us_per_visit: f64,
}

pub(crate) async fn knock(args: cli::Knock) -> Result<Knocked> {
    let client = Client::new(args.addr, Door::Quic, args.version.alpn, Reading::Eager)?;
    let path: Arc<str> = args.path.into();
    visits(&client, args.version, &path, args.visits / 20 + 1).await?;
    tokio::time::sleep(SETTLE).await;
    let before = Usage::of(args.pid)?;
    visits(&client, args.version, &path, args.visits).await?;
    tokio::time::sleep(SETTLE).await;
    let cpu = Usage::of(args.pid)?.cpu_us - before.cpu_us;
    Ok(Knocked { visits: args.visits, cpu_us_per_visit: cpu as f64 / args.visits as f64 })
}

async fn visits(client: &Client, version: &'static Version, path: &Arc<str>, count: usize) -> Result<()> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut visits = JoinSet::new();
    for _ in 0..count {
        let turn = turns.clone().acquire_owned().await?;
        let (client, path) = (client.clone(), path.clone());
        visits.spawn(async move {
            let _turn = turn;
            visit(&client, version, &path).await
        });
        while let Some(done) = visits.try_join_next() {
            done??;
        }
    }
    while let Some(done) = visits.join_next().await {
        done??;
    }
    Ok(())
}

/// Asks for what nobody has, so that the answer shows who was let in.
async fn visit(client: &Client, version: &'static Version, path: &str) -> Result<()> {
    let Connection::Quic(conn) = client.connect().await? else { unreachable!("a client of QUIC") };
    let session = Connection::Quic(conn.clone());
    let mut setup = session.open_uni().await?;
    setup.write_all(&wire::setup(version, path)).await?;
    setup.finish()?;
    let (_send, mut recv) = subscribe(&session, version, 0, "nobody").await?;
    let answer = recv.chunk().await;
    ensure!(answer.is_err(), "an answer where nothing is: {answer:?}");
    if let Some(reason) = conn.close_reason() {
        return Err(reason).context("not let in");
    }
    conn.close(0u32.into(), b"");
    Ok(())
}
