//! Nodes on real sockets: publish anywhere, watch everywhere, each broadcast once over each link.

mod common;

use common::{Socket, TestRelay, VIDEO, credulous, dialect, latest};
use moq_relay::cluster::config::Peer;

fn peer(relay: &TestRelay) -> Peer {
    Peer::parse(&format!("https://{}/", relay.address)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_crosses_a_link_both_ways() {
    let first = TestRelay::start().await;
    let second = TestRelay::with(|config| {
        credulous(config);
        config.cluster.connect = vec![peer(&first)];
    })
    .await;
    for (from, to) in [(&first, &second), (&second, &first)] {
        let viewer = to.peer(Socket::Raw, dialect("06")).await;
        from.peer(Socket::Raw, dialect("05")).await.reaches(&viewer, "a").await;
    }
    let _ = (VIDEO, latest());
}
