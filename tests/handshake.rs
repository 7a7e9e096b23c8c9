//! Every client gets the dialect it should, the root it asked for, or a reason why not.

mod common;

use common::{Peer, Socket, TestRelay, dialect, every_dialect};
use moq_relay::{
    auth,
    transport::{Connection, quic},
    types::HopId,
    wire::{
        Dialect,
        lite::{close, setup::Setup},
    },
};
use quinn::{TransportConfig, crypto::rustls::HandshakeData};

fn limits() -> TransportConfig {
    TransportConfig::default()
}

/// A peer on raw QUIC that says in SETUP where it wants to go, where its dialect lets it.
async fn raw(relay: &TestRelay, dialect: &'static Dialect, target: &str) -> Peer {
    let path = Some(target.to_owned());
    Peer::start(relay.raw(dialect.alpn, limits()).await, dialect, Setup { path, hop: HopId(9), ..Setup::default() })
}

/// A peer on WebTransport, whose URL says where it wants to go.
async fn web(relay: &TestRelay, dialect: &'static Dialect, target: &str) -> Peer {
    Peer::start(relay.web(target, dialect.alpn, limits()).await, dialect, Setup::default())
}

async fn public(prefix: &str) -> TestRelay {
    let scope = auth::Config::public_scope([prefix]).unwrap();
    TestRelay::with(|config| config.auth.public = scope).await
}

#[tokio::test]
async fn a_path_is_the_root_of_all_names() {
    every_dialect(async |dialect| {
        let relay = TestRelay::start().await;
        let watching = relay.peer(Socket::Web, dialect).await;
        let mut announced = watching.announced("").await;
        let mut publishers = vec![(web(&relay, dialect, "/web//room/?x=/y").await, "web/room/a")];
        if dialect.setup.is_some() {
            publishers.push((raw(&relay, dialect, "/raw/room?x=/y").await, "raw/room/a"));
            publishers.push((raw(&relay, dialect, "raw").await, "raw/a"));
        } else {
            publishers.push((raw(&relay, dialect, "").await, "a"));
        }
        for (publisher, expected) in publishers {
            let _publisher = common::Publisher::new(publisher, &["a"]).await;
            assert_eq!(announced.next().await.kind(), ("active", expected));
            drop(_publisher);
            assert_eq!(announced.next().await.kind(), ("ended", expected));
        }
    })
    .await;
}

#[tokio::test]
async fn outside_of_what_is_public_a_session_is_refused_with_a_reason() {
    every_dialect(async |dialect| {
        let relay = public("anon").await;
        let mut refused = vec![web(&relay, dialect, "private").await, web(&relay, dialect, "anonymous").await];
        refused.push(web(&relay, dialect, "anon?jwt=ey.no.key").await);
        refused.push(web(&relay, dialect, &"a/".repeat(33)).await);
        if dialect.setup.is_some() {
            refused.push(raw(&relay, dialect, "/private").await);
            refused.push(raw(&relay, dialect, "/anon?jwt=ey.no.key").await);
            refused.push(raw(&relay, dialect, &"a/".repeat(33)).await);
        }
        for peer in refused {
            let closed = peer.closed().await;
            assert_eq!(closed.code, Some(close::UNAUTHORIZED), "{closed:?}");
            assert!(!closed.reason.is_empty() && !closed.reason.contains("ey.no.key"), "{closed:?}");
        }
        let admitted = web(&relay, dialect, "anon/room").await;
        assert_eq!(admitted.announced("").await.ok.map(|ok| ok.active), dialect.announce_ok.map(|_| 0));
    })
    .await;
}

#[tokio::test]
async fn on_raw_quic_the_relay_chooses_its_newest() {
    let relay = TestRelay::start().await;
    let all = ["moq-lite-03", "moq-00", "moq-lite-05", "moq-lite-04", "moq-lite-06"];
    for (offered, expected) in [(&all[..], "moq-lite-06"), (&all[..2], "moq-lite-03"), (&all[..3], "moq-lite-05")] {
        let conn = relay.dial(offered, limits()).await;
        let data = conn.handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
        assert_eq!(data.protocol.as_deref(), Some(expected.as_bytes()));
    }
}

#[tokio::test]
async fn on_web_transport_the_client_chooses() {
    let relay = TestRelay::start().await;
    let rows: [(&[&str], &str); 3] = [
        (&["moq-lite-04", "moq-lite-06"], "moq-lite-04"),
        (&["moq-lite-06-wip", "moqt-17", "moq-lite-05", "moq-lite-06"], "moq-lite-05"),
        (&["moq-lite-06"], "moq-lite-06"),
    ];
    for (offered, expected) in rows {
        let session = relay.session("", offered, limits()).await;
        assert_eq!(session.protocol(), Some(expected));
        let peer = Peer::start(quic_web(session), dialect(&expected[9..]), Setup::default());
        peer.announcer().await;
    }
}

#[tokio::test]
async fn without_a_dialect_in_common_web_transport_is_told_so() {
    let relay = TestRelay::start().await;
    for offered in [&["moqt-99", "moq-lite-06-wip"][..], &[]] {
        let session = relay.session("", offered, limits()).await;
        assert_eq!(session.protocol(), None);
        let closed = common::soon(quic_web(session).closed()).await;
        assert_eq!(closed.code, Some(close::VERSION_NEGOTIATION_FAILED), "{closed:?}");
    }
}

#[tokio::test]
async fn a_setup_that_breaks_the_rules_is_answered_with_its_code_on_every_door() {
    let relay = TestRelay::start().await;
    for name in ["05", "06"] {
        let dialect = dialect(name);
        for conn in [relay.raw(dialect.alpn, limits()).await, relay.web("", dialect.alpn, limits()).await] {
            let mut out = conn.open_uni().await.unwrap();
            out.write(common::raw(&[&[1, 5, 2, 0, 0, 0, 0]])).await.unwrap();
            assert_eq!(common::soon(conn.closed()).await.code, Some(close::PROTOCOL_VIOLATION));
        }
    }
}

fn quic_web(session: web_transport_quinn::Session) -> Connection {
    Connection::Quic(quic::Connection::web(session))
}
