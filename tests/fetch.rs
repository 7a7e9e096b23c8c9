//! A group by number: from the cache when it is there, else from its publisher, else a clear no.

mod common;

use std::time::Duration;

use common::{End, Frame, Peer, Show, VIDEO, World, dialect, settle, timestamp};
use moq_relay::{
    types::{FrameRange, code},
    wire::Dialect,
};
use tokio::time::{Instant, sleep};

const WHOLE: FrameRange = FrameRange { start: 0, end: None };

/// The dialects that can fetch.
async fn every_fetcher<F: Future<Output = ()>>(test: impl Fn(&'static Dialect) -> F) {
    for dialect in Dialect::ALL.iter().filter(|dialect| dialect.fetch.is_some()) {
        eprintln!("-- {}", dialect.name);
        test(dialect).await;
    }
}

async fn fetch(viewer: &Peer, group: u64, frames: FrameRange) -> (String, End) {
    let (frames, end) = viewer.fetch("room/a", VIDEO, group, frames).await.group.rest().await;
    (text(&frames), end)
}

fn text(frames: &[Frame]) -> String {
    frames.iter().map(|frame| String::from_utf8(frame.payload.to_vec()).unwrap() + ".").collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_cached_is_not_asked_for_again() {
    every_fetcher(async |viewer| {
        for publisher in Dialect::ALL {
            let mut show = Show::new(publisher, viewer).await;
            show.feed.whole_group(4, &[b"a", b"", b"c"]).await;
            show.feed.whole_group(5, &[]).await;
            settle().await;
            assert_eq!(fetch(&show.viewer, 4, WHOLE).await, ("a..c.".into(), End::Fin));
            assert_eq!(fetch(&show.viewer, 5, WHOLE).await, (String::new(), End::Fin));
            let mut fetched = show.viewer.fetch("room/a", VIDEO, 4, WHOLE).await;
            let times = fetched.group.rest().await.0.iter().map(|f| f.timestamp.unwrap()).collect::<Vec<_>>();
            if publisher.framing.timestamps {
                assert_eq!(times, [timestamp(4, 0), timestamp(4, 1), timestamp(4, 2)]);
            }
            assert_eq!((show.publisher.fetches(), show.publisher.subscribes()), (0, 1));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_range_of_frames_is_cut_out_here() {
    let mut show = Show::new(dialect("05"), dialect("06")).await;
    show.feed.whole_group(4, &[b"0", b"1", b"2", b"3"]).await;
    settle().await;
    let range = |start, end| FrameRange { start, end };
    let rows =
        [(range(1, Some(2)), "1.2."), (range(2, None), "2.3."), (range(0, Some(0)), "0."), (range(3, Some(9)), "3.")];
    for (range, expected) in rows {
        assert_eq!(fetch(&show.viewer, 4, range).await, (expected.into(), End::Fin), "{range:?}");
    }
    let (frames, _) = show.viewer.fetch("room/a", VIDEO, 4, range(2, None)).await.group.rest().await;
    assert_eq!(frames[0].timestamp, Some(timestamp(4, 2)), "times count from the first sent");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_cached_is_fetched_once_and_passed_on_as_it_comes() {
    every_fetcher(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let mut fetched = viewer.fetch("room/a", VIDEO, 7, WHOLE).await;
        let asked = publisher.fetch_asked().await;
        assert_eq!((asked.request.broadcast.as_str(), asked.request.track.as_str()), ("room/a", VIDEO));
        assert_eq!((asked.request.group, asked.request.priority, asked.request.frames), (7, 9, WHOLE));
        let mut sent = asked.group();
        sent.frame(timestamp(7, 0), b"one").await;
        assert_eq!(&fetched.group.frame().await.unwrap().payload[..], b"one");
        sent.frame(timestamp(7, 1), b"two").await;
        sent.finish();
        let (rest, end) = fetched.group.rest().await;
        assert_eq!((text(&rest), end), ("two.".into(), End::Fin));
        assert_eq!(rest[0].timestamp, Some(timestamp(7, 1)));

        assert_eq!(fetch(&viewer, 7, WHOLE).await, ("one.two.".into(), End::Fin));
        assert_eq!((publisher.fetches(), publisher.subscribes()), (1, 0), "fetching is not watching");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_range_asks_upstream_for_the_whole_group() {
    let world = World::new();
    let publisher = world.publisher(dialect("06"), &["room/a"]).await;
    settle().await;
    let viewer = world.peer(dialect("06"));
    let mut fetched = viewer.fetch("room/a", VIDEO, 0, FrameRange { start: 1, end: Some(1) }).await;
    let asked = publisher.fetch_asked().await;
    assert_eq!(asked.request.frames, WHOLE);
    let mut sent = asked.group();
    for (i, frame) in [b"0", b"1", b"2"].iter().enumerate() {
        sent.frame(i as u64, *frame).await;
    }
    let (frames, end) = fetched.group.rest().await;
    assert_eq!((text(&frames), end), ("1.".into(), End::Fin), "without waiting for what was not asked for");
}

#[tokio::test(start_paused = true)]
async fn an_empty_group_is_an_end_without_a_frame() {
    every_fetcher(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let mut fetched = viewer.fetch("room/a", VIDEO, 0, WHOLE).await;
        publisher.fetch_asked().await.group().finish();
        assert_eq!(fetched.group.rest().await, (vec![], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_live_group_is_fetched_while_it_grows() {
    every_fetcher(async |viewer| {
        for publisher in Dialect::ALL {
            let mut show = Show::new(publisher, viewer).await;
            let mut sent = show.feed.group(0).await;
            sent.frame(0, b"one").await;
            settle().await;
            let mut fetched = show.viewer.fetch("room/a", VIDEO, 0, WHOLE).await;
            assert_eq!(&fetched.group.frame().await.unwrap().payload[..], b"one");
            sent.frame(1000, b"two").await;
            assert_eq!(&fetched.group.frame().await.unwrap().payload[..], b"two");
            sent.reset(0x50);
            assert_eq!(fetched.group.frame().await, Err(End::Reset(0x50)));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_is_not_found() {
    every_fetcher(async |viewer| {
        let world = World::new();
        let stranger = world.peer(viewer);
        assert_eq!(fetch(&stranger, 0, WHOLE).await, (String::new(), End::Reset(code::NOT_FOUND)));
        for publisher in Dialect::ALL.iter().filter(|dialect| dialect.fetch.is_none()) {
            let mut show = Show::new(publisher, viewer).await;
            show.feed.whole_group(5, &[b"x"]).await;
            settle().await;
            let started = Instant::now();
            assert_eq!(fetch(&show.viewer, 4, WHOLE).await, (String::new(), End::Reset(code::NOT_FOUND)));
            assert!(started.elapsed() < Duration::from_secs(1), "at once");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_passed_on_and_not_remembered() {
    every_fetcher(async |dialect| {
        let show = Show::new(dialect, dialect).await;
        for refusal in [code::NOT_FOUND, 0x60] {
            let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
            show.publisher.fetch_asked().await.refuse(refusal);
            assert_eq!(fetched.group.rest().await, (vec![], End::Reset(refusal)));
        }
        let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
        let mut sent = show.publisher.fetch_asked().await.group();
        sent.frame(0, b"there").await;
        sent.finish();
        let (frames, end) = fetched.group.rest().await;
        assert_eq!((text(&frames), end), ("there.".into(), End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_breaks_off_is_reset_and_fetched_anew_next_time() {
    every_fetcher(async |dialect| {
        let show = Show::new(dialect, dialect).await;
        let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
        let mut sent = show.publisher.fetch_asked().await.group();
        sent.frame(0, b"half").await;
        assert_eq!(&fetched.group.frame().await.unwrap().payload[..], b"half");
        sent.reset(0x61);
        assert_eq!(fetched.group.frame().await, Err(End::Reset(0x61)));

        let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
        let mut sent = show.publisher.fetch_asked().await.group();
        sent.frame(0, b"whole").await;
        sent.finish();
        let (frames, end) = fetched.group.rest().await;
        assert_eq!((text(&frames), end), ("whole.".into(), End::Fin));

        let mut fetched = show.viewer.fetch("room/a", VIDEO, 10, WHOLE).await;
        let mut sent = show.publisher.fetch_asked().await.group();
        sent.frame(0, b"half").await;
        fetched.group.frame().await.unwrap();
        show.publisher.die();
        assert_eq!(fetched.group.frame().await, Err(End::Reset(code::SESSION_CLOSED)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_never_answers_is_a_timeout() {
    every_fetcher(async |dialect| {
        let show = Show::new(dialect, dialect).await;
        let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
        let _asked = show.publisher.fetch_asked().await;
        assert_eq!(fetched.group.rest().await, (vec![], End::Reset(code::TIMEOUT)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_requester_that_leaves_is_answered_with_a_reset() {
    every_fetcher(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut fetched = show.viewer.fetch("room/a", VIDEO, 9, WHOLE).await;
        let _asked = show.publisher.fetch_asked().await;
        fetched.out.finish();
        assert!(matches!(fetched.group.rest().await, (frames, End::Reset(_)) if frames.is_empty()));
        show.feed.whole_group(0, &[b"x"]).await;
        assert_eq!(show.subscription.group().await.payloads().await.1, End::Fin);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn fetching_keeps_a_group_in_the_cache() {
    every_fetcher(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(0, &[b"kept"]).await;
        show.feed.whole_group(1, &[b"gone"]).await;
        for sequence in 2..8 {
            // Less than the publisher's max age, many times.
            sleep(Duration::from_secs(15)).await;
            assert_eq!(fetch(&show.viewer, 0, WHOLE).await, ("kept.".into(), End::Fin));
            show.feed.whole_group(sequence, &[b"x"]).await;
        }
        assert_eq!(show.publisher.fetches(), 0);
        let _gone = show.viewer.fetch("room/a", VIDEO, 1, WHOLE).await;
        assert_eq!(show.publisher.fetch_asked().await.request.group, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_does_not_move_the_live_edge() {
    every_fetcher(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(5, &[b"live"]).await;
        settle().await;
        let mut fetched = show.viewer.fetch("room/a", VIDEO, 50, WHOLE).await;
        let mut sent = show.publisher.fetch_asked().await.group();
        sent.frame(timestamp(50, 0), b"far").await;
        sent.finish();
        fetched.group.rest().await;
        let viewer = show.world.peer(dialect);
        let mut subscription = viewer.subscribe("room/a", VIDEO, common::live(dialect)).await;
        assert_eq!(subscription.group().await.sequence(), 5);
    })
    .await;
}
