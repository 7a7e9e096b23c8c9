//! Viewers without tasks: one thread reads a socket and takes each packet the whole way, from the kernel to its frame.
//!
//! As tasks, thousands of viewers are slower to read than a relay is to send: a packet waits for its connection's task, a
//! frame for its group's, and whatever they touch has left the core's cache by their turn. The figure would be theirs.

mod host;
mod talk;
mod viewer;

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use quinn::ClientConfig;
use tokio::sync::mpsc;

use crate::{stats::Stats, subscribe::Viewer};
use host::Host;

/// Threads, each with a socket: as many as hold a packet for each of 5,000 viewers, with room. One lost some.
const THREADS: usize = 4;

/// Brings all viewers in, `pace` of them per second, and returns when they are connected. They watch until the process ends.
pub(crate) async fn watch(
    addr: SocketAddr,
    config: ClientConfig,
    viewers: Vec<Viewer>,
    pace: Option<f64>,
    stats: &Arc<Stats>,
) -> Result<()> {
    let count = viewers.len();
    let mut shares: Vec<Vec<(usize, Viewer)>> = (0..THREADS).map(|_| Vec::new()).collect();
    for (number, viewer) in viewers.into_iter().enumerate() {
        shares[number % THREADS].push((number, viewer));
    }
    let (arrived, mut arrivals) = mpsc::channel(count.max(1));
    let between = pace.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let mut first = Instant::now();
    for viewers in shares {
        let pace = (first, between.map(|between| between * THREADS as u32));
        let host = Host::new(addr, config.clone(), viewers, pace, stats.clone(), arrived.clone())?;
        std::thread::Builder::new().name("viewers".into()).spawn(move || {
            // Without these viewers the figures would be others'.
            if std::panic::catch_unwind(AssertUnwindSafe(|| host.run())).is_err() {
                std::process::exit(1);
            }
        })?;
        first += between.unwrap_or_default();
    }
    for _ in 0..count {
        arrivals.recv().await.context("the viewers' threads ended")??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use quinn::{Endpoint, ServerConfig, crypto::rustls::QuicServerConfig};

    use super::*;
    use crate::{
        cli::{Floor, Shape},
        client::{self, FLOOR, Reading},
        floor,
        group::Expect,
        payload::filler,
        socket::socket,
        steering::Steering,
        tls,
    };

    fn viewer() -> Viewer {
        let expect = Expect { verify: true, fillers: vec![filler(0)], frames: None };
        Viewer { version: None, names: vec![String::new()], expect }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_viewer_gets_its_frames() {
        let listen = socket().unwrap().local_addr().unwrap();
        let shape = Shape { fps: 50.0, frame: 3000, group: 5, key: 1 };
        tokio::spawn(floor::serve(Floor { listen, shape }));
        let stats = Arc::new(Stats::default());
        stats.measuring.store(true, Relaxed);
        let config = client::config(FLOOR, Reading::Eager, &Steering::default()).unwrap();
        let viewers = std::iter::repeat_with(viewer).take(3 * THREADS).collect();
        watch(listen, config, viewers, Some(1000.0), &stats).await.unwrap();
        let all = async {
            while stats.latency().starved > 0 || stats.frames.load(Relaxed) < 30 * THREADS as u64 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("frames for everybody");
        assert_eq!((stats.corrupt.load(Relaxed), stats.resets.load(Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn a_viewer_who_is_not_let_in_is_told_of() {
        let nobody = socket().unwrap().local_addr().unwrap();
        let mut config = client::config(FLOOR, Reading::Eager, &Steering::default()).unwrap();
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(Some(Duration::from_millis(50).try_into().unwrap()));
        config.transport_config(Arc::new(transport));
        let error = watch(nobody, config, vec![viewer()], None, &Arc::default()).await.unwrap_err();
        assert!(format!("{error:#}").starts_with("subscriber 0: "), "{error:#}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_lost_viewer_had_in_part_is_counted() {
        let tls = QuicServerConfig::try_from(tls::server(FLOOR).unwrap()).unwrap();
        let config = ServerConfig::with_crypto(Arc::new(tls));
        let server = Endpoint::server(config, ([127, 0, 0, 1], 0).into()).unwrap();
        let addr = server.local_addr().unwrap();
        tokio::spawn(async move {
            let conn = server.accept().await.unwrap().await.unwrap();
            let mut groups = [conn.open_uni().await.unwrap(), conn.open_uni().await.unwrap()];
            for group in &mut groups {
                group.write_all(&[32, 0]).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            conn.close(7u32.into(), b"");
            server.wait_idle().await;
        });
        let stats = Arc::new(Stats::default());
        let config = client::config(FLOOR, Reading::Eager, &Steering::default()).unwrap();
        watch(addr, config, vec![viewer()], None, &stats).await.unwrap();
        let counted = async {
            while stats.resets.load(Relaxed) < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), counted).await.expect("both groups are cut short");
    }
}
