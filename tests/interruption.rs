//! Whatever breaks off, breaks off for those concerned, with its code, and never looks like an end.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{
    Door, End, Peer, Reader, Show, Socket, Subscription, TestRelay, VIDEO, World, dialect, every_dialect, latest, raw,
    settle,
};
use moq_relay::{
    model::track::Log,
    types::code,
    wire::{
        dialect::Replace,
        lite::{close, group::Header, stream, subscribe::Reply},
    },
};
use tokio::time::{sleep, timeout};

/// Opens a stream, says this, and tells how the relay ends it.
async fn answer_to(peer: &Peer, bytes: &[&[u8]]) -> End {
    let (mut out, recv) = peer.conn.open_bi().await.unwrap();
    out.write(raw(bytes)).await.unwrap();
    common::soon(Reader::new(recv, peer.dialect).end()).await
}

/// Opens a one-way stream, says this, and tells with which code the relay stops it.
async fn stop_of(peer: &Peer, bytes: &[&[u8]]) -> Option<u32> {
    let mut out = peer.conn.open_uni().await.unwrap();
    out.write(raw(bytes)).await.unwrap();
    common::soon(out.stopped()).await.unwrap()
}

/// How a subscription ends, whether it was accepted before or not.
async fn refusal(subscription: &mut Subscription) -> End {
    match subscription.reply().await {
        Ok(Reply::Ok { .. }) => subscription.end().await,
        other => other.unwrap_err(),
    }
}

/// Whether a subscription of this peer is served.
async fn is_served(peer: &Peer, show: &mut Show, sequence: u64) -> bool {
    let mut subscription = peer.subscribe("room/a", VIDEO, latest()).await;
    settle().await;
    show.feed.whole_group(sequence, &[b"fine"]).await;
    loop {
        let mut group = subscription.group().await;
        let payloads = group.payloads().await;
        if group.sequence() == sequence {
            subscription.leave();
            return payloads == (vec!["fine".into()], End::Fin);
        }
    }
}

