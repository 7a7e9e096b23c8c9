//! What old peers cannot bear is never sent: one test per rule. The rules that every dialect shares are checked wherever a
//! test reads what the relay says (`common/`): no path twice, no end of what was not announced, whole messages.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{
    Door, End, Event, Show, Subscription, VIDEO, World, dialect, every_dialect, every_pair, latest, raw, settle,
};
use moq_relay::{
    types::{Cost, HopId, Preferences, code},
    wire::{
        Dialect,
        dialect::{HopForm, Replace},
        lite::{stream, subscribe::Reply},
    },
};
use tokio::time::{sleep, timeout};

/// moq-lite "Legacy SETUP exchange": Rust 0.6 to 0.9 connect only once ANNOUNCE_INIT is there.
#[tokio::test(start_paused = true)]
async fn the_initial_set_comes_at_once_even_when_it_is_empty() {
    for name in ["01", "02"] {
        let world = World::new();
        let peer = world.peer(dialect(name));
        let (mut out, mut recv) = peer.conn.open_bi().await.unwrap();
        out.write(Bytes::from_static(&[stream::ANNOUNCE as u8, 1, 0])).await.unwrap();
        assert_eq!(common::soon(recv.read()).await, Ok(Some(Bytes::from_static(&[1, 0]))));

        let _publisher = world.publisher(dialect(name), &["room/a", "room/b"]).await;
        settle().await;
        let mut announced = peer.announced("room").await;
        let first: Vec<_> = [announced.next().await, announced.next().await].iter().map(|e| e.kind().1.len()).collect();
        assert_eq!(first, [1, 1], "and it is whole when it is not");
    }
}

/// moq-lite "How peers react on the announce stream": a reset ends the session of every Rust client, an end all news.
#[tokio::test(start_paused = true)]
async fn an_announce_stream_is_never_ended_while_the_session_lives() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["room/a"]).await;
        settle().await;
        let barred = world.connect(Door::new(dialect).subscribe(&["lobby"]));
        let (mut nothing, mut elsewhere) = (barred.announced("room").await, barred.announced("lobby").await);
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("").await;
        announced.next().await;
        publisher.die();
        assert_eq!(announced.next().await, Event::Ended("room/a".into()));
        world.leave();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(nothing.rest().await, [], "what may not be seen is not there, and no error");
        assert!(elsewhere.rest().await.is_empty() && announced.rest().await.is_empty());

        let another = viewer.announced("x").await;
        drop(another);
        settle().await;
        assert!(announced.rest().await.is_empty(), "one stream's end is nothing to another");
    })
    .await;
}

/// moq-lite "Announcement life cycle": clients of 03 and 04 end their session when a live path is announced again.
#[tokio::test(start_paused = true)]
async fn a_path_that_flickers_is_told_once_for_each_state() {
    every_pair(async |from, to| {
        let world = World::new();
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        let mut publisher = world.publisher(from, &["room/a"]).await;
        for _ in 0..20 {
            publisher.announcer.ended("room/a").await;
            publisher.announcer.active("room/a").await;
        }
        settle().await;
        // That no state is told twice is checked where they are read.
        let heard = announced.rest().await;
        assert_eq!(heard.last().unwrap().kind().1, "room/a");
        assert!(!matches!(heard.last().unwrap(), Event::Ended(_)));
    })
    .await;
}

