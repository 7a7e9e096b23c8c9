//! One run: connect everybody, warm up, measure, report.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::{
    cli::Run,
    client::{self, Client, FLOOR, Reading},
    door::Door,
    group::Expect,
    handshake::handshake,
    lean, payload,
    publish::Publisher,
    report::{Cost, Report, round},
    snapshot::{Snapshot, used},
    stats::Stats,
    steering::Steering,
    subscribe::{Viewer, subscribe},
    usage::Usage,
    wire::Setup,
};

/// Sockets that carry all viewers over QUIC: few, so that the generator stays cheap.
const SOCKETS: usize = 4;
/// Subscribers who connect at the same time when they come at a pace: one whose packet is lost holds up nobody else.
const AT_ONCE: usize = 64;
/// How long a group may be overtaken by later ones before it counts as missing.
const GRACE: Duration = Duration::from_millis(500);

pub(crate) async fn run(run: Run) -> Result<Report> {
    let stats = Arc::new(Stats::default());
    let started = Instant::now();
    let names: Vec<String> =
        (0..run.publishers).map(|i| format!("{}/{}/{i}", run.prefix, std::process::id())).collect();
    if !run.floor {
        for (i, name) in names.iter().enumerate() {
            publish(&run, i, name.clone()).await.context("publisher")?;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let before = used(&run.pid)?;
    let viewers = Steering::new(run.workers, run.viewers_on);
    watch(&run, &names, &stats, &viewers).await?;
    let connect_ms = started.elapsed().as_millis() as u64;
    tokio::time::sleep(Duration::from_secs(run.warmup)).await;

    let a = Snapshot::take(&run.pid)?;
    stats.measuring.store(true, Relaxed);
    tokio::time::sleep(Duration::from_secs(run.seconds)).await;
    stats.measuring.store(false, Relaxed);
    let b = Snapshot::take(&run.pid)?;
    let missing_groups = missing(&stats).await;

    let latency = stats.latency();
    let (frames, bytes) = (stats.frames.load(Relaxed), stats.bytes.load(Relaxed));
    let secs = (b.at - a.at).as_secs_f64();
    let expected = run.shape.fps * secs * (run.subscribers * run.subscriptions) as f64;
    Ok(Report {
        label: run.label.clone(),
        subscribers: run.subscribers,
        delivered_pct: (expected > 0.0).then(|| round(frames as f64 / expected * 100.0, 2)),
        frames_per_s: (frames as f64 / secs) as u64,
        mbps: round(bytes as f64 * 8.0 / secs / 1e6, 1),
        p50_us: latency.all.value_at_quantile(0.5),
        p99_us: latency.all.value_at_quantile(0.99),
        p999_us: latency.all.value_at_quantile(0.999),
        max_us: latency.all.max(),
        worst_subscriber_p99_us: latency.worst_p99,
        starved: latency.starved,
        resets: stats.resets.load(Relaxed),
        missing_groups,
        corrupt: stats.corrupt.load(Relaxed),
        connect_ms,
        viewers_by_worker: viewers.went(),
        load_cpu_pct: b.load_cpu_pct(&a),
        others_cpu_pct: b.others_cpu_pct(&a),
        server: match (before, a.server, b.server) {
            (Some(before), Some(cost_a), Some(cost_b)) => Some(Cost {
                busy_threads: b.busy_threads(&a),
                ..cost(&run, before, cost_a, cost_b, secs, frames, bytes)
            }),
            _ => None,
        },
    })
}

async fn publish(run: &Run, index: usize, name: String) -> Result<()> {
    let steering = Steering::new(run.workers, run.publishers_on);
    let client = Client::steered(run.addr, run.door, run.version.alpn, Reading::Eager, &steering)?;
    let conn = client.connect().await?;
    let filler = payload::filler(index);
    let publisher = Publisher { version: run.version, shape: run.shape.clone(), name, filler, tracks: Vec::new() };
    tokio::spawn(async move {
        let _client = client;
        if let Err(e) = publisher.run(conn).await {
            eprintln!("publisher: {e:#}");
        }
    });
    Ok(())
}

/// Connects everybody who is not a publisher.
async fn watch(run: &Run, names: &[String], stats: &Arc<Stats>, steering: &Steering) -> Result<()> {
    let protocol = if run.floor { FLOOR } else { run.version.alpn };
    let addr = run.viewers_at.unwrap_or(run.addr);
    let client = |reading| Client::steered(addr, run.door, protocol, reading, steering);
    let clients: Vec<Client> = (0..SOCKETS).map(|_| client(Reading::Eager)).collect::<Result<_>>()?;

    let stalled = client(Reading::Stalled)?;
    for i in 0..run.stalled {
        let conn = stalled.connect().await.with_context(|| format!("stalled subscriber {i}"))?;
        let session = handshake(&conn, run.version).await?;
        let streams = subscribe(&conn, run.version, 0, &names[i % names.len()]).await?;
        tokio::spawn(async move {
            let _streams = (session, streams);
            conn.closed().await;
        });
    }
    for i in 0..run.idle {
        let conn = clients[0].connect().await.with_context(|| format!("idle connection {i}"))?;
        let session = handshake(&conn, run.version).await?;
        tokio::spawn(async move {
            let _session = session;
            conn.closed().await;
        });
    }
    let viewers = (0..run.subscribers).map(|i| viewer(run, names, i)).collect();
    let has_session_stream = !run.floor && matches!(run.version.setup, Setup::Exchange(_));
    if run.lean && run.door == Door::Quic && !has_session_stream {
        let config = client::config(protocol, Reading::Eager, steering)?;
        return lean::watch(addr, config, viewers, run.pace, stats).await;
    }
    come(run, viewers, &clients, stats).await
}

/// Connects viewers with tasks of their own.
async fn come(run: &Run, viewers: Vec<Viewer>, clients: &[Client], stats: &Arc<Stats>) -> Result<()> {
    let mut pace = run.pace.map(|rate| tokio::time::interval(Duration::from_secs_f64(1.0 / rate)));
    let most = if run.pace.is_some() { AT_ONCE } else { 1 };
    let mut coming = JoinSet::new();
    for (i, viewer) in viewers.into_iter().enumerate() {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        if coming.len() == most {
            coming.join_next().await.context("nobody comes")???;
        }
        let (client, stats) = (clients[i % SOCKETS].clone(), stats.clone());
        coming.spawn(async move {
            let conn = client.connect().await.with_context(|| format!("subscriber {i}"))?;
            tokio::spawn(async move {
                if let Err(e) = viewer.run(conn, stats).await {
                    eprintln!("subscriber: {e:#}");
                }
            });
            anyhow::Ok(())
        });
    }
    while let Some(come) = coming.join_next().await {
        come??;
    }
    Ok(())
}

/// Who comes as the `index`-th.
fn viewer(run: &Run, names: &[String], index: usize) -> Viewer {
    let mine: Vec<usize> = (0..run.subscriptions).map(|k| (index * run.subscriptions + k) % names.len()).collect();
    Viewer {
        version: (!run.floor).then_some(run.version),
        names: mine.iter().map(|i| names[*i].clone()).collect(),
        expect: Expect {
            verify: run.verify,
            fillers: mine.into_iter().map(payload::filler).collect(),
            frames: (!run.floor).then_some(run.shape.group),
        },
    }
}

/// Counts groups that were overtaken while measuring and have not come since.
async fn missing(stats: &Stats) -> u64 {
    let overtaken = stats.gaps();
    if overtaken.is_empty() {
        return 0;
    }
    tokio::time::sleep(GRACE).await;
    stats.gaps().intersection(&overtaken).count() as u64
}

fn cost(run: &Run, before: Usage, a: Usage, b: Usage, secs: f64, frames: u64, bytes: u64) -> Cost {
    let cpu = (b.cpu_us - a.cpu_us) as f64;
    let conns = (run.subscribers + run.idle + run.stalled).max(1);
    Cost {
        cpu_pct: round(cpu / secs / 1e4, 1),
        cpu_us_per_frame: round(cpu / frames.max(1) as f64, 2),
        cpu_s_per_gb: round(cpu / bytes.max(1) as f64 * 1e3, 2),
        ctx_per_frame: round(b.ctx.saturating_sub(a.ctx) as f64 / frames.max(1) as f64, 2),
        rss_mb: round(b.rss_kb as f64 / 1024.0, 1),
        peak_mb: round(b.peak_kb as f64 / 1024.0, 1),
        kb_per_conn: round(b.rss_kb.saturating_sub(before.rss_kb) as f64 / conns as f64, 1),
        threads: b.threads,
        busy_threads: 0,
    }
}
