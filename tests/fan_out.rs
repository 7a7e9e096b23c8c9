//! However many watch, a publisher is asked once, for what they all want together, and only while somebody does.

mod common;

use std::time::Duration;

use common::{End, Show, VIDEO, World, every_dialect, every_pair, from, latest, settle};
use moq_relay::types::{Preferences, Start};
use tokio::time::{Instant, sleep, timeout};

const LINGER: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn many_viewers_are_one_subscription_upstream() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let mut viewers = Vec::new();
        for _ in 0..30 {
            let viewer = show.world.peer(viewer);
            let subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
            viewers.push((viewer, subscription));
        }
        settle().await;
        for sequence in 0..3 {
            show.feed.whole_group(sequence, &[b"one", b"two"]).await;
        }
        for (_, subscription) in &mut viewers {
            let mut got = Vec::new();
            for _ in 0..3 {
                let mut group = subscription.group().await;
                assert_eq!(group.payloads().await, (vec!["one".into(), "two".into()], End::Fin));
                got.push(group.sequence());
            }
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2]);
        }
        assert_eq!((show.publisher.subscribes(), show.publisher.tracks()), (1, usize::from(publisher.track.is_some())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tracks_are_asked_for_one_by_one() {
    every_dialect(async |dialect| {
        let show = Show::new(dialect, dialect).await;
        let _audio = show.viewer.subscribe("room/a", "audio", latest()).await;
        let audio = show.publisher.feed().await.subscribe;
        assert_eq!((audio.track.as_str(), show.feed.subscribe.track.as_str()), ("audio", VIDEO));
        assert_ne!(audio.id, show.feed.subscribe.id);
        assert_eq!(show.publisher.subscribes(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announcing_alone_asks_for_nothing() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        let viewer = world.peer(dialect);
        viewer.announced("").await.next().await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!((publisher.subscribes(), publisher.tracks()), (0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_viewer_to_leave_is_outlived_by_the_linger() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let other = show.world.peer(dialect);
        let mut second = other.subscribe("room/a", VIDEO, latest()).await;
        show.feed.start(0).await;
        settle().await;
        show.subscription.leave();
        assert!(timeout(2 * LINGER, left(&mut show)).await.is_err(), "somebody still watches");
        let left_at = Instant::now();
        second.leave();
        left(&mut show).await;
        assert_eq!(left_at.elapsed().as_millis() / 10, LINGER.as_millis() / 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_leaves_its_subscriptions() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        settle().await;
        show.viewer.die();
        left(&mut show).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_back_within_the_linger_costs_nothing_and_finds_the_cache() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(0, &[b"cached"]).await;
        settle().await;
        show.subscription.leave();
        sleep(LINGER - Duration::from_millis(100)).await;
        let mut back = show.viewer.subscribe("room/a", VIDEO, latest()).await;
        assert_eq!(back.group().await.payloads().await, (vec!["cached".into()], End::Fin));
        assert!(timeout(3 * LINGER, left(&mut show)).await.is_err());
        show.feed.whole_group(1, &[b"live"]).await;
        assert_eq!(back.group().await.payloads().await, (vec!["live".into()], End::Fin));
        assert_eq!(show.publisher.subscribes(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_back_after_the_linger_is_asked_for_anew() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        settle().await;
        show.subscription.leave();
        left(&mut show).await;
        let mut back = show.viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = show.publisher.feed().await;
        assert_ne!(feed.subscribe.id, show.feed.subscribe.id, "ids are never used again");
        feed.whole_group(0, &[b"new"]).await;
        assert_eq!(back.group().await.payloads().await, (vec!["new".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn upstream_wants_what_all_viewers_want_together() {
    every_dialect(async |dialect| {
        if dialect.subscribe_update.is_none() {
            return; // a subscription is a priority and nothing else
        }
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let second = Duration::from_secs(1);
        let one = Preferences { priority: 5, max_age: Some(second), end: Some(20), ..from(10) };
        let _one = viewer.subscribe("room/a", VIDEO, one).await;
        let mut feed = publisher.feed().await;
        let asked = feed.subscribe.preferences.clone();
        assert_eq!((asked.priority, asked.max_age, asked.end), (5, Some(second), Some(20)));
        assert_eq!(start(&asked), 10);

        let two = Preferences { priority: 9, max_age: Some(3 * second), end: Some(30), ..from(7) };
        let mut two_subscription = viewer.subscribe("room/a", VIDEO, two.clone()).await;
        let three = Preferences { priority: 1, max_age: Some(2 * second), ..from(8) };
        // moq-lite "SUBSCRIBE_UPDATE": publishers of 03 and 04 may fail on any byte after SUBSCRIBE.
        if !matches!(dialect.name, "moq-lite-03" | "moq-lite-04") {
            let merged = feed.update().await.unwrap();
            assert_eq!((merged.priority, merged.max_age, merged.end), (9, Some(3 * second), Some(30)));
            assert_eq!(start(&merged), 7);
            let _three = viewer.subscribe("room/a", VIDEO, three).await;
            assert_eq!(feed.update().await.unwrap().end, None, "open if anybody left it open");
            two_subscription.update(&Preferences { priority: 77, ..two }).await;
            assert_eq!(feed.update().await.unwrap().priority, 77);
            two_subscription.leave();
            let merged = feed.update().await.unwrap();
            assert_eq!((merged.priority, start(&merged)), (5, 8));
        } else {
            let _three = viewer.subscribe("room/a", VIDEO, three).await;
            two_subscription.update(&Preferences { priority: 77, ..two }).await;
            two_subscription.leave();
            let silent = timeout(Duration::from_secs(20), feed.update()).await;
            assert!(silent.is_err(), "{silent:?}");
        }
        assert_eq!(publisher.subscribes(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn viewers_who_want_the_same_cause_no_update() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(3, &[b"x"]).await;
        let mut more = Vec::new();
        for _ in 0..5 {
            more.push(show.viewer.subscribe("room/a", VIDEO, latest()).await);
        }
        settle().await;
        more.iter_mut().for_each(common::Subscription::leave);
        assert!(timeout(Duration::from_secs(20), show.feed.update()).await.is_err());
    })
    .await;
}

fn start(preferences: &Preferences) -> u64 {
    match preferences.start {
        Start::At(start) | Start::Fresh { floor: start } => start,
        Start::Latest => panic!("no start"),
    }
}

/// The relay unsubscribes, cleanly.
async fn left(show: &mut Show) {
    loop {
        match show.feed.update().await {
            Ok(_) => {}
            Err(end) => return assert_eq!(end, End::Fin),
        }
    }
}
