//! A subscription starts where its dialect says, holds its bounds, and is answered as its dialect has it.

mod common;

use std::time::Duration;

use common::{
    End, INFO, Show, Subscription, VIDEO, World, dialect, every_dialect, every_pair, from, latest, live, settle,
    timestamp,
};
use moq_relay::{
    types::{Preferences, Start, code},
    wire::{Dialect, dialect::HopForm, lite::subscribe::Reply},
};
use tokio::time::sleep;

/// Sequences of the groups that have come, lowest first. Each is a whole one.
async fn sequences(subscription: &mut Subscription) -> Vec<u64> {
    settle().await;
    let mut sequences = Vec::new();
    while let Some(mut group) = subscription.try_group() {
        assert_eq!(group.rest().await.1, End::Fin);
        sequences.push(group.sequence());
    }
    sequences.sort_unstable();
    sequences
}

/// A show with these groups in its cache, a second of media and of clock apart; the clock stands at the last.
async fn with_groups(publisher: &'static Dialect, viewer: &'static Dialect, groups: &[u64]) -> Show {
    let mut show = Show::new(publisher, viewer).await;
    for (i, sequence) in groups.iter().enumerate() {
        if i > 0 {
            sleep(Duration::from_secs(1)).await;
        }
        let mut group = show.feed.group(*sequence).await;
        group.frame(i as u64 * INFO.timescale, b"x").await;
        group.finish();
    }
    settle().await;
    show
}

