//! Who is about to leave says so, and what is new goes elsewhere.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{End, Publisher, Show, Socket, TestRelay, VIDEO, World, dialect, every_dialect, latest, settle};
use moq_relay::{
    types::code,
    wire::lite::{close, stream},
};
use tokio::time::{Instant, timeout};

/// Says GOAWAY with this URI of less than 60 bytes.
async fn goaway(publisher: &Publisher, uri: &str) {
    let (mut out, _recv) = publisher.conn.open_bi().await.unwrap();
    let message = [&[stream::GOAWAY as u8, uri.len() as u8 + 1, uri.len() as u8][..], uri.as_bytes()].concat();
    out.write(Bytes::from(message)).await.unwrap();
    out.finish();
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_leaves_says_so_serves_on_and_begins_nothing_new() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        show.feed.whole_group(0, &[b"before"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["before".into()], End::Fin));
        show.world.leave();
        if dialect.goaway.is_some() {
            assert_eq!(show.viewer.goaway().await.uri, "", "the same place again");
            assert_eq!(show.publisher.goaway().await.uri, "");
        }
        show.feed.whole_group(1, &[b"after"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["after".into()], End::Fin));

        let mut new = show.viewer.subscribe("room/a", VIDEO, latest()).await;
        if dialect.goaway.is_some() {
            assert_eq!(new.end().await, End::Reset(code::GOING_AWAY));
        } else {
            assert!(new.reply().await.is_ok(), "who cannot be told is served to the end");
        }
        let twice = timeout(Duration::from_secs(30), show.viewer.goaway()).await;
        assert!(twice.is_err(), "once is enough");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_leaves_is_the_last_choice() {
    every_dialect(async |dialect| {
        if dialect.goaway.is_none() {
            return;
        }
        let world = World::new();
        let standby = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let main = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let mut watching = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = main.feed().await;
        feed.whole_group(0, &[b"main"]).await;
        assert_eq!(watching.group().await.payloads().await, (vec!["main".into()], End::Fin));

        goaway(&main, "").await;
        let mut better = standby.feed().await;
        feed.whole_group(1, &[b"main"]).await;
        assert_eq!(watching.group().await.payloads().await, (vec!["main".into()], End::Fin), "without a gap");
        better.whole_group(2, &[b"standby"]).await;
        assert_eq!(watching.group().await.payloads().await, (vec!["standby".into()], End::Fin));
        assert_eq!(feed.update().await, Err(End::Fin), "it is let go");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_without_a_name_is_better_than_one_that_leaves() {
    let world = World::new();
    let main = world.publisher(dialect("06"), &["room/a"]).await;
    let standby = world.publisher(dialect("02"), &["room/a"]).await;
    settle().await;
    goaway(&main, "").await;
    settle().await;
    let viewer = world.peer(dialect("05"));
    let _watching = viewer.subscribe("room/a", VIDEO, latest()).await;
    standby.feed().await;
    assert_eq!(main.subscribes(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_asked_of_a_publisher_that_leaves() {
    every_dialect(async |dialect| {
        if dialect.goaway.is_none() {
            return;
        }
        let mut show = Show::new(dialect, dialect).await;
        show.feed.start(0).await;
        settle().await;
        goaway(&show.publisher, "https://elsewhere.example/").await;
        settle().await;
        let mut new = show.viewer.subscribe("room/a", "audio", latest()).await;
        assert_eq!(new.end().await, End::Reset(code::GOING_AWAY));
        show.feed.whole_group(0, &[b"on"]).await;
        assert_eq!(
            show.subscription.group().await.payloads().await,
            (vec!["on".into()], End::Fin),
            "what runs goes on"
        );
        assert_eq!(show.publisher.subscribes(), 1);

        goaway(&show.publisher, "").await;
        assert_eq!(show.publisher.closed().await.code, Some(close::PROTOCOL_VIOLATION), "once is the rule");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_cannot_be_read_is_none() {
    for name in ["04", "05", "06"] {
        let mut show = Show::new(dialect(name), dialect(name)).await;
        let (mut out, _recv) = show.publisher.conn.open_bi().await.unwrap();
        out.write(Bytes::from_static(&[stream::GOAWAY as u8, 2, 9, 9])).await.unwrap();
        settle().await;
        show.feed.whole_group(0, &[b"on"]).await;
        assert_eq!(show.subscription.group().await.payloads().await, (vec!["on".into()], End::Fin));
        let _new = show.viewer.subscribe("room/a", "audio", latest()).await;
        show.publisher.feed().await;
    }
}

#[tokio::test]
async fn a_relay_that_stops_waits_for_those_who_move_and_closes_on_those_who_do_not() {
    const DRAIN: Duration = Duration::from_millis(700);
    let relay = TestRelay::with(|config| {
        config.session.drain = DRAIN;
        config.web.http.listen = moq_relay::web::config::Listen::BesideServer;
    })
    .await;
    let mut peers = Vec::new();
    for socket in [Socket::Raw, Socket::Web, Socket::WebSocket("qmux-01"), Socket::Unix] {
        for name in ["02", "04", "06"] {
            peers.push(relay.peer(socket, dialect(name)).await);
        }
    }
    let polite = relay.peer(Socket::Raw, dialect("06")).await;
    // Whom it asks what they announce is not at the door any more, where nobody is asked to move.
    let mut asked = Vec::new();
    for peer in peers.iter().chain([&polite]) {
        asked.push(peer.announcer().await);
    }
    relay.stop.send(true).unwrap();
    let stopped_at = Instant::now();
    assert_eq!(polite.goaway().await.uri, "");
    polite.die();
    for peer in &peers {
        let told = peer.dialect.goaway.is_some();
        if told {
            assert_eq!(peer.goaway().await.uri, "");
        }
        let closed = peer.closed().await;
        assert_eq!(closed.code, Some(close::GOAWAY_TIMEOUT), "{closed:?}");
    }
    assert!(stopped_at.elapsed() >= DRAIN);
}
