//! `load churn`: very many viewers come to a broadcast, a batch at a time, and leave again. What memory stays behind.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    cli::{self, Shape},
    client::{Client, Reading},
    door::Door,
    report::round,
    snapshot::Snapshot,
    watching::{self, Viewer},
};

/// Viewers who come at the same time.
const AT_ONCE: usize = 16;
/// How long a batch stays, and how long the server has until the next one comes.
const STAY: Duration = Duration::from_secs(1);
/// How long the server may take until it has given memory back.
const REST: Duration = Duration::from_secs(20);
const SHAPE: Shape = Shape { fps: 5.0, frame: 1000, group: 5, key: 1 };

/// The server's memory, in MB.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Churned {
    pub(crate) sessions: usize,
    pub(crate) before_mb: f64,
    /// While each batch is there.
    pub(crate) batches_mb: Vec<f64>,
    /// When all have left and some time has passed.
    pub(crate) after_mb: f64,
    pub(crate) cpu_us_each: f64,
}

pub(crate) async fn churn(args: cli::Churn) -> Result<Churned> {
    let client = Client::new(args.addr, Door::Quic, args.version.alpn, Reading::Eager)?;
    let _first = watching::start(&client, args.version, SHAPE).await?;
    tokio::time::sleep(STAY).await;
    let before = Snapshot::take(&[args.pid])?;
    let mut batches_mb = Vec::new();
    let mut sessions = 0;
    while sessions < args.sessions {
        let batch = args.batch.min(args.sessions - sessions);
        let viewers = come(&client, &args, batch).await.with_context(|| format!("after {sessions} sessions"))?;
        sessions += batch;
        tokio::time::sleep(STAY).await;
        batches_mb.push(Snapshot::take(&[args.pid])?.server_mb());
        viewers.into_iter().for_each(Viewer::leave);
        tokio::time::sleep(STAY).await;
    }
    tokio::time::sleep(REST).await;
    let after = Snapshot::take(&[args.pid])?;
    Ok(Churned {
        sessions,
        before_mb: before.server_mb(),
        batches_mb,
        after_mb: after.server_mb(),
        cpu_us_each: round(after.server_us(&before) as f64 / sessions as f64, 0),
    })
}

async fn come(client: &Client, args: &cli::Churn, count: usize) -> Result<Vec<Viewer>> {
    let (mut coming, mut there) = (JoinSet::new(), Vec::with_capacity(count));
    for _ in 0..count {
        if coming.len() == AT_ONCE {
            there.push(coming.join_next().await.context("nobody comes")???);
        }
        let (client, version) = (client.clone(), args.version);
        coming.spawn(async move { Viewer::come(&client, version).await });
    }
    while let Some(viewer) = coming.join_next().await {
        there.push(viewer??);
    }
    Ok(there)
}
