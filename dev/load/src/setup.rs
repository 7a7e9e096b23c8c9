//! `load setup`: viewers come to a broadcast that runs, have a frame, and leave. What one of them costs the server, how long
//! it waits, and, far away, how many round trips that takes.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    cli::{self, Shape},
    client::{Client, Reading},
    door::Door,
    link::{Link, Profile},
    report::round,
    snapshot::Snapshot,
    watching::{self, Viewer},
    wire::Version,
};

/// Viewers who come at the same time when CPU is measured.
const AT_ONCE: usize = 16;
/// Viewers who come one by one, near and far.
const ALONE: usize = 200;
const FAR: usize = 20;
/// Until the server has put away what the last ones left.
const SETTLE: Duration = Duration::from_millis(500);
/// So long that what computers need meanwhile is little.
const RTT: Duration = Duration::from_millis(100);
/// One group, whose first frame is there whenever somebody comes, and which costs nothing meanwhile.
const SHAPE: Shape = Shape { fps: 0.1, frame: 1000, group: 10_000, key: 1 };

#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct SetUp {
    /// The server's, for coming, a frame and leaving.
    pub(crate) cpu_us: f64,
    /// Medians of viewers who come alone, and are on the same machine.
    pub(crate) handshake_ms: f64,
    pub(crate) frame_ms: f64,
    /// From the handshake to the first frame, of viewers who are far away.
    pub(crate) round_trips: f64,
    /// The same for the handshake.
    pub(crate) handshake_round_trips: f64,
    /// By how much the link was late, at most but for one packet in a hundred.
    pub(crate) link_late_us: u64,
    pub(crate) load_cpu_pct: f64,
    pub(crate) others_cpu_pct: f64,
}

pub(crate) async fn setup(args: cli::Setup) -> Result<SetUp> {
    let dial = |addr| Client::new(addr, Door::Quic, args.version.alpn, Reading::Eager);
    let client = dial(args.addr)?;
    let _first = watching::start(&client, args.version, SHAPE).await?;
    let crowd = |visits| come_and_go(&client, args.version, visits);
    crowd(AT_ONCE * 10).await?; // warms up
    tokio::time::sleep(SETTLE).await;

    let before = Snapshot::take(&[args.pid])?;
    crowd(args.visits).await?;
    tokio::time::sleep(SETTLE).await;
    let after = Snapshot::take(&[args.pid])?;

    let near = alone(&client, args.version, ALONE).await?;
    let profile = Profile { rtt: RTT, bits_per_s: 1e9, loss: 0.0, queue: RTT };
    let link = Link::new(args.addr, profile, 0)?;
    let far = alone(&dial(link.addr)?, args.version, FAR).await.context("from far away")?;
    let trips = |time: Duration| round(time.as_secs_f64() / RTT.as_secs_f64(), 2);
    Ok(SetUp {
        cpu_us: round(after.server_us(&before) as f64 / args.visits as f64, 0),
        handshake_ms: round(near.handshake.as_secs_f64() * 1e3, 2),
        frame_ms: round(near.frame.as_secs_f64() * 1e3, 2),
        round_trips: trips(far.frame),
        handshake_round_trips: trips(far.handshake),
        link_late_us: link.stop()?.late.value_at_quantile(0.99),
        load_cpu_pct: after.load_cpu_pct(&before),
        others_cpu_pct: after.others_cpu_pct(&before),
    })
}

async fn come_and_go(client: &Client, version: &'static Version, visits: usize) -> Result<()> {
    let mut inside = JoinSet::new();
    for _ in 0..visits {
        if inside.len() == AT_ONCE {
            inside.join_next().await.context("nobody is inside")???;
        }
        let client = client.clone();
        inside.spawn(async move {
            Viewer::come(&client, version).await?.leave();
            anyhow::Ok(())
        });
    }
    while let Some(done) = inside.join_next().await {
        done??;
    }
    Ok(())
}

/// Medians.
struct Times {
    handshake: Duration,
    frame: Duration,
}

async fn alone(client: &Client, version: &'static Version, visits: usize) -> Result<Times> {
    let (mut handshakes, mut frames) = (Vec::new(), Vec::new());
    for _ in 0..visits {
        let viewer = Viewer::come(client, version).await?;
        handshakes.push(viewer.handshake);
        frames.push(viewer.frame);
        viewer.leave();
    }
    handshakes.sort();
    frames.sort();
    Ok(Times { handshake: handshakes[visits / 2], frame: frames[visits / 2] })
}
