//! Sessions on several workers: each stays on its own, wherever its client moves, and all see the same broadcasts.

mod common;

use std::{net::UdpSocket, sync::Arc};

use common::{ANYWHERE, End, Feed, Peer, Publisher, Socket, Subscription, TestRelay, VIDEO, latest};
use moq_relay::{
    relay::Relay,
    transport::{Connection, quic},
    types::HopId,
    wire::{Dialect, lite::setup::Setup},
};
use quinn::{ConnectionId, Endpoint, TransportConfig};

const WORKERS: u16 = 4;
const ALPN: &str = "moq-lite-05";

fn dialect() -> &'static Dialect {
    Dialect::every().find(|dialect| dialect.alpn == ALPN).unwrap()
}

async fn relay() -> TestRelay {
    TestRelay::with(|config| config.transport.runtime.workers = Some(WORKERS)).await
}

/// A client with a socket of its own.
struct Client {
    endpoint: Endpoint,
    peer: Peer,
}

impl Client {
    /// On the worker that its first connection id leads to.
    async fn on(relay: &TestRelay, worker: u16) -> Self {
        let endpoint = Endpoint::client(ANYWHERE).unwrap();
        let mut config = relay.client(&[ALPN], TransportConfig::default());
        config.initial_dst_cid_provider(Arc::new(move || {
            let mut id = [7; 8];
            id[..2].copy_from_slice(&(WORKERS * rand::random_range(0..1000) + worker).to_be_bytes());
            ConnectionId::new(&id)
        }));
        let conn = endpoint.connect_with(config, relay.address, "localhost").unwrap().await.unwrap();
        let conn = Connection::Quic(quic::Connection::raw(conn));
        let setup = Setup { hop: HopId(rand::random_range(1..1 << 60)), path: Some("/".into()), ..Setup::default() };
        Self { endpoint, peer: Peer::begin(conn, dialect(), setup).await }
    }

    /// Goes on from another address.
    fn moves(&self) {
        self.endpoint.rebind(UdpSocket::bind(ANYWHERE).unwrap()).unwrap();
    }
}

/// A publisher on worker 0 and a viewer on each.
struct Show {
    publisher: Publisher,
    endpoint: Endpoint,
    feed: Feed,
    viewers: Vec<(Client, Subscription)>,
}

impl Show {
    async fn on(relay: &TestRelay) -> Self {
        let Client { endpoint, peer } = Client::on(relay, 0).await;
        let publisher = Publisher::new(peer, &["room/a"]).await;
        let mut viewers = Vec::new();
        for worker in 0..WORKERS {
            let client = Client::on(relay, worker).await;
            client.peer.announced("").await.next().await;
            let subscription = client.peer.subscribe("room/a", VIDEO, latest()).await;
            viewers.push((client, subscription));
        }
        let feed = publisher.feed().await;
        Self { publisher, endpoint, feed, viewers }
    }
}

#[tokio::test]
async fn every_worker_has_every_frame() {
    let relay = relay().await;
    let mut show = Show::on(&relay).await;
    for sequence in 0..20 {
        show.feed.whole_group(sequence, &[b"key", b"delta", &[sequence as u8; 5000]]).await;
        for (_, subscription) in &mut show.viewers {
            let mut group = subscription.group().await;
            let (payloads, end) = group.payloads().await;
            assert_eq!((group.sequence(), payloads.len(), payloads[2].len(), end), (sequence, 3, 5000, End::Fin));
        }
    }
    assert_eq!(show.publisher.subscribes(), 1, "one subscription for all workers");
}

#[tokio::test]
async fn clients_that_change_their_address_lose_nothing() {
    let relay = relay().await;
    let mut show = Show::on(&relay).await;
    let mut group = show.feed.group(0).await;
    for frame in 0..200 {
        group.frame(1000 * frame, &[frame as u8; 2000]).await;
        if frame % 50 == 25 {
            show.viewers.iter().for_each(|(client, _)| client.moves());
        }
        if frame == 100 {
            show.endpoint.rebind(UdpSocket::bind(ANYWHERE).unwrap()).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    group.finish();
    for (_, subscription) in &mut show.viewers {
        let (payloads, end) = subscription.group().await.payloads().await;
        assert_eq!((payloads.len(), end), (200, End::Fin));
        assert!(payloads.iter().zip(0..).all(|(payload, frame)| payload[..] == [frame; 2000]));
    }
    // The sessions live: they are told of what comes next.
    show.feed.whole_group(1, &[b"on"]).await;
    for (_, subscription) in &mut show.viewers {
        assert_eq!(subscription.group().await.payloads().await, (vec!["on".into()], End::Fin));
    }
}

#[tokio::test]
async fn a_second_relay_does_not_share_the_port() {
    let relay = relay().await;
    let mut config = moq_relay::config::Config::default();
    config.transport.server.tls.generate = vec!["localhost".to_owned()];
    config.transport.server.listen = vec![relay.address.into()];
    config.transport.runtime.workers = Some(2);
    config.web.http.listen = moq_relay::web::config::Listen::Off;
    let refused = Relay::bind(&config, false).unwrap_err();
    assert!(format!("{refused:#}").contains("in use"), "{refused:#}");
}

#[tokio::test]
async fn every_door_meets_every_worker() {
    let relay = TestRelay::with(|config| {
        config.web.http.listen = moq_relay::web::config::Listen::BesideServer;
        config.transport.server.tcp = vec![ANYWHERE.into()];
        config.transport.runtime.workers = Some(WORKERS);
    })
    .await;
    for (number, socket) in Socket::ALL.into_iter().enumerate() {
        let viewer = Client::on(&relay, number as u16 % WORKERS).await;
        relay.peer(socket, dialect()).await.reaches(&viewer.peer, "a").await;
        let publisher = Client::on(&relay, number as u16 % WORKERS).await;
        publisher.peer.reaches(&relay.peer(socket, dialect()).await, "a").await;
    }
}