#[tokio::test]
async fn a_publisher_killed_in_the_middle_of_a_group_is_a_reset_on_real_sockets() {
    every_dialect(async |dialect| {
        for socket in [Socket::Raw, Socket::Web] {
            let relay = TestRelay::start().await;
            let publisher = relay.publisher(socket, dialect, &["room/a"]).await;
            let viewer = relay.peer(socket, dialect).await;
            viewer.announced("").await.next().await;
            let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
            let mut feed = publisher.feed().await;
            let mut sent = feed.group(0).await;
            sent.begin(0, 1000).await;
            sent.payload(&[7; 500]).await;
            subscription.reply().await.unwrap();
            let mut group = subscription.group().await;
            assert_eq!(group.begin().await.unwrap().1, 1000);
            assert_eq!(common::soon(group.reader.bytes(500)).await.unwrap(), [7; 500][..]);
            publisher.die();
            assert_eq!(group.rest().await, (vec![], End::Reset(code::SESSION_CLOSED)), "{socket:?}");
            assert_eq!(subscription.end().await, End::Reset(code::SESSION_CLOSED), "{socket:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_its_publisher_resets_is_reset_with_the_same_code_and_alone() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut sent = show.feed.group(0).await;
        sent.frame(0, b"one").await;
        let mut group = show.subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"one");
        sent.reset(0x4d);
        assert_eq!(group.frame().await, Err(End::Reset(0x4d)));
        show.feed.whole_group(1, &[b"two"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["two".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_ends_inside_a_frame_is_cut_short() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut sent = show.feed.group(0).await;
        sent.begin(0, 10).await;
        sent.payload(b"half").await;
        let mut group = show.subscription.group().await;
        sent.finish();
        assert_eq!(group.frame().await, Err(End::Reset(code::MALFORMED)));
        show.feed.whole_group(1, &[b"two"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["two".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_stops_a_group_stops_that_group_alone() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let other = show.world.peer(dialect);
        let mut others = other.subscribe("room/a", VIDEO, latest()).await;
        settle().await;
        let (mut first, mut second) = (show.feed.group(0).await, show.feed.group(1).await);
        first.frame(0, b"one").await;
        second.frame(1000, b"two").await;
        let (mut a, mut b) = (show.subscription.group().await, show.subscription.group().await);
        if a.sequence() > b.sequence() {
            std::mem::swap(&mut a, &mut b);
        }
        a.frame().await.unwrap();
        a.reader.stop(code::CANCELLED);
        for sent in [&mut first, &mut second] {
            sent.frame(2000, b"more").await;
        }
        assert!(matches!(a.frame().await, Err(End::Reset(_)) | Ok(_)));
        first.finish();
        second.finish();
        assert_eq!(b.payloads().await, (vec!["two".into(), "more".into()], End::Fin));
        let mut got = [others.group().await.payloads().await, others.group().await.payloads().await];
        got.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(got[0], (vec!["one".into(), "more".into()], End::Fin), "others have it whole");
        show.feed.whole_group(2, &[b"three"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["three".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_read_is_refused_alone() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let peer = show.world.peer(dialect);
        let deep = "a/".repeat(33);
        let deep = [&[deep.len() as u8 | 0x40, deep.len() as u8][1..], deep.as_bytes()].concat();
        let mut kinds = vec![stream::ANNOUNCE, stream::SUBSCRIBE];
        kinds.extend(dialect.track.map(|_| stream::TRACK));
        kinds.extend(dialect.fetch.map(|_| stream::FETCH));
        for kind in kinds {
            let kind = [kind as u8];
            let id: &[u8] = if kind == [stream::SUBSCRIBE as u8] { &[0] } else { &[] };
            let body = [id, &deep].concat();
            let deep = [&[0x40 | (body.len() >> 8) as u8, body.len() as u8][..], &body].concat();
            let long_integer = [0x80, 0, 0x40, 1]; // 16 KiB and a byte
            let no_text = [3, 2, 0xff, 0xff];
            let bad: [&[u8]; 4] = [&[1, 0xff], &no_text, &long_integer, &deep];
            for bytes in bad {
                let end = answer_to(&peer, &[&kind, bytes]).await;
                assert_eq!(end, End::Reset(code::MALFORMED), "{kind:?} {bytes:x?}");
            }
        }
        assert!(is_served(&peer, &mut show, 0).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn streams_of_unknown_types_are_refused_and_the_session_lives() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let peer = show.world.peer(dialect);
        let mut unknown = vec![0x0, 0x7, 0x20];
        unknown.extend(dialect.probe.is_none().then_some(stream::PROBE as u8));
        unknown.extend(dialect.track.is_none().then_some(stream::TRACK as u8));
        unknown.extend(dialect.fetch.is_none().then_some(stream::FETCH as u8));
        unknown.extend(dialect.goaway.is_none().then_some(stream::GOAWAY as u8));
        for kind in unknown {
            assert_eq!(answer_to(&peer, &[&[kind]]).await, End::Reset(code::INTERNAL), "{kind}");
        }
        assert_eq!(stop_of(&peer, &[&[0x9]]).await, Some(code::INTERNAL));
        if dialect.setup.is_none() {
            assert_eq!(stop_of(&peer, &[&[stream::SETUP as u8]]).await, Some(code::INTERNAL));
        }
        assert!(is_served(&peer, &mut show, 0).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_update_ends_its_subscription_alone() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut other = show.viewer.subscribe("room/a", VIDEO, latest()).await;
        other.out.write(Bytes::from_static(&[1, 9])).await.unwrap();
        if dialect.subscribe_update.is_some() {
            assert_eq!(refusal(&mut other).await, End::Reset(code::MALFORMED));
        } else {
            // No version agrees on what an update is there, so what comes is skipped.
            show.feed.start(0).await;
            assert!(matches!(other.reply().await, Ok(Reply::Ok { .. })));
            other.out.finish();
            assert_eq!(other.end().await, End::Fin);
        }
        show.feed.whole_group(0, &[b"on"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["on".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_answer_ends_its_track_alone() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut other = show.viewer.subscribe("room/a", "audio", latest()).await;
        let mut feed = show.publisher.feed().await;
        let wrong: &[u8] = if dialect.in_band { &[2, 0, 0] } else { &[9, 0] };
        feed.out.write(Bytes::from_static(wrong)).await.unwrap();
        assert_eq!(refusal(&mut other).await, End::Reset(code::MALFORMED));
        show.feed.whole_group(0, &[b"on"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["on".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_not_named_is_an_interruption_where_ends_are_named() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(0, &[b"x"]).await;
        show.subscription.reply().await.unwrap();
        show.feed.out.finish();
        if dialect.implicit_accept {
            assert!(matches!(show.subscription.end().await, End::Reset(_)));
        } else {
            assert_eq!(show.subscription.end().await, End::Fin);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_group_for_an_unknown_subscription_is_stopped() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut stray = show.feed.open(Header { subscribe: 77, sequence: 0, frame_start: 0 }).await;
        assert_eq!(stray.stopped().await, Some(code::CANCELLED));
        let malformed = stop_of(&show.publisher, &[&[stream::GROUP as u8, 1, 0xff]]).await;
        assert_eq!(malformed, Some(code::MALFORMED));
        show.feed.whole_group(0, &[b"fine"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["fine".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn frames_and_groups_have_limits() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut large = show.feed.group(0).await;
        let mut group = show.subscription.group().await;
        large.begin(0, Log::GROUP_BYTES + 1).await;
        assert_eq!(large.stopped().await, Some(code::FRAME_TOO_LARGE));
        assert_eq!(group.rest().await, (vec![], End::Reset(code::FRAME_TOO_LARGE)));

        let mut many = show.feed.group(1).await;
        let mut group = show.subscription.group().await;
        for _ in 0..=Log::GROUP_FRAMES {
            many.frame(0, b"").await;
        }
        assert_eq!(many.stopped().await, Some(code::GROUP_TOO_LARGE));
        assert_eq!(group.rest().await.1, End::Reset(code::GROUP_TOO_LARGE));

        if dialect.framing.timestamps {
            let mut early = show.feed.group(2).await;
            let mut group = show.subscription.group().await;
            early.stream.write(Bytes::from_static(&[0x1, 0])).await.unwrap(); // one unit before 0
            assert_eq!(early.stopped().await, Some(code::MALFORMED));
            assert_eq!(group.rest().await.1, End::Reset(code::MALFORMED));

            let mut late = show.feed.group(3).await;
            let mut group = show.subscription.group().await;
            late.frame((1 << 61) - 1, b"the last one").await;
            late.frame(1 << 61, b"").await;
            assert_eq!(late.stopped().await, Some(code::MALFORMED));
            assert_eq!(group.rest().await.1, End::Reset(code::MALFORMED));
        }
        show.feed.whole_group(4, &[b"fine"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["fine".into()], End::Fin));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announcements_that_cannot_be_read_end_the_session_and_its_routes() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut announced = show.viewer.announced("").await;
        announced.next().await;
        let wrong: &[u8] = if dialect.replace == Replace::Restart { &[0, 1, 9] } else { &[1, 9] };
        show.publisher.announcer.out.write(Bytes::copy_from_slice(wrong)).await.unwrap();
        assert_eq!(show.publisher.closed().await.code, Some(close::PROTOCOL_VIOLATION));
        assert_eq!(announced.next().await.kind(), ("ended", "room/a"));
        assert_eq!(show.subscription.end().await, End::Reset(code::SESSION_CLOSED));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_that_get_too_deep_under_the_root_are_not_taken_up() {
    every_dialect(async |dialect| {
        let world = World::new();
        let root = "r/".repeat(20);
        let mut publisher = common::Publisher::new(world.connect(Door::new(dialect).root(&root)), &[]).await;
        publisher.announcer.active(&"p/".repeat(20)).await;
        publisher.announcer.active("fine").await;
        let viewer = world.peer(dialect);
        let announced = viewer.announced(&root).await.rest().await;
        assert_eq!(announced.iter().map(|event| event.kind()).collect::<Vec<_>>(), [("active", "fine")]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_setup_ends_the_session() {
    for name in ["05", "06"] {
        let world = World::new();
        let peer = world.peer(dialect(name));
        peer.heard_setup().await;
        settle().await;
        let mut again = peer.conn.open_uni().await.unwrap();
        again.write(Bytes::from_static(&[stream::SETUP as u8, 1, 0])).await.unwrap();
        assert_eq!(peer.closed().await.code, Some(close::PROTOCOL_VIOLATION));
    }
}

#[tokio::test(start_paused = true)]
async fn without_setup_a_session_lasts_ten_seconds() {
    for name in ["01", "02", "05", "06"] {
        let world = World::new();
        let conn = world.dial(&Door::new(dialect(name)));
        assert!(timeout(Duration::from_millis(9_900), conn.closed()).await.is_err());
        assert_eq!(conn.closed().await.code, Some(close::CONTROL_TIMEOUT));
    }
    for name in ["03", "04"] {
        let world = World::new();
        let conn = world.dial(&Door::new(dialect(name)));
        assert!(timeout(Duration::from_secs(60), conn.closed()).await.is_err(), "nothing has to be said");
    }
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_cannot_be_read_ends_the_session() {
    let many = [&[1, 0x41, 0x02, 0x40, 65][..], &[0; 256]].concat();
    let rows: [(&[u8], u32); 3] = [
        (&[1, 5, 2, 0, 0, 0, 0], close::PROTOCOL_VIOLATION), // a parameter twice
        (&[1, 0x80, 1, 0, 1], close::PROTOCOL_VIOLATION),    // 64 KiB and a byte
        (&many, close::KEY_VALUE_FORMATTING),
    ];
    for name in ["05", "06"] {
        for (bytes, expected) in rows {
            let world = World::new();
            let conn = world.dial(&Door::new(dialect(name)));
            let mut out = conn.open_uni().await.unwrap();
            out.write(Bytes::copy_from_slice(bytes)).await.unwrap();
            assert_eq!(common::soon(conn.closed()).await.code, Some(expected), "{bytes:x?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_overtake_setup_are_skipped() {
    for name in ["05", "06"] {
        let world = World::new();
        let door = Door::new(dialect(name));
        let conn = world.dial(&door);
        let mut early = conn.open_uni().await.unwrap();
        early.write(Bytes::from_static(&[stream::GROUP as u8, 2, 0, 0])).await.unwrap();
        assert_eq!(common::soon(early.stopped()).await, Ok(Some(code::INTERNAL)));
        sleep(Duration::from_secs(1)).await;
        let peer = Peer::start(conn, door.dialect, door.setup);
        assert_eq!(peer.announced("").await.ok.map(|ok| ok.active), Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_track_its_publisher_does_not_have_is_refused_with_its_code_and_asked_for_again() {
    every_dialect(async |dialect| {
        let show = Show::new(dialect, dialect).await;
        for _ in 0..2 {
            let mut missing = show.viewer.subscribe("room/a", "missing", latest()).await;
            show.publisher.feed().await.out.reset(code::NOT_FOUND);
            assert_eq!(refusal(&mut missing).await, End::Reset(code::NOT_FOUND));
        }
        assert_eq!(show.publisher.subscribes(), 3);
    })
    .await;
}
