//! `load lossy`: viewers behind bad links watch a video that nearly fills them, and audio that matters more.
//!
//! Frames count by the moment of their making, so that one that never comes counts, too.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{
    cli::{self, Shape},
    client::{Client, Reading},
    door::{Connection, Door},
    frames::Frames,
    handshake::handshake,
    link::{Link, Passed, Profile},
    payload::{self, now_ns},
    publish::Publisher,
    report::round,
    snapshot::Snapshot,
    wire::{self, Version},
};

const NAME: &str = "lossy/live";
/// Tracks with their priorities; their place is the subscribe id.
const TRACKS: [(&str, u8); 2] = [("video", 100), ("audio", 200)];
/// A frame that is older than this when it comes is of no use.
const ON_TIME: Duration = Duration::from_millis(500);
/// How long frames may take at all.
const GRACE: Duration = Duration::from_secs(3);

const AUDIO: Shape = Shape { fps: 50.0, frame: 120, group: 1, key: 1 };
const VIDEO_FPS: f64 = 30.0;
const VIDEO_GROUP: u64 = 60;
const VIDEO_KEY: usize = 5;

#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Watched {
    pub(crate) video: Ages,
    pub(crate) audio: Ages,
    /// Of all packets, both ways.
    pub(crate) lost_pct: f64,
    /// Because the queue was full.
    pub(crate) dropped_pct: f64,
    /// By how much links were late, at most but for one packet in a hundred.
    pub(crate) link_late_us: u64,
    pub(crate) server_cpu_pct: f64,
    pub(crate) load_cpu_pct: f64,
    pub(crate) others_cpu_pct: f64,
}

/// How old the frames of a track were when they came, over all that were due.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Ages {
    pub(crate) due: u64,
    pub(crate) came_pct: f64,
    pub(crate) on_time_pct: f64,
    /// None: so many never came.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

pub(crate) async fn lossy(args: cli::Lossy) -> Result<Watched> {
    let video = video(args.rate * args.video / 100.0);
    let dial = |addr| Client::new(addr, Door::Quic, args.version.alpn, Reading::Eager);
    let conn = dial(args.addr)?.connect().await.context("publisher")?;
    let tracks = vec![("audio", AUDIO)];
    let publisher = Publisher {
        version: args.version,
        shape: video.clone(),
        name: NAME.into(),
        filler: payload::filler(0),
        tracks,
    };
    tokio::spawn(publisher.run(conn));
    tokio::time::sleep(Duration::from_millis(300)).await;

    let profile = Profile {
        rtt: Duration::from_millis(args.rtt),
        bits_per_s: args.rate * 1e6,
        loss: args.loss / 100.0,
        queue: Duration::from_millis(args.queue),
    };
    let arrivals = Arc::new(Arrivals::default());
    let mut links = Vec::new();
    for i in 0..args.viewers as u64 {
        let link = Link::new(args.addr, profile, args.seed * 1000 + i)?;
        let client = dial(link.addr)?;
        let conn = client.connect().await.with_context(|| format!("viewer {i}"))?;
        tokio::spawn(watch(conn, client, args.version, arrivals.clone()));
        links.push(link);
    }
    tokio::time::sleep(Duration::from_secs(args.warmup)).await;

    let (a, from) = (Snapshot::take(&[args.pid])?, now_ns());
    let until = from + args.seconds * 1_000_000_000;
    arrivals.count(from, until);
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let b = Snapshot::take(&[args.pid])?;
    tokio::time::sleep(GRACE).await;

    let passed = links.into_iter().map(Link::stop).collect::<Result<Vec<_>>>()?;
    let all = sum(passed).context("no viewers")?;
    let of_all = |count: u64| round(count as f64 / all.packets.max(1) as f64 * 100.0, 2);
    let due = |shape: &Shape| (shape.fps * args.seconds as f64) as u64 * args.viewers as u64;
    Ok(Watched {
        video: arrivals.ages(0, due(&video)),
        audio: arrivals.ages(1, due(&AUDIO)),
        lost_pct: of_all(all.lost),
        dropped_pct: of_all(all.dropped),
        link_late_us: all.late.value_at_quantile(0.99),
        server_cpu_pct: round(b.server_us(&a) as f64 / args.seconds as f64 / 1e4, 1),
        load_cpu_pct: b.load_cpu_pct(&a),
        others_cpu_pct: b.others_cpu_pct(&a),
    })
}

