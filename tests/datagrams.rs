//! A group of one frame that comes in a datagram goes on in one, once, to everybody who takes datagrams.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{End, Feed, Peer, Show, Socket, Subscription, TestRelay, VIDEO, dialect, latest, live, settle};
use moq_relay::wire::{
    Dialect, Encoder,
    lite::{datagram::Header, subscribe::Reply},
};
use tokio::time::timeout;

/// The dialects that have them.
fn dialects() -> impl Iterator<Item = &'static Dialect> {
    Dialect::every().filter(|dialect| dialect.datagrams)
}

fn send(publisher: &Peer, feed: &Feed, sequence: u64, timestamp: u64, payload: &[u8]) {
    let mut out = Encoder::new(publisher.dialect.integers());
    Header { subscribe: feed.subscribe.id, sequence, timestamp }.encode(&mut out);
    out.bytes(payload);
    publisher.conn.send_datagram(out.into_bytes());
}

/// The next datagram for a subscription: group, time and payload.
async fn receive(viewer: &Peer, subscription: &Subscription) -> (u64, u64, Bytes) {
    let datagram = common::soon(viewer.conn.read_datagram()).await.unwrap();
    let (header, at) = Header::decode(&datagram, viewer.dialect.integers()).unwrap();
    assert_eq!(header.subscribe, subscription.id);
    (header.sequence, header.timestamp, datagram.slice(at..))
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_a_datagram_goes_on_in_one() {
    for (from, to) in dialects().flat_map(|from| dialects().map(move |to| (from, to))) {
        let mut show = Show::new(from, to).await;
        // Another id than the publisher's own.
        let other = show.viewer.subscribe("room/a", "audio", latest()).await;
        let feed = show.publisher.feed().await;
        for sequence in [3, 4, 9] {
            send(&show.publisher, &feed, sequence, 70_000 + sequence, b"sample");
            assert_eq!(receive(&show.viewer, &other).await, (sequence, 70_000 + sequence, "sample".into()));
        }
        send(&show.publisher, &show.feed, 1, 0, b"");
        assert_eq!(receive(&show.viewer, &show.subscription).await, (1, 0, Bytes::new()));
        assert_eq!(show.subscription.reply().await, Ok(Reply::Start(1)), "they are groups like any other");
        show.feed.end(2).await;
        let ended = show.subscription.reply().await;
        let streams = (to.name == "moq-lite-07-wip").then_some(0);
        assert_eq!(ended, Ok(Reply::End { group: 2, streams }), "and open no stream");
        assert_eq!(show.subscription.end().await, End::Fin);
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_waits_in_the_cache_for_those_who_come_late() {
    for dialect in dialects() {
        let show = Show::new(dialect, dialect).await;
        for sequence in 0..3 {
            send(&show.publisher, &show.feed, sequence, sequence * common::INFO.timescale, b"state");
        }
        settle().await;
        let late = show.world.peer(dialect);
        let subscription = late.subscribe("room/a", VIDEO, live(dialect)).await;
        assert_eq!(receive(&late, &subscription).await, (2, 2 * common::INFO.timescale, "state".into()));
        assert!(timeout(Duration::from_secs(1), late.conn.read_datagram()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_for_a_packet_is_a_stream() {
    for dialect in dialects() {
        let mut show = Show::new(dialect, dialect).await;
        let long = vec![7; 1300];
        send(&show.publisher, &show.feed, 0, 5, &long);
        let mut group = show.subscription.group().await;
        let frame = group.frame().await.unwrap();
        assert_eq!((frame.timestamp, &frame.payload[..]), (Some(5), &long[..]));
        assert_eq!(group.frame().await, Err(End::Fin));
    }
}

#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_nobodys_is_lost_and_nothing_else() {
    for dialect in dialects() {
        let mut show = Show::new(dialect, dialect).await;
        for wrong in [&b""[..], &[0xff], &[0x40], &[0, 0x80, 0], &[77, 0, 0, 1], &[0x3f]] {
            show.publisher.conn.send_datagram(Bytes::copy_from_slice(wrong));
        }
        send(&show.publisher, &show.feed, 4, 1, b"first");
        send(&show.publisher, &show.feed, 4, 2, b"again");
        assert_eq!(receive(&show.viewer, &show.subscription).await, (4, 1, "first".into()), "the first copy wins");
        show.feed.whole_group(5, &[b"stream"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["stream".into()], End::Fin));
        assert!(timeout(Duration::from_secs(1), show.viewer.conn.read_datagram()).await.is_err());
    }
}

#[tokio::test]
async fn every_door_that_has_datagrams_carries_them_and_the_others_have_streams() {
    let relay = TestRelay::everywhere().await;
    let dialect = dialect("05");
    let from = relay.publisher(Socket::Raw, dialect, &["room/a"]).await;
    let first = relay.peer(Socket::Web, dialect).await;
    first.announced("").await.next().await;
    let watching = first.subscribe("room/a", VIDEO, latest()).await;
    let feed = from.feed().await;
    for (sequence, socket) in (10..).zip(Socket::ALL) {
        let viewer = relay.peer(socket, dialect).await;
        let mut subscription = viewer.subscribe("room/a", VIDEO, live(dialect)).await;
        // The answer to a question that came later shows that the subscription is served.
        viewer.track_info("room/a", VIDEO).await.read().await.unwrap();
        send(&from, &feed, sequence, 40, b"sample");
        assert_eq!(receive(&first, &watching).await.0, sequence);
        if matches!(socket, Socket::WebSocket("qmux-00" | "webtransport")) {
            let mut group = subscription.group().await;
            while group.sequence() < sequence {
                group = subscription.group().await;
            }
            assert_eq!(group.payloads().await, (vec!["sample".into()], End::Fin), "{socket:?}");
        } else {
            let mut got = receive(&viewer, &subscription).await;
            while got.0 < sequence {
                got = receive(&viewer, &subscription).await;
            }
            assert_eq!(got, (sequence, 40, "sample".into()), "{socket:?}");
        }
    }
    // And from every door that has them.
    for socket in [Socket::Web, Socket::WebSocket("qmux-02"), Socket::Tcp, Socket::Unix] {
        let from = relay.publisher(socket, dialect, &["room/b"]).await;
        let viewer = relay.peer(Socket::Raw, dialect).await;
        let mut announced = viewer.announced("room").await;
        while announced.next().await.kind() != ("active", "b") {}
        let subscription = viewer.subscribe("room/b", VIDEO, latest()).await;
        let feed = from.feed().await;
        send(&from, &feed, 0, 40, b"sample");
        assert_eq!(receive(&viewer, &subscription).await, (0, 40, "sample".into()), "{socket:?}");
    }
}
