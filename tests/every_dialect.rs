//! Whatever a publisher and a viewer speak, what is published is what is watched.

mod common;

use std::time::Duration;

use common::{
    End, Event, INFO, Peer, Show, Socket, Subscription, TestRelay, VIDEO, every_pair, latest, live, settle, timestamp,
};
use futures::StreamExt;
use moq_relay::{
    types::{TrackInfo, code},
    wire::{
        Dialect,
        dialect::{HopForm, Replace},
        integer::Form,
        lite::{group::Framing, subscribe::Reply},
    },
};
use tokio::time::sleep;

/// More than one packet, one burst and one slab.
fn large() -> Vec<u8> {
    (0..100_000u32).map(|i| (i % 251) as u8).collect()
}

/// The tests ask what a dialect can do; that it can is fixed here, by name (moq-lite, "version difference matrix").
#[test]
fn dialects_can_do_what_was_published() {
    use Form::{LeadingOnes, Quic};
    use HopForm::{Absent, Count, ReceiverAppends, SenderAppends};
    use Replace::{Again, Restart, Retract};
    let (yes, no) = (true, false);
    // In-band SETUP and ANNOUNCE_INIT went together. SETUP, ANNOUNCE_OK, TRACK, FETCH, datagrams, START/END and UPDATE came
    // together. Then PROBE, GOAWAY, costs, timestamps, frame starts, likeness.
    let table = [
        ("moq-lite-07-wip", [no; 2], [yes; 7], [yes, yes, yes, yes, yes, yes], ReceiverAppends, Restart, LeadingOnes),
        ("moq-lite-06", [no; 2], [yes; 7], [yes, yes, yes, yes, yes, no], ReceiverAppends, Restart, Quic),
        ("moq-lite-05", [no; 2], [yes; 7], [yes, yes, no, yes, no, no], ReceiverAppends, Again, Quic),
        ("moq-lite-04", [no; 2], [no; 7], [yes, yes, no, no, no, no], SenderAppends, Retract, Quic),
        ("moq-lite-03", [no; 2], [no; 7], [yes, no, no, no, no, no], Count, Retract, Quic),
        ("moq-lite-02", [yes; 2], [no; 7], [no; 6], Absent, Retract, Quic),
        ("moq-lite-01", [yes; 2], [no; 7], [no; 6], Absent, Retract, Quic),
    ];
    let can = Dialect::every().map(|d| {
        let until_02 = [d.in_band, d.announce_init.is_some()];
        let (setup, ok, track) = (d.setup.is_some(), d.announce_ok.is_some(), d.track.is_some());
        let since_05 = [setup, ok, track, d.fetch.is_some(), d.datagrams, d.implicit_accept, d.send_updates];
        let Framing { timestamps, frame_start, integers } = d.framing;
        let (probe, goaway) = (d.probe.is_some(), d.goaway.is_some());
        let one_by_one = [probe, goaway, d.costs, timestamps, frame_start, d.likeness];
        (d.name, until_02, since_05, one_by_one, d.hops, d.replace, integers)
    });
    assert_eq!(can.collect::<Vec<_>>(), table);
    assert_eq!(Dialect::ALL.len(), 6, "the unfinished one is not offered by default");
}

