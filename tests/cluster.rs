//! Nodes on real sockets: publish anywhere, watch everywhere, each broadcast once over each link.

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{
    End, Event, Peer, Publisher, Shape, Socket, TestRelay, VIDEO, dialect, latest,
    shape::{linked, url},
    soon,
};
use tokio::time::sleep;

/// How long a cluster may take until nothing more happens: discovery, dialing, and the wait for the lesser to dial.
const SETTLED: Duration = Duration::from_millis(500);

/// Everybody publishes, two on each node watch everything, and each node has each track once.
async fn everything_is_everywhere(nodes: &[TestRelay]) {
    let names: BTreeSet<_> = (0..nodes.len()).map(|node| format!("from/{node}")).collect();
    let mut publishers = Vec::new();
    for (node, name) in nodes.iter().zip(&names) {
        publishers.push(node.publisher(Socket::Raw, dialect("06"), &[name]).await);
    }
    let mut viewers = Vec::new();
    for node in nodes {
        for version in ["05", "06"] {
            let viewer = node.peer(Socket::Web, dialect(version)).await;
            let mut announced = viewer.announced("").await;
            soon(all_announced(&mut announced, &names)).await;
            viewers.push((viewer, announced));
        }
    }
    sleep(SETTLED).await;
    let mut subscriptions = Vec::new();
    for (viewer, _) in &viewers {
        for name in &names {
            subscriptions.push((name, viewer.subscribe(name, VIDEO, latest()).await));
        }
    }
    let mut feeds = Vec::new();
    for (publisher, name) in publishers.iter().zip(&names) {
        let mut feed = publisher.feed().await;
        feed.whole_group(0, &[name.as_bytes(), b"end"]).await;
        feeds.push(feed);
    }
    for (name, subscription) in &mut subscriptions {
        let mut group = soon(subscription.group()).await;
        assert_eq!(group.sequence(), 0);
        let (payloads, end) = group.payloads().await;
        assert_eq!((payloads, end), (vec![name.clone().into(), "end".into()], End::Fin), "{name}");
    }
    sleep(SETTLED).await;
    for publisher in &publishers {
        assert_eq!(publisher.subscribes(), 1, "one subscription, however many watch");
    }
    for node in nodes {
        let tracks: Vec<_> = node.origin.broadcasts();
        let running = tracks.iter().filter(|(path, _)| names.contains(path.as_str())).map(|(_, tracks)| *tracks);
        assert_eq!(running.collect::<Vec<_>>(), vec![1; names.len()], "one copy on each node");
    }
    // One leaves, and everybody hears of it.
    let gone = publishers.remove(0);
    drop((gone, feeds));
    let left: BTreeSet<_> = names.iter().skip(1).cloned().collect();
    for (_, announced) in &mut viewers {
        soon(until(announced, |event| matches!(event, Event::Ended(name) if !left.contains(name)))).await;
    }
}

/// Reads until exactly these names are announced. No chain goes in a circle.
async fn all_announced(announced: &mut common::Announced, names: &BTreeSet<String>) {
    let mut live = BTreeSet::new();
    while live != *names {
        let event = announced.next().await;
        let hops: Vec<_> = event.hops().iter().filter(|hop| **hop != 0).collect();
        assert_eq!(hops.iter().collect::<BTreeSet<_>>().len(), hops.len(), "{event:?}");
        match event {
            Event::Active { suffix, .. } | Event::Restarted { suffix, .. } => live.insert(suffix),
            Event::Ended(suffix) => live.remove(&suffix),
        };
    }
}

async fn exactly_linked(nodes: &[TestRelay], links: usize) {
    while nodes.iter().any(|node| node.cluster.links().live().len() != links) {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn until(announced: &mut common::Announced, is_it: impl Fn(&Event) -> bool) {
    while !is_it(&announced.next().await) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_and_two_leaves() {
    everything_is_everywhere(&Shape::root(3).start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_three() {
    everything_is_everywhere(&Shape::chain(3).start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_of_four() {
    everything_is_everywhere(&Shape::ring(4).start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_of_five() {
    let nodes = Shape::mesh(5).start().await;
    everything_is_everywhere(&nodes).await;
    // One link with each of the others, in the end.
    soon(exactly_linked(&nodes, nodes.len() - 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_cluster_are_nobody_elses_business() {
    let nodes = Shape::root(2).start().await;
    soon(linked(&nodes[0], 1)).await;
    let viewer = nodes[0].peer(Socket::Raw, dialect("06")).await;
    for prefix in ["", "internal", "internal/origins"] {
        let announced = viewer.announced(prefix).await;
        assert_eq!(announced.ok.unwrap().active, 0, "{prefix:?}");
    }
    // A stranger who makes up a node is not believed.
    let stranger = nodes[0].peer(Socket::Raw, dialect("06")).await;
    let _publisher = Publisher::new(stranger, &["internal/origins/127.0.0.1:9"]).await;
    sleep(SETTLED).await;
    assert!(nodes[1].cluster.links().attempts().into_keys().all(|(name, _)| !name.as_str().contains(":9/")));
    assert!(nodes[0].origin.broadcasts().iter().all(|(path, _)| !path.as_str().ends_with(":9")));
}

/// A node that two others lead to: the cheap way is taken, and the other one when that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_way_is_taken() {
    let shape = Shape::new(3);
    let (dear, cheap) = (url(shape.address(0), "?cost=10"), url(shape.address(1), "?cost=1"));
    let between = url(shape.address(0), "?cost=1");
    let mut nodes = shape.connect(2, vec![dear, cheap]).connect(1, vec![between]).start().await;
    soon(linked(&nodes[2], 2)).await;
    let publisher = nodes[0].publisher(Socket::Raw, dialect("06"), &["cam"]).await;
    let viewer = nodes[2].peer(Socket::Raw, dialect("06")).await;
    let mut announced = viewer.announced("").await;
    let two = [publisher.hop.0, nodes[0].origin.hop().0, nodes[1].origin.hop().0];
    soon(until(&mut announced, |event| event.hops() == two)).await;
    nodes[1].stop.send_replace(true);
    soon(until(&mut announced, |event| event.hops() == &two[..2])).await;
    drop(nodes.remove(1));
}

/// Two nodes that both dial each other end up with one link.
#[tokio::test(flavor = "multi_thread")]
async fn one_link_is_enough_for_two() {
    let shape = Shape::new(2);
    let (first, second) = (url(shape.address(0), ""), url(shape.address(1), ""));
    let nodes = shape.named().connect(0, vec![second]).connect(1, vec![first]).introduced().start().await;
    for node in &nodes {
        soon(linked(node, 1)).await;
    }
    soon(exactly_linked(&nodes, 1)).await;
    sleep(SETTLED).await;
    assert!(nodes.iter().all(|node| node.cluster.links().live().len() == 1), "and stay with it");
    everything_is_everywhere(&nodes).await;
}

/// Whoever may not: no token where one is needed, and a name that is not one's own.
#[tokio::test(flavor = "multi_thread")]
async fn who_registers_must_be_a_node() {
    let relay = TestRelay::with(|config| config.cluster.token = Some("secret.jwt".into())).await;
    let refused = |target: &'static str| {
        let relay = &relay;
        async move {
            let peer: Peer = relay.peer_at(Socket::Web, dialect("06"), target, Default::default()).await.unwrap();
            peer.closed().await
        }
    };
    let closed = refused("?register=evil.example").await;
    assert_eq!((closed.code, closed.reason.starts_with("auth/not-a-node")), (Some(2), true), "{closed:?}");
}
