//! Several publishers on one path: the best serves, another takes over, and viewers notice as little as can be.

mod common;

use common::{
    Announced, Door, End, Event, Feed, Peer, Publisher, Subscription, VIDEO, World, every_dialect, every_pair, latest,
    settle, timestamp,
};
use moq_relay::{
    types::{Cost, Start, code},
    wire::{
        Dialect,
        dialect::{HopForm, Replace},
    },
};
use tokio::time::{Duration, Instant, sleep};

/// Announces `room/a` as reached over `way`, publisher first, before the peer itself.
async fn announce(publisher: &mut Publisher, way: &[u64]) {
    let own = publisher.hop.0;
    let dialect = publisher.dialect;
    let hops = if dialect.hops == HopForm::ReceiverAppends { way.to_vec() } else { [way, &[own]].concat() };
    publisher.announcer.active_over("room/a", &hops, Cost::FREE).await;
    settle().await;
}

async fn publisher(world: &World, dialect: &'static Dialect, way: &[u64]) -> Publisher {
    let mut publisher = world.publisher(dialect, &[]).await;
    announce(&mut publisher, way).await;
    publisher
}

/// A publisher, another behind one more relay, and a viewer who is served by the first.
struct Pair {
    world: World,
    main: Publisher,
    standby: Publisher,
    viewer: Peer,
    announced: Announced,
    subscription: Subscription,
    feed: Feed,
}

impl Pair {
    async fn new(from: &'static Dialect, to: &'static Dialect) -> Self {
        Self::over(from, to, [&[], &[7]]).await
    }

    async fn over(from: &'static Dialect, to: &'static Dialect, ways: [&[u64]; 2]) -> Self {
        let world = World::new();
        let standby = publisher(&world, from, ways[1]).await;
        let main = publisher(&world, from, ways[0]).await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        assert_eq!(announced.next().await.kind(), ("active", "room/a"));
        let subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let feed = main.feed().await;
        assert_eq!(standby.subscribes(), 0);
        Self { world, main, standby, viewer, announced, subscription, feed }
    }

    /// The viewer hears that the way has changed, if its dialect has a way to say so.
    async fn hears_of_the_change(&mut self) {
        let events = self.announced.rest().await;
        match self.viewer.dialect.replace {
            Replace::Retract => assert_eq!(events, [], "old dialects hear nothing"),
            Replace::Again => assert!(matches!(events[..], [Event::Active { .. }]), "{events:?}"),
            Replace::Restart => assert!(matches!(events[..], [Event::Restarted { .. }]), "{events:?}"),
        }
    }
}

async fn whole(subscription: &mut Subscription, sequence: u64, payload: &'static [u8]) {
    let mut group = subscription.group().await;
    assert_eq!((group.sequence(), group.payloads().await), (sequence, (vec![payload.into()], End::Fin)));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_goes_on_above_takes_over_at_a_group() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        show.feed.whole_group(3, &[b"main"]).await;
        let mut half = show.feed.group(4).await;
        half.frame(timestamp(4, 0), b"half").await;
        show.subscription.reply().await.unwrap();
        whole(&mut show.subscription, 3, b"main").await;
        let mut group = show.subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"half");

        show.main.die();
        assert!(matches!(group.frame().await, Err(End::Reset(_))), "a half-sent group is cut");
        let mut feed = show.standby.feed().await;
        show.hears_of_the_change().await;
        feed.whole_group(5, &[b"standby"]).await;
        whole(&mut show.subscription, 5, b"standby").await;
        sleep(Duration::from_millis(10)).await;
        feed.whole_group(6, &[b"standby"]).await;
        whole(&mut show.subscription, 6, b"standby").await;
        assert!(show.announced.rest().await.is_empty());
        assert_eq!(show.standby.subscribes(), 1);

        let late = show.world.peer(to);
        let mut subscription = late.subscribe("room/a", VIDEO, common::live(to)).await;
        whole(&mut subscription, 6, b"standby").await;
        feed.end(7).await;
        if to.implicit_accept {
            show.subscription.reply().await.unwrap();
        }
        assert_eq!(show.subscription.end().await, End::Fin);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_starts_below_is_other_content() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        for sequence in 3..6 {
            show.feed.whole_group(sequence, &[b"main"]).await;
            whole(&mut show.subscription, sequence, b"main").await;
        }
        show.subscription.reply().await.unwrap();
        show.main.die();
        let mut feed = show.standby.feed().await;
        show.hears_of_the_change().await;
        feed.whole_group(2, &[b"standby"]).await;
        assert_eq!(show.subscription.end().await, End::Reset(code::OLD));
        let heard = show.announced.rest().await;
        let kinds: Vec<_> = heard.iter().map(|event| event.kind().0).collect();
        if to.replace == Replace::Retract {
            assert_eq!(kinds, ["ended", "active"]);
        } else {
            assert!(kinds.is_empty(), "it was told in place: {kinds:?}");
        }
        let mut anew = show.viewer.subscribe("room/a", VIDEO, common::from(0)).await;
        whole(&mut anew, 2, b"standby").await;
        assert!(anew.try_group().is_none(), "nothing is left of the content before");
        feed.whole_group(3, &[b"standby"]).await;
        whole(&mut anew, 3, b"standby").await;
        assert_eq!(show.standby.subscribes(), 1);
    })
    .await;
}

