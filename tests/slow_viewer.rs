//! A viewer who does not read costs itself, and nobody else anything.

mod common;

use std::{fs, time::Duration};

use common::{End, Socket, Subscription, TestRelay, VIDEO, World, dialect, every_dialect, latest, settle};
use moq_relay::{
    model::cache::Limits,
    types::{FrameRange, Preferences, code},
};
use quinn::{TransportConfig, VarInt};
use tokio::{task::JoinSet, time::sleep};

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn others_miss_nothing_and_the_cache_keeps_its_budget() {
    every_dialect(async |dialect| {
        let world = World::with_cache(Limits { capacity: 4 << 20, ..Limits::default() });
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let (stalled, reading) = (world.peer(dialect), world.peer(dialect));
        let _stalled = stalled.subscribe("room/a", VIDEO, latest()).await;
        let mut subscription = reading.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = publisher.feed().await;
        settle().await;
        for sequence in 0..32 {
            let payload = vec![sequence as u8; MIB];
            let frames = [&payload[..]];
            let ((), got) = tokio::join!(feed.whole_group(sequence, &frames), next(&mut subscription));
            assert_eq!(got, (sequence, payload, End::Fin));
            // A slab that is being filled is charged in full.
            assert!(world.origin.cache().used() <= (5 * MIB) as u64, "{}", world.origin.cache().used());
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stalled_session_pins_no_more_than_its_windows() {
    const GROUPS: u64 = 48;
    let relay = TestRelay::with(|config| config.model.capacity = 4 << 20).await;
    let publisher = relay.publisher(Socket::Raw, dialect("05"), &["room/a"]).await;
    let reading = relay.peer(Socket::Raw, dialect("05")).await;
    reading.announced("").await.next().await;
    let mut limits = TransportConfig::default();
    limits.receive_window(VarInt::from_u32(256 << 10)).stream_receive_window(VarInt::from_u32(64 << 10));
    let stalled = relay.peer_within(Socket::Raw, dialect("05"), limits).await;
    let mut unread = stalled.subscribe("room/a", VIDEO, latest()).await;
    let mut subscription = reading.subscribe("room/a", VIDEO, latest()).await;
    let mut feed = publisher.feed().await;

    let mut before = 0;
    for sequence in 0..GROUPS {
        let payload = vec![sequence as u8; MIB];
        let frames = [&payload[..]];
        let ((), got) = tokio::join!(feed.whole_group(sequence, &frames), next(&mut subscription));
        assert_eq!(got, (sequence, payload, End::Fin));
        if sequence == GROUPS / 4 {
            // Everything that fills up once is full.
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    eprintln!("grown by {} KiB", grown >> 10);
    assert!(grown < 12 * MIB, "grown by {} MiB while {} MiB passed", grown / MIB, 3 * GROUPS / 4);

    // Whoever reads again gets resets for what is gone, and the newest whole.
    let mut ended = JoinSet::new();
    loop {
        tokio::select! {
            mut group = unread.group() => {
                ended.spawn(async move { (group.sequence(), group.payloads().await) });
            }
            Some(group) = ended.join_next() => {
                let (sequence, (payloads, end)) = group.unwrap();
                match end {
                    End::Fin => assert!(payloads.concat() == vec![sequence as u8; MIB], "{sequence}"),
                    end => assert!(matches!(end, End::Reset(code::EVICTED | code::OLD)), "{sequence}: {end:?}"),
                }
                if sequence == GROUPS - 1 {
                    return assert_eq!(end, End::Fin);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_reads_again_within_its_max_age_has_missed_nothing() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let age = Preferences { max_age: Some(Duration::from_secs(60)), ..latest() };
        let mut subscription = viewer.subscribe("room/a", VIDEO, age).await;
        let mut feed = publisher.feed().await;
        for sequence in 0..4 {
            let payload = vec![sequence as u8; MIB];
            feed.whole_group(sequence, &[&payload]).await;
            sleep(Duration::from_millis(500)).await;
        }
        let mut got = Vec::new();
        for _ in 0..4 {
            let (sequence, payload, end) = next(&mut subscription).await;
            assert_eq!((payload, end), (vec![sequence as u8; MIB], End::Fin));
            got.push(sequence);
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn a_group_that_waits_for_a_stream_expires_like_any_other() {
    let relay = TestRelay::start().await;
    let publisher = relay.publisher(Socket::Raw, dialect("05"), &["room/a"]).await;
    let mut limits = TransportConfig::default();
    limits.max_concurrent_uni_streams(VarInt::from_u32(1));
    let viewer = relay.peer_within(Socket::Raw, dialect("05"), limits).await;
    viewer.announced("").await.next().await;
    viewer.heard_setup().await;
    let age = Preferences { max_age: Some(Duration::from_secs(1)), ..latest() };
    let mut subscription = viewer.subscribe("room/a", VIDEO, age).await;
    let mut feed = publisher.feed().await;
    let mut held = feed.group(0).await;
    held.frame(0, b"live").await;
    let mut group = subscription.group().await;
    assert_eq!(&group.frame().await.unwrap().payload[..], b"live");

    // The only stream is taken while these arrive, a second of media apart.
    for sequence in 1..4 {
        let mut group = feed.group(sequence).await;
        group.frame(sequence * common::INFO.timescale, &[sequence as u8]).await;
        group.finish();
        // The relay has it once it has it from the cache.
        let fetched = viewer.fetch("room/a", VIDEO, sequence, FrameRange::default());
        assert_eq!(fetched.await.group.payloads().await.1, End::Fin);
    }
    held.finish();
    assert_eq!(group.frame().await, Err(End::Fin));
    for sequence in [2, 3] {
        assert_eq!(next(&mut subscription).await, (sequence, vec![sequence as u8], End::Fin), "1 is too old by now");
    }
}

#[tokio::test]
async fn a_group_cut_while_it_waits_for_a_stream_holds_up_no_other() {
    let relay = TestRelay::start().await;
    let publisher = relay.publisher(Socket::Raw, dialect("05"), &["room/a"]).await;
    let mut limits = TransportConfig::default();
    limits.max_concurrent_uni_streams(VarInt::from_u32(1));
    let viewer = relay.peer_within(Socket::Raw, dialect("05"), limits).await;
    viewer.announced("").await.next().await;
    viewer.heard_setup().await;
    let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
    let mut feed = publisher.feed().await;
    for round in 0..8 {
        let sequence = 3 * round;
        let mut held = feed.group(sequence).await;
        held.frame(0, b"live").await;
        let mut group = subscription.group().await;
        assert_eq!((group.sequence(), &group.frame().await.unwrap().payload[..]), (sequence, &b"live"[..]));
        // It waits for the only stream, empty, and is taken back; then the stream is free again.
        let waiting = feed.group(sequence + 1).await;
        sleep(Duration::from_millis(20)).await;
        waiting.reset(7);
        if round % 2 == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        held.finish();
        assert_eq!(group.frame().await, Err(End::Fin));
        sleep(Duration::from_millis(20)).await;
        feed.whole_group(sequence + 2, &[b"next"]).await;
        loop {
            let mut group = subscription.group().await;
            match group.payloads().await {
                (payloads, End::Fin) => {
                    assert_eq!((group.sequence(), payloads), (sequence + 2, vec!["next".into()]));
                    break;
                }
                (_, end) => assert_eq!((group.sequence(), end), (sequence + 1, End::Reset(7))),
            }
        }
    }
}

async fn next(subscription: &mut Subscription) -> (u64, Vec<u8>, End) {
    let mut group = subscription.group().await;
    let (payloads, end) = group.payloads().await;
    (group.sequence(), payloads.concat(), end)
}

/// Bytes of memory this process holds.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