#[tokio::test(start_paused = true)]
async fn without_a_start_the_latest_group_comes_first() {
    for name in ["01", "02", "03", "04", "05"] {
        let mut show = with_groups(dialect("05"), dialect(name), &[4, 5, 6]).await;
        let viewer = show.world.peer(dialect(name));
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        assert_eq!(sequences(&mut subscription).await, [6], "{name}");
        show.feed.whole_group(7, &[b"y"]).await;
        show.feed.whole_group(3, &[b"y"]).await;
        assert_eq!(sequences(&mut subscription).await, [7], "{name}: nothing below where it began");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_viewer_without_a_start_brings_no_backlog_along() {
    for publisher in Dialect::every().filter(|dialect| dialect.starts_by_age) {
        for name in ["01", "02", "03", "04", "05"] {
            let mut show = Show::new(publisher, dialect(name)).await;
            let asked = &show.feed.subscribe.preferences;
            assert_eq!((asked.start, asked.max_age), (Start::Fresh { floor: 0 }, Some(Duration::ZERO)));
            let silence = tokio::time::timeout(Duration::from_secs(20), show.feed.update()).await;
            assert!(silence.is_err(), "nothing is widened before the start is settled");
            show.feed.whole_group(7, &[b"newest"]).await;
            let widened = show.feed.update().await.unwrap();
            assert!(widened.max_age > Some(Duration::from_secs(3000)), "{name}: {widened:?}");
            assert_eq!(sequences(&mut show.subscription).await, [7]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_past_is_served_from_the_cache() {
    for name in ["03", "04", "05"] {
        let show = with_groups(dialect("06"), dialect(name), &[4, 5, 6]).await;
        let viewer = show.world.peer(dialect(name));
        let mut subscription = viewer.subscribe("room/a", VIDEO, from(5)).await;
        assert_eq!(sequences(&mut subscription).await, [5, 6], "{name}");
        let mut subscription = viewer.subscribe("room/a", VIDEO, from(0)).await;
        assert_eq!(sequences(&mut subscription).await, [4, 5, 6], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_future_waits() {
    every_dialect(async |dialect| {
        if dialect.subscribe_update.is_none() {
            return; // a subscription has no bounds
        }
        let mut show = with_groups(dialect, dialect, &[4, 5]).await;
        let viewer = show.world.peer(dialect);
        let mut subscription = viewer.subscribe("room/a", VIDEO, from(7)).await;
        assert_eq!(sequences(&mut subscription).await, [0; 0]);
        for sequence in 6..9 {
            show.feed.whole_group(sequence, &[b"y"]).await;
        }
        assert_eq!(sequences(&mut subscription).await, [7, 8]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_lite_06_is_as_long_as_its_max_age() {
    for publisher in ["04", "05", "06"] {
        let show = with_groups(dialect(publisher), dialect("06"), &[2, 3, 4, 5]).await;
        let viewer = show.world.peer(dialect("06"));
        let rows = [(0, 0, vec![5]), (1500, 0, vec![4, 5]), (2000, 0, vec![3, 4, 5]), (2000, 4, vec![4, 5])];
        for (age, floor, expected) in rows {
            let preferences = Preferences {
                max_age: Some(Duration::from_millis(age)),
                start: Start::Fresh { floor },
                ..Preferences::default()
            };
            let mut subscription = viewer.subscribe("room/a", VIDEO, preferences).await;
            assert_eq!(subscription.reply().await, Ok(Reply::Start(expected[0])));
            assert_eq!(sequences(&mut subscription).await, expected, "max age {age}, floor {floor}, from {publisher}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn frame_bounds_cut_only_the_groups_they_name() {
    let mut show = Show::new(dialect("05"), dialect("06")).await;
    for sequence in 0..3 {
        show.feed.whole_group(sequence, &[b"0", b"1", b"2", b"3"]).await;
    }
    settle().await;
    let viewer = show.world.peer(dialect("06"));
    let bounds = Preferences { start_frame: 2, end: Some(2), end_frame: Some(0), ..from(0) };
    let mut subscription = viewer.subscribe("room/a", VIDEO, bounds).await;
    let mut got = Vec::new();
    for _ in 0..3 {
        let mut group = subscription.group().await;
        let (frames, end) = group.rest().await;
        assert_eq!(end, End::Fin);
        let first = frames[0].timestamp.unwrap();
        assert_eq!(first, timestamp(group.sequence(), group.header.frame_start), "times count from the first sent");
        let payloads = frames.iter().map(|frame| String::from_utf8(frame.payload.to_vec()).unwrap());
        got.push((group.sequence(), group.header.frame_start, payloads.collect::<String>()));
    }
    got.sort();
    assert_eq!(got, [(0, 2, "23".into()), (1, 0, "0123".into()), (2, 0, "0".into())]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_range_is_a_pause_that_an_update_lifts() {
    every_dialect(async |dialect| {
        if dialect.subscribe_update.is_none() {
            return; // a subscription has no bounds
        }
        let mut show = Show::new(dialect, dialect).await;
        let viewer = show.world.peer(dialect);
        let mut subscription = viewer.subscribe("room/a", VIDEO, Preferences { end: Some(1), ..from(0) }).await;
        for sequence in 0..5 {
            show.feed.whole_group(sequence, &[b"x"]).await;
        }
        assert_eq!(sequences(&mut subscription).await, [0, 1]);
        subscription.update(&Preferences { end: Some(3), ..from(0) }).await;
        assert_eq!(sequences(&mut subscription).await, [2, 3]);
        subscription.update(&from(0)).await;
        assert_eq!(sequences(&mut subscription).await, [4]);
        show.feed.whole_group(5, &[b"x"]).await;
        assert_eq!(sequences(&mut subscription).await, [5]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_update_may_reopen_older_groups_and_cuts_none() {
    every_dialect(async |dialect| {
        if dialect.subscribe_update.is_none() {
            return; // a subscription has no bounds
        }
        let mut show = with_groups(dialect, dialect, &[0, 1, 2, 3]).await;
        let viewer = show.world.peer(dialect);
        let mut subscription = viewer.subscribe("room/a", VIDEO, from(3)).await;
        assert_eq!(sequences(&mut subscription).await, [3]);
        subscription.update(&from(1)).await;
        assert_eq!(sequences(&mut subscription).await, [1, 2], "each once");
        subscription.update(&from(5)).await;
        let mut open = show.feed.group(5).await;
        show.feed.whole_group(4, &[b"x"]).await;
        let mut group = subscription.group().await;
        subscription.update(&from(6)).await;
        settle().await;
        open.frame(timestamp(5, 0), b"x").await;
        open.finish();
        assert_eq!((group.sequence(), group.rest().await.1), (5, End::Fin), "what has begun goes on");
        show.feed.whole_group(6, &[b"x"]).await;
        assert_eq!(sequences(&mut subscription).await, [6], "and nothing below the new start begins");
        subscription.update(&from(4)).await;
        assert_eq!(sequences(&mut subscription).await, [4]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_an_update_opens_first_is_named_as_the_start() {
    for name in ["05", "06"] {
        let mut show = Show::new(dialect(name), dialect(name)).await;
        let mut subscription = show.viewer.subscribe("room/a", VIDEO, from(9)).await;
        show.feed.whole_group(4, &[b"x"]).await;
        assert_eq!(sequences(&mut subscription).await, [0; 0]);
        subscription.update(&from(4)).await;
        assert_eq!(subscription.reply().await, Ok(Reply::Start(4)));
        assert_eq!(sequences(&mut subscription).await, [4]);
    }
}

#[tokio::test(start_paused = true)]
async fn groups_come_in_order_of_arrival_with_gaps_and_each_once() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let mut arrived = Vec::new();
        for sequence in [10, 12, 11, 12, 20] {
            show.feed.whole_group(sequence, &[b"x"]).await;
            settle().await;
            while let Some(mut group) = show.subscription.try_group() {
                assert_eq!(group.payloads().await, (vec!["x".into()], End::Fin));
                arrived.push(group.sequence());
            }
        }
        assert_eq!(arrived, [10, 12, 11, 20]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ok_comes_once_and_nothing_behind_it_and_start_before_end_before_fin() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let second = Preferences { priority: 200, ..live(viewer) };
        let mut late = show.viewer.subscribe("room/a", VIDEO, second).await;
        for sequence in 5..8 {
            show.feed.whole_group(sequence, &[b"x"]).await;
        }
        settle().await;
        show.feed.end(8).await;
        for (subscription, asked) in [(&mut show.subscription, 128), (&mut late, 200)] {
            if viewer.implicit_accept {
                assert_eq!(subscription.reply().await, Ok(Reply::Start(5)));
                assert!(matches!(subscription.reply().await, Ok(Reply::End { group: 8, .. })));
            } else {
                let asked = if viewer.name == "moq-lite-02" { 0 } else { asked };
                let ok = Reply::Ok { priority: asked, max_age: Duration::ZERO, start: None, end: None };
                assert_eq!(subscription.reply().await, Ok(ok));
            }
            assert_eq!(subscription.end().await, End::Fin);
            assert_eq!(sequences(subscription).await, [5, 6, 7]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_for_groups_on_their_way() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let mut open = show.feed.group(0).await;
        open.frame(0, b"one").await;
        show.subscription.reply().await.unwrap();
        let mut group = show.subscription.group().await;
        show.feed.end(1).await;
        sleep(Duration::from_millis(500)).await;
        open.frame(1000, b"two").await;
        open.finish();
        assert_eq!(group.payloads().await, (vec!["one".into(), "two".into()], End::Fin));
        if viewer.implicit_accept {
            assert!(matches!(show.subscription.reply().await, Ok(Reply::End { group: 1, .. })));
        }
        assert_eq!(show.subscription.end().await, End::Fin);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_announces_is_not_found_at_once() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        for absent in ["room/b", "room", "room/ab", ""] {
            let mut subscription = viewer.subscribe(absent, VIDEO, latest()).await;
            assert_eq!(subscription.end().await, End::Reset(code::NOT_FOUND), "{absent:?}");
        }
        let barred = world.connect(common::Door::new(dialect).subscribe(&["lobby"]));
        assert_eq!(barred.subscribe("room/a", VIDEO, latest()).await.end().await, End::Reset(code::NOT_FOUND));
        if dialect.track.is_some() {
            assert_eq!(viewer.track_info("room/b", VIDEO).await.read().await, Err(End::Reset(code::NOT_FOUND)));
        }
        assert_eq!(publisher.subscribes(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_path_below_an_announced_one_is_asked_of_its_announcer() {
    every_dialect(async |dialect| {
        let world = World::new();
        let _far = world.publisher(dialect, &["room"]).await;
        let near = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let _subscription = viewer.subscribe("room/a/b", VIDEO, latest()).await;
        assert_eq!(near.feed().await.subscribe.broadcast.as_str(), "room/a/b");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_served_from_themselves() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["mine"]).await;
        settle().await;
        let mut own = publisher.subscribe("mine", VIDEO, latest()).await;
        assert_eq!(own.end().await, End::Reset(code::UNROUTABLE));
        if dialect.hops != HopForm::Count {
            // Nor over a way around through another node.
            let other = world.publisher(dialect, &[]).await;
            let mut other = other;
            let hops: &[u64] = if dialect.hops == HopForm::ReceiverAppends { &[9] } else { &[9, other.hop.0] };
            other.announcer.active_over("theirs", hops, moq_relay::types::Cost::FREE).await;
            settle().await;
            let setup = moq_relay::wire::lite::setup::Setup { hop: moq_relay::types::HopId(9), ..Default::default() };
            if dialect.setup.is_some() {
                let nine = world.connect(common::Door::new(dialect).setup(setup));
                let mut around = nine.subscribe("theirs", VIDEO, latest()).await;
                assert_eq!(around.end().await, End::Reset(code::UNROUTABLE));
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_group_that_is_too_old_is_reset_and_the_newest_never() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let slow = show.world.peer(viewer);
        let age = Preferences { max_age: Some(Duration::from_secs(2)), ..latest() };
        let mut subscription = slow.subscribe("room/a", VIDEO, age).await;
        settle().await;
        // More than a stream takes without being read.
        let large = vec![7; 1 << 20];
        for sequence in 0..4 {
            let mut group = show.feed.group(sequence).await;
            group.frame(sequence * INFO.timescale, &large).await;
            group.finish();
            sleep(Duration::from_secs(1)).await;
        }
        let mut ends = Vec::new();
        for _ in 0..4 {
            let mut group = subscription.group().await;
            ends.push((group.sequence(), group.rest().await.1));
        }
        ends.sort_by_key(|(sequence, _)| *sequence);
        // Where a subscription has no age, none is too old.
        let oldest = if viewer.subscribe_update.is_some() { End::Reset(code::OLD) } else { End::Fin };
        let expected = [(0, oldest), (1, End::Fin), (2, End::Fin), (3, End::Fin)];
        assert_eq!(ends, expected);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_track_is_told_only_once_its_publisher_has() {
    for name in ["05", "06"] {
        let world = World::new();
        let publisher = world.publisher(dialect(name), &["room/a"]).await;
        *publisher.info.lock().unwrap() = None;
        settle().await;
        let viewer = world.peer(dialect(name));
        let (one, two) = (viewer.track_info("room/a", VIDEO).await, viewer.track_info("room/a", VIDEO).await);
        let asked = publisher.track_asked().await;
        sleep(Duration::from_secs(3)).await;
        asked.answer(INFO).await;
        assert_eq!((one.read().await, two.read().await), (Ok(INFO), Ok(INFO)));
        assert_eq!((publisher.tracks(), publisher.subscribes()), (1, 0), "asking is not watching");

        let refused = viewer.track_info("room/a", "missing").await;
        publisher.track_asked().await.out.reset(code::NOT_FOUND);
        assert_eq!(refused.read().await, Err(End::Reset(code::NOT_FOUND)));
    }
}
