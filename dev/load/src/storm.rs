//! `load storm`: announces very many broadcasts at one node, counts them at another, leaves, and counts again.
//!
//! What is counted are names: one that is missing, told twice or made up ends the storm. Times are only reported.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    cli,
    client::{Client, Reading},
    door::{Connection, Door},
    handshake::handshake,
    reader::Reader,
    report::round,
    usage::Usage,
    watcher::Watcher,
    wire::{self, Version},
};

/// Until the last broadcast may have come, or gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until the nodes have put away what the last ones took.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Stormed {
    pub(crate) broadcasts: usize,
    /// From the first announcement until the watcher has them all.
    pub(crate) there_s: f64,
    /// From the end of the publishers until it has none.
    pub(crate) gone_s: f64,
    /// Growth of each node while all are there, for each broadcast.
    pub(crate) bytes_each: Vec<f64>,
    /// What all nodes together used for each broadcast, coming and going.
    pub(crate) cpu_us_each: f64,
}

pub(crate) async fn storm(args: cli::Storm) -> Result<Stormed> {
    let dial = |addr| Client::new(addr, Door::Quic, args.version.alpn, Reading::Eager);
    let name = |i: usize, k: usize| format!("storm/{i:03}/broadcast-{k:05}");
    let count = args.publishers * args.broadcasts;

    let mut watcher = Watcher::new(&dial(args.watch_at)?, args.version, "").await?;
    let (go, wait) = watch::channel(false);
    let mut publishers = JoinSet::new();
    let client = dial(args.addr)?;
    let mut sessions = Vec::new();
    for i in 0..args.publishers {
        let conn = client.connect().await.with_context(|| format!("publisher {i}"))?;
        let Connection::Quic(quic) = &conn else { bail!("a client of QUIC") };
        sessions.push(quic.clone());
        let names = (0..args.broadcasts).map(|k| name(i, k)).collect();
        publishers.spawn(publish(conn, args.version, names, wait.clone()));
    }
    tokio::time::sleep(SETTLE).await;
    ensure!(watcher.there.is_empty(), "{} broadcasts are there already", watcher.there.len());

    let before = used(&args.pid)?;
    let started = Instant::now();
    go.send_replace(true);
    let there = timeout(PATIENCE, watcher.until(count)).await;
    there.with_context(|| format!("{} of {count} came", watcher.there.len()))??;
    let there = started.elapsed();
    for (i, k) in (0..args.publishers).flat_map(|i| (0..args.broadcasts).map(move |k| (i, k))) {
        ensure!(watcher.there.contains(&name(i, k)), "{} did not come", name(i, k));
    }
    tokio::time::sleep(SETTLE).await;
    let full = used(&args.pid)?;

    let started = Instant::now();
    for session in &sessions {
        session.close(0u32.into(), b"");
    }
    let gone = timeout(PATIENCE, watcher.until(0)).await;
    gone.with_context(|| format!("{} of {count} stayed", watcher.there.len()))??;
    let gone = started.elapsed();
    tokio::time::sleep(SETTLE).await;
    let after = used(&args.pid)?;

    let grown = |(before, full): (&Usage, &Usage)| full.rss_kb.saturating_sub(before.rss_kb) as f64 * 1024.0;
    let cpu = before.iter().zip(&after).map(|(before, after)| after.cpu_us - before.cpu_us).sum::<u64>();
    Ok(Stormed {
        broadcasts: count,
        there_s: round(there.as_secs_f64(), 3),
        gone_s: round(gone.as_secs_f64(), 3),
        bytes_each: before.iter().zip(&full).map(|pair| round(grown(pair) / count as f64, 0)).collect(),
        cpu_us_each: round(cpu as f64 / count as f64, 1),
    })
}

fn used(pids: &[u32]) -> Result<Vec<Usage>> {
    pids.iter().map(|pid| Usage::of(*pid)).collect()
}

/// Announces these names on every announce stream as soon as it may.
async fn publish(
    conn: Connection,
    version: &'static Version,
    names: Vec<String>,
    mut go: watch::Receiver<bool>,
) -> Result<()> {
    let _session = handshake(&conn, version).await?;
    let names = Arc::new(names);
    loop {
        let (mut send, recv) = conn.accept_bi().await?;
        let mut recv = Reader::new(recv, version.varint);
        if recv.varint().await? != 0x1 {
            send.reset(0);
            continue;
        }
        let prefix = wire::requested_prefix(version, &recv.message().await?)?;
        ensure!(prefix.is_empty(), "what is announced below {prefix:?} is asked for, not everything");
        send.write_all(&wire::first_reply(version, 0)).await?;
        go.wait_for(|go| *go).await?;
        let mut all = BytesMut::new();
        for name in names.iter() {
            all.extend_from_slice(&wire::active(version, name));
        }
        send.write_all(&all).await?;
        tokio::spawn(async move {
            let _held = send;
            recv.peek().await
        });
    }
}