#[tokio::test(start_paused = true)]
async fn a_group_arrives_as_it_was_sent() {
    every_pair(async |publisher, viewer| {
        let Show { mut feed, mut subscription, world: _world, publisher: _publisher, viewer: _viewer } =
            Show::new(publisher, viewer).await;
        let large = large();
        let frames: [&[u8]; 5] = [b"key", b"", &large, b"", b"last"];
        feed.whole_group(7, &frames).await;

        accepted(&mut subscription, viewer, 7).await;
        let mut group = subscription.group().await;
        assert_eq!((group.sequence(), group.header.frame_start), (7, 0));
        let (payloads, end) = group.payloads().await;
        assert_eq!((payloads.as_slice(), end), (&frames.map(bytes::Bytes::copy_from_slice)[..], End::Fin));

        feed.end(8).await;
        ended(&mut subscription, viewer, 8).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn groups_without_frames_exist() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        show.feed.whole_group(0, &[]).await;
        show.feed.whole_group(1, &[b""]).await;
        let mut ends = Vec::new();
        for _ in 0..2 {
            let mut group = show.subscription.group().await;
            ends.push((group.sequence(), group.payloads().await));
        }
        ends.sort_by_key(|(sequence, _)| *sequence);
        assert_eq!(ends, [(0, (vec![], End::Fin)), (1, (vec![bytes::Bytes::new()], End::Fin))]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_live_group_is_passed_on_while_it_grows() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let large = large();
        let mut sent = show.feed.group(0).await;
        sent.frame(0, b"one").await;
        let mut group = show.subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"one");

        // Half of a frame is there before the other half exists.
        sent.begin(1000, large.len()).await;
        sent.payload(&large[..50_000]).await;
        assert_eq!(group.begin().await.unwrap().1, large.len());
        assert_eq!(group.reader.bytes(50_000).await.unwrap(), large[..50_000]);
        sent.payload(&large[50_000..]).await;
        assert_eq!(group.reader.bytes(50_000).await.unwrap(), large[50_000..]);

        sent.finish();
        assert_eq!(group.rest().await, (vec![], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_viewer_gets_the_live_group_from_its_first_frame() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        show.feed.whole_group(0, &[b"old"]).await;
        sleep(Duration::from_millis(10)).await;
        let mut sent = show.feed.group(1).await;
        sent.frame(timestamp(1, 0), b"first").await;
        sent.frame(timestamp(1, 1), b"second").await;
        settle().await;

        let late = show.world.peer(viewer);
        let mut subscription = late.subscribe("room/a", VIDEO, live(viewer)).await;
        accepted(&mut subscription, viewer, 1).await;
        let mut group = subscription.group().await;
        assert_eq!(group.sequence(), 1);
        assert_eq!(&group.frame().await.unwrap().payload[..], b"first");
        assert_eq!(&group.frame().await.unwrap().payload[..], b"second");
        sent.frame(timestamp(1, 2), b"third").await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"third");
        sent.finish();
        assert_eq!(group.rest().await, (vec![], End::Fin));
        assert!(subscription.try_group().is_none(), "the old group was not asked for");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announcements_come_and_go() {
    every_pair(async |publisher, viewer| {
        let world = common::World::new();
        let viewer = world.peer(viewer);
        let mut announced = viewer.announced("").await;
        let mut publisher = world.publisher(publisher, &["room/a"]).await;
        assert_eq!(announced.next().await.kind(), ("active", "room/a"));
        publisher.announcer.ended("room/a").await;
        assert_eq!(announced.next().await, Event::Ended("room/a".into()));
        publisher.announcer.active("room/a").await;
        assert_eq!(announced.next().await.kind(), ("active", "room/a"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_reaches_nobody_else() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let other = show.world.peer(viewer);
        let mut leaving = other.subscribe("room/a", VIDEO, latest()).await;
        let mut sent = show.feed.group(0).await;
        sent.frame(0, b"one").await;
        accepted(&mut leaving, viewer, 0).await;
        let mut cut = leaving.group().await;
        assert_eq!(&cut.frame().await.unwrap().payload[..], b"one");

        leaving.leave();
        assert_eq!(leaving.end().await, End::Fin, "a clean unsubscribe is answered in kind");
        assert!(matches!(cut.frame().await, Err(End::Reset(_))), "what is in flight is cut, not finished");

        sent.frame(1000, b"two").await;
        sent.finish();
        let mut group = show.subscription.group().await;
        assert_eq!(group.payloads().await, (vec!["one".into(), "two".into()], End::Fin));
        show.feed.whole_group(1, &[b"three"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["three".into()], End::Fin));
        assert_eq!(show.publisher.subscribes(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_publisher_is_a_reset_and_never_an_end() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let mut announced = show.viewer.announced("room").await;
        assert_eq!(announced.next().await.kind(), ("active", "a"));
        show.feed.whole_group(0, &[b"whole"]).await;
        let mut sent = show.feed.group(1).await;
        sent.frame(timestamp(1, 0), b"one").await;
        accepted(&mut show.subscription, viewer, 0).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["whole".into()], End::Fin));
        let mut group = show.subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"one");

        show.publisher.die();
        assert_eq!(group.frame().await, Err(End::Reset(code::SESSION_CLOSED)));
        assert_eq!(show.subscription.end().await, End::Reset(code::SESSION_CLOSED));
        assert_eq!(announced.next().await, Event::Ended("a".into()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn timestamps_are_carried_or_made_up() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let carried = publisher.framing.timestamps;
        let times = [5_000_000, 5_040_000, 5_030_000, 5_080_000];
        let mut sent = show.feed.group(0).await;
        for time in times {
            sent.frame(time, b"x").await;
            sleep(Duration::from_millis(40)).await;
        }
        sent.finish();
        let (frames, end) = show.subscription.group().await.rest().await;
        assert_eq!(end, End::Fin);
        let got: Vec<_> = frames.iter().map(|frame| frame.timestamp).collect();
        match (carried, viewer.framing.timestamps) {
            (_, false) => assert_eq!(got, [None; 4]),
            (true, true) => assert_eq!(got, times.map(Some)),
            (false, true) => {
                let steps: Vec<_> = got.windows(2).map(|pair| pair[1].unwrap() - pair[0].unwrap()).collect();
                assert_eq!(steps, [40; 3], "milliseconds of arrival");
            }
        }
        if viewer.track.is_some() {
            let expected = if carried { INFO } else { TrackInfo::ASSUMED };
            assert_eq!(show.viewer.track_info("room/a", VIDEO).await.read().await, Ok(expected));
        }
    })
    .await;
}

/// Every door with each dialect, as publisher and as viewer. Side by side: old dialects end a track after a grace period.
#[tokio::test]
async fn all_of_it_works_through_every_door() {
    let relay = &TestRelay::everywhere().await;
    let ring = Socket::ALL.iter().zip(Socket::ALL.iter().cycle().skip(1));
    let doors = ring.flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
    let cases = Dialect::every().flat_map(|dialect| doors.clone().map(move |doors| (dialect, doors)));
    let shows = cases.enumerate().map(async |(case, (dialect, (from, to)))| {
        let room = format!("room-{case}");
        let path = format!("{room}/a");
        let viewer = relay.peer(to, dialect).await;
        let mut announced = viewer.announced(&room).await;
        let publisher = relay.publisher(from, dialect, &[&path]).await;
        assert_eq!(announced.next().await.kind(), ("active", "a"));
        socket_show(relay, to, &publisher, &viewer, &path).await;
        publisher.die();
        assert_eq!(announced.next().await, Event::Ended("a".into()));
        eprintln!("{} from {from:?} to {to:?}", dialect.name);
    });
    let done = futures::stream::iter(shows).buffer_unordered(16).count().await;
    assert_eq!(done, 7 * 16);
}

async fn socket_show(relay: &TestRelay, to: Socket, publisher: &Peer, viewer: &Peer, path: &str) {
    let dialect = viewer.dialect;
    let mut subscription = viewer.subscribe(path, VIDEO, latest()).await;
    let mut feed = publisher.feed().await;
    let large = large();
    feed.whole_group(0, &[b"key", b"", &large, b"last"]).await;
    accepted(&mut subscription, dialect, 0).await;
    let (payloads, end) = subscription.group().await.payloads().await;
    assert_eq!((payloads.concat(), end), ([&b"key"[..], &large, b"last"].concat(), End::Fin));

    // Somebody joins inside of a group, and leaves again.
    let mut sent = feed.group(1).await;
    sent.frame(timestamp(1, 0), b"live").await;
    let mut group = subscription.group().await;
    assert_eq!(&group.frame().await.unwrap().payload[..], b"live");
    let late = relay.peer(to, dialect).await;
    let mut joining = late.subscribe(path, VIDEO, live(dialect)).await;
    let mut joined = joining.group().await;
    assert_eq!((joined.sequence(), &joined.frame().await.unwrap().payload[..]), (1, &b"live"[..]));
    accepted(&mut joining, dialect, 1).await;
    joining.leave();
    assert_eq!(joining.end().await, End::Fin);
    assert!(matches!(joined.frame().await, Err(End::Reset(_))));

    sent.reset(0x47);
    assert_eq!(group.frame().await, Err(End::Reset(0x47)), "codes survive every mapping");
    feed.end(2).await;
    ended(&mut subscription, dialect, 2).await;
}

/// The answer to SUBSCRIBE: one OK, or the first group that will come.
async fn accepted(subscription: &mut Subscription, viewer: &Dialect, first: u64) {
    match subscription.reply().await {
        Ok(Reply::Ok { priority, .. }) if !viewer.implicit_accept => {
            let told = viewer.name != "moq-lite-02";
            assert_eq!(priority, if told { latest().priority } else { 0 });
        }
        Ok(Reply::Start(start)) if viewer.implicit_accept => assert_eq!(start, first),
        reply => panic!("{reply:?}"),
    }
}

/// The end of a track: named before it comes, where the dialect names it.
async fn ended(subscription: &mut Subscription, viewer: &Dialect, end: u64) {
    if viewer.implicit_accept {
        let reply = subscription.reply().await.unwrap();
        assert!(matches!(reply, Reply::End { group, .. } if group == end), "{reply:?}");
    }
    assert_eq!(subscription.end().await, End::Fin);
}
