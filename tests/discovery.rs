//! How nodes hear of each other beside their configuration, and what is told of it.

mod common;

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use common::{Event, Shape, Socket, TestRelay, credulous, dialect, shape::linked, soon};
use moq_relay::{cluster::config::Peer, web::config::Listen};
use tokio::time::sleep;

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a node has exactly so many links.
async fn links(node: &TestRelay, links: usize) {
    until(|| node.cluster.links().live().len() == links).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_a_file_is_followed_as_it_changes() {
    let (first, second) = (TestRelay::start().await, TestRelay::start().await);
    let file = first.folder().join("nodes.json");
    let write = |nodes: &[SocketAddr]| {
        let urls: Vec<_> = nodes.iter().map(|node| format!("\"https://{node}/?cost=3\"")).collect();
        // As orchestrators do it: the list is whole at any moment.
        let new = file.with_extension("new");
        fs::write(&new, format!("[{}]", urls.join(","))).unwrap();
        fs::rename(new, &file).unwrap();
    };
    write(&[first.address]);
    let node = TestRelay::with(|config| {
        credulous(config);
        config.cluster.connect_api = Some(file.display().to_string());
    })
    .await;
    soon(links(&node, 1)).await;
    let link = node.cluster.links().live().into_values().next().unwrap();
    assert_eq!((link.price, link.remote), (Some(3), Some(first.address)));

    write(&[first.address, second.address]);
    soon(links(&node, 2)).await;
    // A list that cannot be read changes nothing.
    fs::write(&file, "[").unwrap();
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(node.cluster.links().live().len(), 2);

    write(&[second.address]);
    soon(links(&node, 1)).await;
    let link = node.cluster.links().live().into_values().next().unwrap();
    assert_eq!(link.remote, Some(second.address));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_several_addresses_is_several_nodes() {
    let shape = Shape::new(1);
    let port = shape.address(0).port();
    let at = |host: u8| SocketAddr::from(([127, 0, 0, host], port));
    let mut nodes = Vec::new();
    for host in [1, 2, 3] {
        nodes.push(TestRelay::with(|config| config.transport.server.listen = vec![at(host).into()]).await);
    }
    let node = TestRelay::with(|config| {
        credulous(config);
        config.cluster.connect = vec![Peer::parse(&format!("https://moq.headless.test:{port}/")).unwrap()];
    })
    .await;
    let all = [at(1), at(2), at(3)];
    node.cluster.look_up_by(Arc::new(move |_| Box::pin(async move { Ok(all.to_vec()) })));
    soon(links(&node, 3)).await;
    let viewer = node.peer(Socket::Raw, dialect("06")).await;
    let mut announced = viewer.announced("").await;
    let mut publishers = Vec::new();
    for (other, name) in nodes.iter().zip(["a", "b", "c"]) {
        publishers.push(other.publisher(Socket::Raw, dialect("06"), &[name]).await);
        assert_eq!(announced.next().await.kind(), ("active", name));
    }
    // One of them is taken out of the name, and one dies.
    node.cluster.look_up_by(Arc::new(move |_| Box::pin(async move { Ok(all[..2].to_vec()) })));
    nodes[0].stop.send_replace(true);
    let mut left = 3;
    while left > 1 {
        // The way to one that is about to leave becomes the last choice first.
        left -= usize::from(matches!(announced.next().await, Event::Ended(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_told_to_whoever_may_see_everything() {
    let with_pages = |config: &mut moq_relay::config::Config| {
        config.web.http.listen = Listen::BesideServer;
        config.web.internal = Some(common::ANYWHERE.into());
    };
    let root = TestRelay::with(with_pages).await;
    let dead = Shape::new(1).address(0);
    let leaf = TestRelay::with(|config| {
        credulous(config);
        with_pages(config);
        config.cluster.node = Some("leaf.test:4443".into());
        config.cluster.root = Some(root.address.to_string());
        config.cluster.connect = vec![Peer::parse(&format!("https://{dead}/?cost=7&jwt=secret")).unwrap()];
        config.cluster.dial.timeout = Duration::from_millis(300);
    })
    .await;
    soon(linked(&leaf, 1)).await;
    let _publisher = root.publisher(Socket::Raw, dialect("06"), &["a", "b"]).await;
    let page = soon(async {
        loop {
            let answer = leaf.get("/nodes", "").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let page: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let told = page["nodes"].as_array().unwrap();
            if told.len() == 2
                && told.iter().any(|node| node["connections"][0]["routes"] == 3)
                && told.iter().any(|node| node["dials"][0]["failures"] != 0)
            {
                assert!(!answer.body.contains("secret"));
                break page;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(page["node"], "leaf.test:4443");
    assert_eq!(page["origin_id"], leaf.origin.hop().0.to_string());
    let find = |port: u16| {
        let name = format!("https://127.0.0.1:{port}/");
        page["nodes"].as_array().unwrap().iter().find(|node| node["node"] == name).unwrap().clone()
    };
    let linked = find(root.address.port());
    assert_eq!((&linked["linked"], &linked["connections"][0]["direction"]), (&true.into(), &"outbound".into()));
    assert_eq!(linked["origin_id"], root.origin.hop().0.to_string());
    let missing = find(dead.port());
    assert_eq!((&missing["linked"], &missing["connections"]), (&false.into(), &serde_json::json!([])));
    assert!(missing["dials"][0]["last_error"].as_str().is_some_and(|error| !error.is_empty()), "{missing}");

    // The root knows the leaf by the name that it has registered under.
    let answer = root.get("/nodes", "").await;
    let page: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let leaf_there = &page["nodes"][0];
    assert_eq!(
        (&leaf_there["node"], &leaf_there["announced"]["hop_count"]),
        (&"https://leaf.test:4443/".into(), &1.into())
    );
    assert_eq!(leaf_there["connections"][0]["direction"], "inbound");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_not_told_to_whoever_may_not() {
    let relay = TestRelay::with(|config| {
        config.web.http.listen = Listen::BesideServer;
        config.auth.public.both = moq_relay::types::Scope::new(vec![common::path("anon")]);
    })
    .await;
    assert_eq!(relay.get("/nodes", "").await.status, 401);
}

/// A node that stops asks those linked with it to move: their link is dialed anew before the old one ends, and
/// nothing that it carried is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_is_left_in_order() {
    let stopping = TestRelay::start().await;
    let node = TestRelay::with(|config| {
        credulous(config);
        config.cluster.connect = vec![Peer::parse(&format!("https://{}/", stopping.address)).unwrap()];
    })
    .await;
    // What has come through says that both sides have begun: who is still at the door is not asked to move.
    let _publisher = node.publisher(Socket::Raw, dialect("06"), &["a"]).await;
    soon(until(|| !stopping.origin.broadcasts().is_empty())).await;
    stopping.stop.send_replace(true);
    soon(until(|| node.cluster.links().live().values().any(|link| link.leaving))).await;
    soon(until(|| node.cluster.links().live().is_empty())).await;
    soon(until(|| node.cluster.links().attempts().into_values().all(|attempt| attempt.failures != 0))).await;
}

/// A node that stops waits for no link that is not there: the first place never answers, the others refuse.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_gives_up_dialing() {
    for (place, give_up) in
        [("https://127.0.0.1:1/", None), ("tcp://127.0.0.1:1/", None), ("tcp://127.0.0.1:1/", Some(Duration::ZERO))]
    {
        let node = TestRelay::with(|config| {
            credulous(config);
            config.cluster.connect = vec![Peer::parse(place).unwrap()];
            config.cluster.dial.backoff.timeout = give_up;
            config.session.drain = Duration::from_secs(600);
        })
        .await;
        sleep(Duration::from_millis(50)).await;
        node.stop.send_replace(true);
        soon(node.over()).await;
    }
}
