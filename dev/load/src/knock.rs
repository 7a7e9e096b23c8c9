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
const SETTLE: Duration = Duration::from_millis(200);

/// Visits of one kind before the next kind has its turn: what the machine does meanwhile, it does to all.
const TURN: usize = 500;

/// What the server used for a visit to each path, in their order.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Knocked {
    pub(crate) cpu_us_per_visit: Vec<f64>,
}

pub(crate) async fn knock(args: cli::Knock) -> Result<Knocked> {
    let client = Client::new(args.addr, Door::Quic, args.version.alpn, Reading::Eager)?;
    let paths: Vec<Arc<str>> = args.path.into_iter().map(Into::into).collect();
    let mut used = vec![0; paths.len()];
    let turns = args.visits.div_ceil(TURN);
    // The first turn of all warms up.
    for turn in 0..=turns {
        for (path, used) in paths.iter().zip(&mut used) {
            let before = Usage::of(args.pid)?;
            visits(&client, args.version, path, TURN).await?;
            tokio::time::sleep(SETTLE).await;
            if turn > 0 {
                *used += Usage::of(args.pid)?.cpu_us - before.cpu_us;
            }
        }
    }
    let per_visit = |used: u64| used as f64 / (turns * TURN) as f64;
    Ok(Knocked { cpu_us_per_visit: used.into_iter().map(per_visit).collect() })
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