/// Its numbers are its own: what viewers have asked for says nothing of it.
#[tokio::test(start_paused = true)]
async fn a_standby_is_asked_for_its_newest_group() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        show.feed.whole_group(18, &[b"main"]).await;
        whole(&mut show.subscription, 18, b"main").await;
        let _further = show.viewer.subscribe("room/a", VIDEO, common::from(18)).await;
        settle().await;
        show.main.die();
        let feed = show.standby.feed().await;
        let asked = &feed.subscribe.preferences;
        if from.starts_by_age {
            assert_eq!((asked.start, asked.max_age), (Start::Fresh { floor: 0 }, Some(Duration::ZERO)));
        } else {
            assert_eq!(asked.start, Start::Latest);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_between_two_publishers_gets_nothing_of_the_first() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        show.feed.whole_group(5, &[b"main"]).await;
        whole(&mut show.subscription, 5, b"main").await;
        show.subscription.reply().await.unwrap();
        show.main.die();
        let mut feed = show.standby.feed().await;
        let late = show.world.peer(to);
        let mut subscription = late.subscribe("room/a", VIDEO, common::live(to)).await;
        settle().await;
        assert!(subscription.try_group().is_none());
        for sequence in 0..2 {
            feed.whole_group(sequence, &[b"standby"]).await;
            whole(&mut subscription, sequence, b"standby").await;
        }
        assert_eq!(show.subscription.end().await, End::Reset(code::OLD));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_ends_without_a_group_does_not_finish_what_another_has_begun() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        show.feed.whole_group(5, &[b"main"]).await;
        whole(&mut show.subscription, 5, b"main").await;
        show.subscription.reply().await.unwrap();
        show.main.die();
        show.standby.feed().await.end(0).await;
        assert_eq!(show.subscription.end().await, End::Reset(code::OLD));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_cached_any_more_and_comes_again_is_for_those_who_have_not_had_it() {
    every_pair(async |from, to| {
        if !from.send_updates || matches!(from.hops, HopForm::Absent | HopForm::Count) {
            return;
        }
        let mut show = Pair::over(from, to, [&[7], &[7, 8]]).await;
        for sequence in 0..3 {
            show.feed.whole_group(sequence, &[b"same"]).await;
            whole(&mut show.subscription, sequence, b"same").await;
        }
        sleep(Duration::from_secs(60)).await;
        show.main.die();
        let mut feed = show.standby.feed().await;
        let fresh = show.world.peer(common::dialect("05"));
        let mut late = fresh.subscribe("room/a", VIDEO, common::from(0)).await;
        settle().await;
        for sequence in 0..2 {
            feed.whole_group(sequence, &[b"same"]).await;
        }
        feed.whole_group(3, &[b"same"]).await;
        whole(&mut show.subscription, 3, b"same").await;
        let mut had = Vec::new();
        for _ in 0..4 {
            had.push(late.group().await.sequence());
        }
        assert_eq!(had, [2, 0, 1, 3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_publisher_over_another_way_goes_on_by_number() {
    every_pair(async |from, to| {
        if matches!(from.hops, HopForm::Absent | HopForm::Count) {
            return; // names do not travel
        }
        let mut show = Pair::over(from, to, [&[7], &[7, 8]]).await;
        show.feed.whole_group(3, &[b"same"]).await;
        whole(&mut show.subscription, 3, b"same").await;
        let mut half = show.feed.group(4).await;
        half.frame(timestamp(4, 0), b"half").await;
        let mut group = show.subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"half");
        show.main.die();
        assert!(matches!(group.frame().await, Err(End::Reset(_))));

        let mut feed = show.standby.feed().await;
        let mut again = feed.group(3).await;
        assert_eq!(again.stopped().await, Some(code::CANCELLED), "the first copy wins");
        feed.whole_group(4, &[b"whole"]).await;
        whole(&mut show.subscription, 4, b"whole").await;
        feed.whole_group(5, &[b"next"]).await;
        whole(&mut show.subscription, 5, b"next").await;
        show.hears_of_the_change().await;
        assert!(show.subscription.try_group().is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_better_way_opens_no_gap() {
    every_dialect(async |dialect| {
        let world = World::new();
        let far = publisher(&world, dialect, &[7]).await;
        let viewer = world.peer(dialect);
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = far.feed().await;
        feed.whole_group(3, &[b"far"]).await;
        whole(&mut subscription, 3, b"far").await;
        let mut live = feed.group(4).await;
        live.frame(timestamp(4, 0), b"one").await;
        let mut group = subscription.group().await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"one");

        let near = publisher(&world, dialect, &[]).await;
        let mut better = near.feed().await;
        live.frame(timestamp(4, 1), b"two").await;
        assert_eq!(&group.frame().await.unwrap().payload[..], b"two", "the one before goes on until the other begins");
        better.whole_group(5, &[b"near"]).await;
        whole(&mut subscription, 5, b"near").await;
        assert_eq!(group.frame().await, Err(End::Reset(code::OLD)), "and is cut then");
        assert_eq!(feed.update().await, Err(End::Fin), "and unsubscribed");
        assert_eq!((near.subscribes(), far.subscribes()), (1, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_worse_way_changes_nothing() {
    every_pair(async |from, to| {
        if from.hops == HopForm::Absent {
            return; // no way is longer than another
        }
        let mut show = Pair::new(from, to).await;
        show.feed.whole_group(0, &[b"x"]).await;
        whole(&mut show.subscription, 0, b"x").await;
        let third = publisher(&show.world, from, &[7, 8]).await;
        show.standby.die();
        sleep(Duration::from_secs(30)).await;
        assert!(show.announced.rest().await.is_empty());
        assert_eq!((third.subscribes(), show.standby.subscribes(), show.main.subscribes()), (0, 0, 1));
        show.feed.whole_group(1, &[b"y"]).await;
        whole(&mut show.subscription, 1, b"y").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_lost_before_its_first_group_is_not_missed() {
    every_pair(async |from, to| {
        let mut show = Pair::new(from, to).await;
        show.main.die();
        let mut feed = show.standby.feed().await;
        feed.whole_group(0, &[b"standby"]).await;
        whole(&mut show.subscription, 0, b"standby").await;
    })
    .await;
}

/// A viewer of a broadcast whose only announcement is a node's that has no way to it.
struct Unroutable {
    world: World,
    node: Publisher,
    viewer: Peer,
    subscription: Subscription,
}

impl Unroutable {
    async fn new(from: &'static Dialect, to: &'static Dialect) -> Self {
        let world = World::new();
        let node = publisher(&world, from, &[7]).await;
        let viewer = world.peer(to);
        let subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        node.feed().await.out.reset(code::UNROUTABLE);
        settle().await;
        Self { world, node, viewer, subscription }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_the_source_is_waited_for() {
    every_pair(async |from, to| {
        let mut lost = Unroutable::new(from, to).await;
        lost.node.announcer.ended("room/a").await;
        sleep(Duration::from_millis(500)).await;

        let source = publisher(&lost.world, from, &[]).await;
        let mut feed = source.feed().await;
        feed.whole_group(0, &[b"x"]).await;
        whole(&mut lost.subscription, 0, b"x").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_finds_the_source_elsewhere_is_asked_again() {
    every_pair(async |from, to| {
        if !from.hops.names_nodes() || from.replace == Replace::Retract {
            return;
        }
        let mut lost = Unroutable::new(from, to).await;
        let hops = if from.hops == HopForm::ReceiverAppends { vec![7, 8] } else { vec![7, 8, lost.node.hop.0] };
        match from.replace {
            Replace::Restart => lost.node.announcer.restart_over("room/a", &hops, Cost::FREE).await,
            _ => lost.node.announcer.active_over("room/a", &hops, Cost::FREE).await,
        }
        let mut feed = lost.node.feed().await;
        feed.whole_group(0, &[b"x"]).await;
        whole(&mut lost.subscription, 0, b"x").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_stays_lost_is_not_waited_for_long() {
    every_pair(async |from, to| {
        let before = Instant::now();
        let mut lost = Unroutable::new(from, to).await;
        while lost.subscription.reply().await.is_ok() {}
        assert_eq!(lost.subscription.end().await, End::Reset(code::UNROUTABLE));
        let waited = before.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&waited), "{waited:?}");

        let mut again = lost.viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = lost.node.feed().await;
        feed.whole_group(0, &[b"x"]).await;
        whole(&mut again, 0, b"x").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn taking_back_an_announcement_moves_viewers_and_hurts_nobody() {
    every_dialect(async |dialect| {
        let mut show = Pair::new(dialect, dialect).await;
        show.feed.whole_group(0, &[b"main"]).await;
        whole(&mut show.subscription, 0, b"main").await;
        show.main.announcer.ended("room/a").await;
        let mut feed = show.standby.feed().await;
        show.feed.whole_group(1, &[b"main"]).await;
        whole(&mut show.subscription, 1, b"main").await;
        feed.whole_group(2, &[b"standby"]).await;
        whole(&mut show.subscription, 2, b"standby").await;
        assert_eq!(show.feed.update().await, Err(End::Fin));

        // The last way gone, what runs goes on until its own end.
        show.standby.announcer.ended("room/a").await;
        settle().await;
        feed.whole_group(3, &[b"standby"]).await;
        whole(&mut show.subscription, 3, b"standby").await;
        let mut new = show.viewer.subscribe("room/a", VIDEO, latest()).await;
        assert_eq!(new.end().await, End::Reset(code::NOT_FOUND));
        feed.end(4).await;
        while show.subscription.reply().await.is_ok() {}
        assert_eq!(show.subscription.end().await, End::Fin);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_returns_is_a_new_one() {
    every_pair(async |from, to| {
        let world = World::new();
        let first = publisher(&world, from, &[]).await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        announced.next().await;
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = first.feed().await;
        feed.whole_group(9, &[b"x"]).await;
        whole(&mut subscription, 9, b"x").await;
        subscription.reply().await.unwrap();
        first.die();
        assert_eq!(subscription.end().await, End::Reset(code::SESSION_CLOSED));
        assert_eq!(announced.next().await.kind(), ("ended", "room/a"));

        let second = publisher(&world, from, &[]).await;
        assert_eq!(announced.next().await.kind(), ("active", "room/a"));
        let mut subscription = viewer.subscribe("room/a", VIDEO, common::from(0)).await;
        let mut feed = second.feed().await;
        feed.whole_group(0, &[b"y"]).await;
        whole(&mut subscription, 0, b"y").await;
        settle().await;
        assert!(subscription.try_group().is_none(), "nothing of the first one is left");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_ends_and_begins_again_is_a_new_one() {
    every_pair(async |from, to| {
        let world = World::new();
        let mut publisher = publisher(&world, from, &[]).await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        announced.next().await;
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = publisher.feed().await;
        feed.whole_group(7, &[b"x"]).await;
        whole(&mut subscription, 7, b"x").await;
        publisher.announcer.ended("room/a").await;
        assert_eq!(announced.next().await.kind(), ("ended", "room/a"));
        subscription.leave();
        announce(&mut publisher, &[]).await;
        assert_eq!(announced.next().await.kind(), ("active", "room/a"));

        // The same session, and the name its dialect gives it: still nothing of the cache before is of this broadcast.
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = publisher.feed().await;
        feed.whole_group(0, &[b"y"]).await;
        whole(&mut subscription, 0, b"y").await;
        settle().await;
        assert!(subscription.try_group().is_none());
    })
    .await;
}

/// A node that has no other words for it tells by an end and a beginning that a broadcast goes another way.
#[tokio::test(start_paused = true)]
async fn another_way_told_in_one_breath_is_the_same_broadcast() {
    let old = common::dialect("04");
    every_dialect(async |to| {
        let world = World::new();
        let node = world.connect(Door { node: true, ..Door::new(old) });
        let mut node = Publisher::new(node, &[]).await;
        announce(&mut node, &[7]).await;
        let viewer = world.peer(to);
        let mut announced = viewer.announced("").await;
        announced.next().await;
        let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        let mut feed = node.feed().await;
        feed.whole_group(3, &[b"before"]).await;
        whole(&mut subscription, 3, b"before").await;

        node.announcer.ended("room/a").await;
        announce(&mut node, &[7, 8]).await;
        let heard = announced.rest().await;
        assert!(heard.iter().all(|event| event.kind().0 != "ended"), "{heard:?}");
        let standby = publisher(&world, old, &[7, 8, 9]).await;
        node.die();
        let mut feed = standby.feed().await;
        feed.whole_group(4, &[b"after"]).await;
        whole(&mut subscription, 4, b"after").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_way_told_anew_in_one_breath_is_another_broadcast() {
    let world = World::new();
    let old = common::dialect("04");
    let node = world.connect(Door { node: true, ..Door::new(old) });
    let mut node = Publisher::new(node, &[]).await;
    announce(&mut node, &[7]).await;
    let viewer = world.peer(old);
    let _before = viewer.subscribe("room/a", VIDEO, latest()).await;
    let _feed = node.feed().await;
    node.announcer.ended("room/a").await;
    announce(&mut node, &[7]).await;
    let mut subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
    let mut feed = node.feed().await;
    feed.whole_group(0, &[b"anew"]).await;
    whole(&mut subscription, 0, b"anew").await;
}
