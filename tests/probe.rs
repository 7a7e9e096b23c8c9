//! Whoever asks hears what the way to it can carry.

mod common;

use std::time::Duration;

use common::{End, Socket, TestRelay, World, every_dialect};
use moq_relay::wire::Dialect;
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn the_first_report_comes_at_once_and_the_same_is_not_said_twice() {
    for dialect in Dialect::every().filter(|dialect| dialect.probe.is_some()) {
        let world = World::new();
        let peer = world.peer(dialect);
        let asked_at = Instant::now();
        let mut probed = peer.probe().await;
        let report = probed.report().await.unwrap();
        assert!(asked_at.elapsed() < Duration::from_millis(5));
        // A measured 0 is told as 1, nothing known as nothing; the oldest has no field for the time.
        let knows_rtt = dialect.name != "moq-lite-03";
        assert_eq!((report.bitrate, report.rtt), (None, knows_rtt.then_some(Duration::from_millis(1))));
        assert!(timeout(Duration::from_secs(30), probed.report()).await.is_err());

        probed.out.finish();
        assert_eq!(probed.report().await, Err(End::Fin), "either side may end it");
    }
}

#[tokio::test]
async fn on_quic_rate_and_time_are_known() {
    let relay = TestRelay::start().await;
    every_dialect(async |dialect| {
        if dialect.probe.is_none() {
            return;
        }
        for socket in [Socket::Raw, Socket::Web] {
            let peer = relay.peer(socket, dialect).await;
            let report = peer.probe().await.report().await.unwrap();
            assert!(report.bitrate.is_some_and(|bitrate| bitrate > 100_000), "{report:?}");
            if dialect.name != "moq-lite-03" {
                assert!(report.rtt.is_some_and(|rtt| rtt < Duration::from_secs(5)), "{report:?}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn peers_are_told_that_they_may_ask() {
    every_dialect(async |dialect| {
        if dialect.setup.is_some() {
            let world = World::new();
            assert_eq!(world.peer(dialect).heard_setup().await.probe, 1);
        }
    })
    .await;
}