/// moq-lite "Stream types": old Rust peers end the session on a type they do not know.
#[tokio::test(start_paused = true)]
async fn only_streams_that_the_dialect_has_are_opened() {
    every_pair(async |from, to| {
        let mut show = Show::new(from, to).await;
        show.feed.whole_group(0, &[b"x"]).await;
        show.subscription.group().await.rest().await;
        if to.fetch.is_some() {
            // A group that nobody has must be asked of the publisher, where it can be asked.
            let mut fetched = show.viewer.fetch("room/a", VIDEO, 77, Default::default()).await;
            if from.fetch.is_some() {
                show.publisher.fetch_asked().await.refuse(code::NOT_FOUND);
            }
            assert_eq!(fetched.group.rest().await.1, End::Reset(code::NOT_FOUND));
        }
        if to.probe.is_some() {
            show.viewer.probe().await.report().await.unwrap();
        }
        show.world.leave();
        sleep(Duration::from_secs(20)).await;

        let mut two_way = vec![stream::ANNOUNCE, stream::SUBSCRIBE];
        two_way.extend(from.fetch.filter(|_| to.fetch.is_some()).map(|_| stream::FETCH));
        two_way.extend(from.goaway.map(|_| stream::GOAWAY));
        two_way.extend(from.track.map(|_| stream::TRACK));
        two_way.sort_unstable();
        let one_way: Vec<_> = from.setup.iter().map(|_| stream::SETUP).collect();
        assert_eq!(show.publisher.opened(), [two_way, one_way]);
    })
    .await;
}

/// moq-lite "SUBSCRIBE_UPDATE": publishers below 05 fail the subscription on any byte after SUBSCRIBE.
#[tokio::test(start_paused = true)]
async fn nothing_follows_subscribe_where_an_update_would_be_an_error() {
    for name in ["01", "02", "03", "04"] {
        let mut show = Show::new(dialect(name), dialect("06")).await;
        show.feed.start(0).await;
        let mut more: Vec<Subscription> = Vec::new();
        for priority in [1, 200, 255] {
            let wish = Preferences { priority, max_age: Some(Duration::from_secs(priority.into())), ..latest() };
            more.push(show.viewer.subscribe("room/a", VIDEO, wish).await);
            settle().await;
        }
        more[1].update(&Preferences { priority: 77, ..latest() }).await;
        more[0].leave();
        let said = timeout(Duration::from_secs(30), show.feed.update()).await;
        assert!(said.is_err(), "{name}: {said:?}");
        assert_eq!(show.publisher.subscribes(), 1);
    }
}

/// moq-lite "Replies on the Subscribe stream": old subscribers fail on any byte after SUBSCRIBE_OK.
#[tokio::test(start_paused = true)]
async fn nothing_follows_subscribe_ok() {
    for name in ["01", "02", "03", "04"] {
        for from in ["04", "06"] {
            let mut show = Show::new(dialect(from), dialect(name)).await;
            show.feed.whole_group(0, &[b"x"]).await;
            show.feed.group(1).await.reset(code::OLD);
            show.feed.whole_group(5, &[b"x"]).await;
            assert!(matches!(show.subscription.reply().await, Ok(Reply::Ok { .. })));
            let said = timeout(Duration::from_secs(30), show.subscription.reply()).await;
            assert!(said.is_err(), "{name} from {from}: {said:?}");
        }
    }
}

