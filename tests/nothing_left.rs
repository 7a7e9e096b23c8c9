//! When everybody has gone, nothing of them is left.

mod common;

use std::time::Duration;

use common::{Door, Event, Show, VIDEO, World, every_pair, latest, settle};
use moq_relay::types::{FrameRange, code};
use tokio::time::sleep;

fn assert_nothing_is_left(world: &World) {
    assert!(world.origin.is_empty(), "{:#?}", world.origin);
    assert_eq!(world.origin.broadcasts(), []);
    assert_eq!(world.origin.cache().used(), 0);
}

#[tokio::test(start_paused = true)]
async fn publisher_first() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let _announced = show.viewer.announced("room").await;
        show.feed.whole_group(0, &[&[7; 100_000]]).await;
        let _half = show.feed.group(1).await;
        settle().await;
        assert!(show.world.origin.cache().used() > 100_000 && !show.world.origin.is_empty());
        show.publisher.die();
        settle().await;
        assert_eq!(show.world.origin.cache().used(), 0, "nobody can ask for what was cached any more");
        show.viewer.die();
        show.world.deserted().await;
        assert_nothing_is_left(&show.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn viewer_first() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let _announced = show.viewer.announced("room").await;
        show.feed.whole_group(0, &[&[7; 100_000]]).await;
        settle().await;
        show.viewer.die();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(show.world.origin.cache().used(), 0, "the linger is over");
        assert_eq!(show.world.origin.broadcasts().len(), 1);
        show.publisher.die();
        show.world.deserted().await;
        assert_nothing_is_left(&show.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn both_politely() {
    every_pair(async |publisher, viewer| {
        let mut show = Show::new(publisher, viewer).await;
        let mut announced = show.viewer.announced("room").await;
        assert_eq!(announced.next().await.kind(), ("active", "a"));
        show.feed.whole_group(0, &[b"x"]).await;
        show.feed.end(1).await;
        while show.subscription.reply().await.is_ok() {}
        show.subscription.leave();
        show.publisher.announcer.ended("room/a").await;
        assert_eq!(announced.next().await, Event::Ended("a".into()));
        announced.out.finish();
        assert_eq!(announced.end().await, common::End::Fin);
        settle().await;
        assert_nothing_is_left(&show.world);
        show.viewer.die();
        show.publisher.die();
        show.world.deserted().await;
        assert_nothing_is_left(&show.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_came_to_nothing() {
    every_pair(async |publisher, viewer| {
        let world = World::new();
        let publisher = world.publisher(publisher, &["room/a"]).await;
        settle().await;
        let viewer = world.peer(viewer);
        let mut refused = viewer.subscribe("room/a", VIDEO, latest()).await;
        publisher.feed().await.out.reset(code::NOT_FOUND);
        while refused.reply().await.is_ok() {}
        let mut absent = viewer.subscribe("elsewhere/a", VIDEO, latest()).await;
        assert!(absent.reply().await.is_err());
        let _unheard = viewer.announced("nowhere/at/all").await;
        let _outside = world.connect(Door::new(viewer.dialect).subscribe(&["x/y"])).announced("z").await;
        if viewer.dialect.fetch.is_some() {
            let mut fetched = viewer.fetch("room/a", VIDEO, 3, FrameRange::default()).await;
            if publisher.dialect.fetch.is_some() {
                publisher.fetch_asked().await.refuse(code::NOT_FOUND);
            }
            fetched.group.rest().await;
        }
        viewer.die();
        sleep(Duration::from_secs(10)).await;
        publisher.die();
        world.deserted().await;
        assert_nothing_is_left(&world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn standbys() {
    every_pair(async |publisher, viewer| {
        let show = Show::new(publisher, viewer).await;
        let standby = show.world.publisher(publisher, &["room/a"]).await;
        let mut feed = standby.feed().await;
        feed.whole_group(0, &[b"x"]).await;
        settle().await;
        show.publisher.die();
        settle().await;
        standby.die();
        show.viewer.die();
        show.world.deserted().await;
        assert_nothing_is_left(&show.world);
    })
    .await;
}