/// A video of so many Mbit/s.
fn video(mbps: f64) -> Shape {
    let group = mbps * 1e6 / 8.0 * VIDEO_GROUP as f64 / VIDEO_FPS;
    let frame = (group / (VIDEO_GROUP as usize - 1 + VIDEO_KEY) as f64) as usize;
    Shape { fps: VIDEO_FPS, frame, group: VIDEO_GROUP, key: VIDEO_KEY }
}

async fn watch(conn: Connection, _client: Client, version: &'static Version, arrivals: Arc<Arrivals>) -> Result<()> {
    let _session = handshake(&conn, version).await?;
    let mut requests = Vec::new();
    for (id, (track, priority)) in TRACKS.iter().enumerate() {
        let (mut send, recv) = conn.open_bi().await?;
        let age = ON_TIME.as_millis() as u64;
        send.write_all(&wire::subscribe_aged(version, id as u64, NAME, track, *priority, age)).await?;
        requests.push((send, recv));
    }
    loop {
        let stream = conn.accept_uni().await?;
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            if let Ok(Some(mut frames)) = Frames::new(stream, version).await {
                while let Ok(made) = frames.next().await {
                    arrivals.add(frames.subscribe, made);
                }
            }
        });
    }
}

/// The frames of all viewers.
#[derive(Default)]
struct Arrivals(Mutex<Window>);

struct Window {
    /// Between which moments frames that count were made.
    from: u64,
    until: u64,
    /// Their ages in microseconds, by track.
    ages: [Histogram<u32>; TRACKS.len()],
}

impl Default for Window {
    fn default() -> Self {
        let ages = || Histogram::new(3).expect("three digits are possible");
        Self { from: 0, until: 0, ages: [ages(), ages()] }
    }
}

impl Arrivals {
    fn count(&self, from: u64, until: u64) {
        let mut window = self.0.lock().unwrap();
        (window.from, window.until) = (from, until);
    }

    fn add(&self, track: u64, made: u64) {
        let age = now_ns().saturating_sub(made) / 1000;
        let mut window = self.0.lock().unwrap();
        if (window.from..window.until).contains(&made)
            && let Some(ages) = window.ages.get_mut(track as usize)
        {
            ages.record(age).expect("a histogram grows with what it is given");
        }
    }

    fn ages(&self, track: usize, due: u64) -> Ages {
        ages(&self.0.lock().unwrap().ages[track], due)
    }
}

fn ages(came: &Histogram<u32>, due: u64) -> Ages {
    // A frame more than was due may have been made within the time.
    let share = |count: u64| round((count as f64 / due as f64 * 100.0).min(100.0), 2);
    let age = |quantile: f64| {
        let rank = (quantile * due as f64).ceil() as u64;
        (0 < rank && rank <= came.len())
            .then(|| round(came.value_at_quantile(rank as f64 / came.len() as f64) as f64 / 1000.0, 1))
    };
    Ages {
        due,
        came_pct: share(came.len()),
        on_time_pct: share(came.count_between(0, ON_TIME.as_micros() as u64)),
        p50_ms: age(0.5),
        p99_ms: age(0.99),
    }
}

/// What happened on all links together.
fn sum(all: Vec<Passed>) -> Option<Passed> {
    all.into_iter().reduce(|mut sum, one| {
        sum.packets += one.packets;
        sum.lost += one.lost;
        sum.dropped += one.dropped;
        sum.late.add(&one.late).expect("a histogram grows with what it is given");
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_is_late() {
        let mut came = Histogram::new(3).unwrap();
        came.record_n(100_000, 90).unwrap();
        came.record_n(600_000, 5).unwrap();
        let ages = ages(&came, 100);
        assert_eq!((ages.came_pct, ages.on_time_pct), (95.0, 90.0));
        assert!(ages.p50_ms.is_some_and(|ms| (99.0..101.0).contains(&ms)));
        assert_eq!(ages.p99_ms, None);
    }

    #[test]
    fn a_video_has_its_rate() {
        let Shape { fps, frame, group, key } = video(14.0);
        let bits = (frame * (group as usize - 1 + key) * 8) as f64 * fps / group as f64;
        assert!((13.9e6..=14e6).contains(&bits));
    }
}
