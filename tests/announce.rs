//! Everybody hears of exactly what is live and theirs to see, once per change.

mod common;

use std::time::Duration;

use common::{Door, Event, Publisher, RELAY, VIDEO, World, dialect, every_dialect, every_pair, latest, settle};
use moq_relay::{
    types::{Cost, HopId},
    wire::{
        dialect::{HopForm, Replace},
        lite::{
            announce::{Announcement, Target},
            close,
            setup::{Role, Setup},
        },
    },
};
use tokio::time::timeout;

fn suffixes(events: &[Event]) -> Vec<&str> {
    let mut suffixes: Vec<_> = events.iter().map(|event| event.kind()).collect();
    suffixes.sort_unstable();
    assert!(suffixes.iter().all(|(kind, _)| *kind == "active"), "{events:?}");
    suffixes.into_iter().map(|(_, suffix)| suffix).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_is_the_complete_set() {
    every_dialect(async |dialect| {
        let world = World::new();
        let _one = world.publisher(dialect, &["room/a", "room/b", "lobby"]).await;
        let _two = world.publisher(dialect, &["room/c"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("room").await;
        assert_eq!(announced.ok.map(|ok| (ok.hop, ok.active)), dialect.announce_ok.map(|_| (RELAY, 3)));
        assert_eq!(suffixes(&announced.rest().await), ["a", "b", "c"]);
        let everything = viewer.announced("").await.rest().await;
        assert_eq!(suffixes(&everything), ["lobby", "room/a", "room/b", "room/c"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_is_an_answer() {
    every_dialect(async |dialect| {
        let world = World::new();
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("room").await;
        assert_eq!(announced.ok.map(|ok| ok.active), dialect.announce_ok.map(|_| 0));
        assert!(announced.rest().await.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_change_is_told_once() {
    every_pair(async |publisher, viewer| {
        let world = World::new();
        let viewer = world.peer(viewer);
        let (mut one, mut two) = (viewer.announced("").await, viewer.announced("room").await);
        let mut publisher = world.publisher(publisher, &[]).await;
        for _ in 0..3 {
            publisher.announcer.active("room/a").await;
            assert_eq!((one.next().await.kind(), two.next().await.kind()), (("active", "room/a"), ("active", "a")));
            publisher.announcer.ended("room/a").await;
            assert_eq!((one.next().await.kind(), two.next().await.kind()), (("ended", "room/a"), ("ended", "a")));
        }
        publisher.announcer.active("lobby").await;
        assert_eq!((one.rest().await.len(), two.rest().await.len()), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_what_was_announced_ends() {
    every_dialect(async |dialect| {
        let world = World::new();
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("room").await;
        let mut publisher = world.publisher(dialect, &["lobby"]).await;
        if dialect.replace != Replace::Restart {
            publisher.announcer.ended("room/never").await;
        }
        publisher.announcer.ended("lobby").await;
        assert!(announced.rest().await.is_empty());
        publisher.announcer.active("room/a").await;
        assert_eq!(announced.next().await.kind(), ("active", "a"), "the publisher's session lives on");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_takes_its_announcements_along() {
    every_dialect(async |dialect| {
        let world = World::new();
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("").await;
        let publisher = world.publisher(dialect, &["a", "b"]).await;
        assert_eq!(suffixes(&announced.rest().await), ["a", "b"]);
        publisher.die();
        let mut ended = announced.rest().await;
        ended.sort_by(|a, b| a.kind().cmp(&b.kind()));
        assert_eq!(ended, [Event::Ended("a".into()), Event::Ended("b".into())]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn prefixes_end_on_segments_and_a_path_is_its_own_empty_suffix() {
    every_dialect(async |dialect| {
        let world = World::new();
        let _publisher = world.publisher(dialect, &["foo", "foobar", "foo/bar", "fo"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        assert_eq!(suffixes(&viewer.announced("foo").await.rest().await), ["", "bar"]);
        assert_eq!(suffixes(&viewer.announced("foo/bar").await.rest().await), [""]);
        assert_eq!(suffixes(&viewer.announced("f").await.rest().await), [""; 0]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_are_relative_to_the_root_of_a_session() {
    every_dialect(async |dialect| {
        let world = World::new();
        let inside = world.connect(Door::new(dialect).root("room"));
        let mut seen_inside = inside.announced("").await;
        let outside = world.peer(dialect);
        let mut seen_outside = outside.announced("").await;

        let publisher = world.publisher(dialect, &["room/a", "roommate"]).await;
        assert_eq!(suffixes(&seen_inside.rest().await), ["a"]);
        assert_eq!(suffixes(&seen_outside.rest().await), ["room/a", "roommate"]);
        let _subscription = inside.subscribe("a", VIDEO, latest()).await;
        assert_eq!(publisher.feed().await.subscribe.broadcast.as_str(), "room/a");

        let rooted = Publisher::new(world.connect(Door::new(dialect).root("room")), &["b"]).await;
        assert_eq!(seen_inside.next().await.kind(), ("active", "b"));
        assert_eq!(seen_outside.next().await.kind(), ("active", "room/b"));
        let _subscription = outside.subscribe("room/b", VIDEO, latest()).await;
        assert_eq!(rooted.feed().await.subscribe.broadcast.as_str(), "b");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_dialect_is_told_the_hops_in_its_way() {
    every_pair(async |from, to| {
        let world = World::new();
        let publisher = world.publisher(from, &["a"]).await;
        settle().await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        let event = announced.next().await;
        let hops = event.hops();
        let chain = match to.hops {
            HopForm::Absent => return assert!(hops.is_empty(), "nothing is told"),
            HopForm::Count => {
                // Without a name, the publisher has a stand-in in front.
                let expected = if matches!(from.hops, HopForm::Absent | HopForm::Count) { 3 } else { 2 };
                return assert_eq!(hops, vec![0; expected], "each hop and the relay are counted");
            }
            HopForm::SenderAppends => {
                let (last, chain) = hops.split_last().unwrap();
                assert_eq!(*last, RELAY.0);
                chain
            }
            HopForm::ReceiverAppends => hops,
        };
        match from.hops {
            HopForm::Absent | HopForm::Count => {
                assert!(chain.len() == 2 && chain[0] != 0 && chain[1] == 0, "{chain:?}: a stand-in name")
            }
            _ => assert_eq!(chain, [publisher.hop.0]),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn costs_add_up_over_links() {
    let world = World::new();
    let viewer = world.peer(dialect("06"));
    let mut announced = viewer.announced("").await;
    let cost = |event: Event| match event {
        Event::Active { cost, .. } | Event::Restarted { cost, .. } => cost,
        Event::Ended(_) => panic!("no cost"),
    };
    let mut plain = world.publisher(dialect("06"), &[]).await;
    plain.announcer.active_over("a", &[], Cost { warm: 3, cold: 10 }).await;
    assert_eq!(cost(announced.next().await), Cost { warm: 4, cold: 11 });
    plain.announcer.restart_over("a", &[], Cost { warm: 5, cold: Cost::MAX }).await;
    assert_eq!(cost(announced.next().await), Cost { warm: 6, cold: Cost::MAX });

    let setup = Setup { cost: Some(100), ..Setup::default() };
    let mut dear = Publisher::new(world.connect(Door::new(dialect("06")).setup(setup)), &[]).await;
    dear.announcer.active_over("b", &[], Cost::FREE).await;
    assert_eq!(cost(announced.next().await), Cost { warm: 100, cold: 100 });

    let mut old = world.publisher(dialect("05"), &["c"]).await;
    assert_eq!(cost(announced.next().await), Cost::FREE.behind(1), "costs begin with the publisher");
    old.announcer.active_over("d", &[7], Cost::FREE).await;
    assert_eq!(cost(announced.next().await), Cost::UNKNOWN.behind(2), "as if each link cost 1");
    let node = world.connect(Door { node: true, ..Door::new(dialect("05")) });
    let _node = Publisher::new(node, &["e"]).await;
    assert_eq!(cost(announced.next().await), Cost::UNKNOWN.behind(1));
}

#[tokio::test(start_paused = true)]
async fn looped_announcements_are_dropped() {
    for name in ["04", "05", "06"] {
        let world = World::new();
        let viewer = world.peer(dialect(name));
        let mut announced = viewer.announced("").await;
        let mut publisher = world.publisher(dialect(name), &[]).await;
        let own = publisher.hop.0;
        let tail: &[u64] = if name == "04" { &[own] } else { &[] };
        publisher.announcer.active_over("loop", &[&[7, RELAY.0], tail].concat(), Cost::FREE).await;
        if name != "04" {
            // The list on the wire must not hold the sender, whom the receiver appends.
            publisher.announcer.active_over("twice", &[7, own], Cost::FREE).await;
        }
        publisher.announcer.active_over("good", &[&[7], tail].concat(), Cost::FREE).await;
        assert_eq!(suffixes(&announced.rest().await), ["good"]);
        let mut subscription = viewer.subscribe("loop", VIDEO, latest()).await;
        assert_eq!(subscription.end().await, common::End::Reset(moq_relay::types::code::NOT_FOUND));
        publisher.announcer.ended("loop").await;
        publisher.announcer.ended("good").await;
        assert_eq!(announced.next().await, Event::Ended("good".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_becomes_a_loop_is_withdrawn_and_keeps_its_id() {
    let world = World::new();
    let viewer = world.peer(dialect("06"));
    let mut announced = viewer.announced("").await;
    let mut publisher = world.publisher(dialect("06"), &["a"]).await;
    assert_eq!(announced.next().await.kind(), ("active", "a"));
    publisher.announcer.restart_over("a", &[7, RELAY.0], Cost::FREE).await;
    assert_eq!(announced.next().await.kind(), ("ended", "a"));
    publisher.announcer.restart_over("a", &[7], Cost::FREE).await;
    assert_eq!(announced.next().await.kind(), ("active", "a"));
    publisher.announcer.ended("a").await;
    assert_eq!(announced.next().await.kind(), ("ended", "a"));
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_of_routes_through_themselves() {
    every_dialect(async |dialect| {
        let world = World::new();
        let peer = world.publisher(dialect, &["mine"]).await;
        let _other = world.publisher(dialect, &["theirs"]).await;
        settle().await;
        assert_eq!(suffixes(&peer.announced("").await.rest().await), ["theirs"], "not even without a name");
    })
    .await;
    // By name: in the request on 04 and 05, in SETUP on 05 and 06.
    let through = |hop| [7, hop];
    for name in ["04", "05", "06"] {
        let world = World::new();
        let mut publisher = world.publisher(dialect("05"), &["direct"]).await;
        publisher.announcer.active_over("around", &through(9), Cost::FREE).await;
        settle().await;
        let setup = Setup { hop: HopId(if name == "04" { 8 } else { 9 }), ..Setup::default() };
        let viewer = world.connect(Door::new(dialect(name)).setup(setup));
        let exclude = if name == "04" { HopId(9) } else { HopId::NONE };
        let announced = viewer.announced_without("", exclude).await.rest().await;
        assert_eq!(suffixes(&announced), ["direct"], "{name}");
    }
    let world = World::new();
    let mut publisher = world.publisher(dialect("05"), &["direct"]).await;
    publisher.announcer.active_over("around", &through(9), Cost::FREE).await;
    settle().await;
    let announced = world.peer(dialect("05")).announced_without("", HopId(9)).await.rest().await;
    assert_eq!(suffixes(&announced), ["direct"]);
}

#[tokio::test(start_paused = true)]
async fn outside_of_the_grant_there_is_nothing_and_the_stream_stays_open() {
    every_dialect(async |dialect| {
        let world = World::new();
        let _publisher = world.publisher(dialect, &["room/a", "lobby/a"]).await;
        settle().await;
        let viewer = world.connect(Door::new(dialect).subscribe(&["room"]));
        let mut lobby = viewer.announced("lobby").await;
        let mut all = viewer.announced("").await;
        assert_eq!(lobby.ok.map(|ok| ok.active), dialect.announce_ok.map(|_| 0));
        assert_eq!(suffixes(&all.rest().await), ["room/a"]);
        let _more = world.publisher(dialect, &["lobby/b", "room/b"]).await;
        assert_eq!(suffixes(&all.rest().await), ["room/b"]);
        assert!(lobby.rest().await.is_empty(), "neither an announcement nor an end");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announcements_are_asked_for_where_the_peer_may_publish() {
    every_dialect(async |dialect| {
        let world = World::new();
        let peer = world.connect(Door::new(dialect).publish(&["room", "lobby"]));
        let mut prefixes = [peer.announcer().await, peer.announcer().await].map(|a| a.request.prefix.to_string());
        prefixes.sort();
        assert_eq!(prefixes, ["lobby", "room"]);
        let barred = world.connect(Door::new(dialect).publish(&[]));
        assert!(timeout(Duration::from_secs(5), barred.announcer()).await.is_err());
        if dialect.setup.is_some() {
            let watching = Setup { role: Role::Subscriber, ..Setup::default() };
            let watching = world.connect(Door::new(dialect).setup(watching));
            assert!(timeout(Duration::from_secs(5), watching.announcer()).await.is_err());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hidden_names_are_left_out_of_listings_alone() {
    every_dialect(async |dialect| {
        let world = World::new();
        let publisher = world.publisher(dialect, &["a", ".hidden/b", "room/.secret/c"]).await;
        settle().await;
        let viewer = world.peer(dialect);
        assert_eq!(suffixes(&viewer.announced("").await.rest().await), ["a"]);
        assert_eq!(suffixes(&viewer.announced(".hidden").await.rest().await), ["b"]);
        let _subscription = viewer.subscribe("room/.secret/c", VIDEO, latest()).await;
        assert_eq!(publisher.feed().await.subscribe.broadcast.as_str(), "room/.secret/c");
        let node = world.connect(Door { node: true, ..Door::new(dialect) });
        assert_eq!(suffixes(&node.announced("").await.rest().await), [".hidden/b", "a", "room/.secret/c"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn patterns_are_no_names() {
    every_dialect(async |dialect| {
        let world = World::new();
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("").await;
        let _publisher = world.publisher(dialect, &["room/*", "**", "room/a*"]).await;
        assert_eq!(suffixes(&announced.rest().await), ["room/a*"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announcing_twice_is_a_violation_except_where_it_replaces() {
    every_dialect(async |dialect| {
        let world = World::new();
        let viewer = world.peer(dialect);
        let mut announced = viewer.announced("").await;
        let mut publisher = world.publisher(dialect, &["a"]).await;
        assert_eq!(announced.next().await.kind(), ("active", "a"));
        let hops: &[u64] = if dialect.hops == HopForm::ReceiverAppends { &[7] } else { &[7, publisher.hop.0] };
        publisher.announcer.active_over("a", hops, Cost::FREE).await;
        if dialect.replace == Replace::Again {
            let replaced = announced.next().await;
            assert_eq!((replaced.kind(), replaced.hops()), (("active", "a"), &[7, publisher.hop.0][..]));
            publisher.announcer.active_over("a", hops, Cost::FREE).await;
            assert!(announced.rest().await.is_empty(), "the same again is no news");
        } else if dialect.announce_init.is_some() {
            // A published client does so, and means a new broadcast.
            assert!(announced.rest().await.is_empty());
            let _watching = viewer.subscribe("a", VIDEO, latest()).await;
            publisher.feed().await;
        } else {
            assert_eq!(publisher.closed().await.code, Some(close::PROTOCOL_VIOLATION));
            assert_eq!(announced.next().await.kind(), ("ended", "a"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn announce_ids_count_starts_and_must_be_in_use() {
    let lite_06 = dialect("06");
    let world = World::new();
    let viewer = world.peer(lite_06);
    let mut announced = viewer.announced("").await;
    let mut publisher = world.publisher(lite_06, &[]).await;
    publisher.announcer.active_over("loop", &[RELAY.0], Cost::FREE).await; // id 0, though nobody takes it up
    publisher.announcer.active("a").await; // id 1
    publisher.announcer.say(&Announcement::Unknown(9)).await; // takes no id
    publisher.announcer.active("b").await; // id 2
    assert_eq!(suffixes(&announced.rest().await), ["a", "b"]);
    publisher.announcer.say(&Announcement::Ended(Target::Id(2))).await;
    assert_eq!(announced.next().await, Event::Ended("b".into()));

    let wrong: [fn() -> Announcement; 3] = [
        || Announcement::Ended(Target::Id(1)),
        || Announcement::Ended(Target::Id(0)),
        || Announcement::Restarted { id: 5, hops: Default::default(), cost: Cost::FREE },
    ];
    for announcement in wrong {
        let mut publisher = world.publisher(lite_06, &["x"]).await;
        publisher.announcer.ended("x").await; // retires id 0
        publisher.announcer.say(&announcement()).await;
        assert_eq!(publisher.closed().await.code, Some(close::PROTOCOL_VIOLATION));
    }
    assert_eq!(suffixes(&viewer.announced("").await.rest().await), ["a"], "and nobody else is hurt");
}