/// moq-lite "Hops, identity and loops": JavaScript of early 2026 fails on ids from 2^53 on.
#[tokio::test(start_paused = true)]
async fn made_up_hops_are_numbers_for_javascript() {
    every_pair(async |from, to| {
        let world = World::new();
        let _publisher = world.publisher(from, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        let event = announced.next().await;
        assert!(event.hops().iter().all(|hop| *hop < HopId::LIMIT), "{event:?}");
        if to.hops == HopForm::SenderAppends || to.hops == HopForm::ReceiverAppends {
            assert_ne!(event.hops().first(), Some(&0), "and every chain starts with a name");
        }
    })
    .await;
}

/// moq-lite "Hops, identity and loops": a list that names a node twice is a decode error.
#[tokio::test(start_paused = true)]
async fn a_chain_that_has_gone_in_a_circle_is_not_told() {
    for from in Dialect::every().filter(|dialect| dialect.hops == HopForm::ReceiverAppends) {
        every_dialect(async |to| {
            let world = World::new();
            let mut publisher = world.publisher(from, &[]).await;
            let own = publisher.hop.0;
            publisher.announcer.active_over("round", &[7, own, 8], Cost::FREE).await;
            publisher.announcer.active_over("straight", &[7, 8], Cost::FREE).await;
            let viewer = world.peer(to);
            settle().await;
            let heard = viewer.announced("").await.rest().await;
            assert_eq!(heard.iter().map(Event::kind).collect::<Vec<_>>(), [("active", "straight")]);
        })
        .await;
    }
}

/// moq-lite "FIN, RESET, STOP_SENDING": the end of a question before its answer takes it back.
#[tokio::test(start_paused = true)]
async fn a_question_stays_open_until_it_is_answered() {
    for publisher in Dialect::every().filter(|dialect| dialect.track.is_some()) {
        let mut show = Show::new(publisher, publisher).await;
        show.feed.whole_group(9, &[b"x"]).await;
        *show.publisher.info.lock().unwrap() = None;
        let asked = show.viewer.track_info("room/a", "audio").await;
        let mut question = show.publisher.track_asked().await;
        assert!(timeout(Duration::from_secs(5), question.reader.end()).await.is_err());
        question.answer(common::INFO).await;
        assert_eq!(asked.read().await, Ok(common::INFO));

        let mut fetched = show.viewer.fetch("room/a", VIDEO, 3, Default::default()).await;
        let mut question = show.publisher.fetch_asked().await;
        assert!(timeout(Duration::from_secs(5), question.reader.end()).await.is_err());
        let mut group = question.group();
        group.frame(0, b"old").await;
        group.finish();
        assert_eq!(fetched.group.payloads().await, (vec!["old".into()], End::Fin));
    }
}

/// moq-lite "FIN, RESET, STOP_SENDING": a stream that was stopped is answered with its reset, which nothing else does.
#[tokio::test(start_paused = true)]
async fn a_group_that_is_stopped_is_reset() {
    every_dialect(async |dialect| {
        let mut show = Show::new(dialect, dialect).await;
        let mut sent = show.feed.group(0).await;
        sent.frame(0, b"one").await;
        let mut group = show.subscription.group().await;
        group.frame().await.unwrap();
        group.reader.stop(code::CANCELLED);
        sent.frame(1000, b"two").await;
        settle().await;
        sent.frame(2000, b"three").await;
        assert!(matches!(group.rest().await.1, End::Reset(_)));
    })
    .await;
}

/// moq-lite "Datagram" and "Bridging versions": what an old dialect has no form for reaches it in one that it has.
#[tokio::test(start_paused = true)]
async fn datagrams_are_streams_to_those_who_know_none() {
    every_dialect(async |to| {
        let mut show = Show::new(dialect("05"), to).await;
        let id = show.feed.subscribe.id as u8;
        show.publisher.conn.send_datagram(raw(&[&[id, 7, 0x43, 0xe8], b"hi"]));
        if to.datagrams {
            let datagram = common::soon(show.viewer.conn.read_datagram()).await.unwrap();
            assert!(datagram.ends_with(b"hi"), "{datagram:?}");
            assert!(show.subscription.try_group().is_none(), "not twice");
        } else {
            let mut group = show.subscription.group().await;
            assert_eq!((group.sequence(), group.payloads().await), (7, (vec!["hi".into()], End::Fin)));
            let quiet = timeout(Duration::from_secs(1), show.viewer.conn.read_datagram()).await;
            assert!(quiet.is_err());
        }
    })
    .await;
}

/// moq-lite "Announcement life cycle": between two publishers old clients must let go of what they had.
#[tokio::test(start_paused = true)]
async fn a_replacement_in_place_is_only_for_those_who_know_one() {
    every_dialect(async |to| {
        let world = World::new();
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        let mut publisher = world.publisher(dialect("06"), &["room/a"]).await;
        announced.next().await;
        publisher.announcer.restart_over("room/a", &[9], Cost { warm: 3, cold: 4 }).await;
        settle().await;
        let heard: Vec<_> = announced.rest().await.iter().map(|event| event.kind().0).collect();
        match to.replace {
            Replace::Retract => assert!(heard.is_empty(), "{heard:?}"),
            Replace::Again => assert_eq!(heard, ["active"]),
            Replace::Restart => assert_eq!(heard, ["restarted"]),
        }
    })
    .await;
}
