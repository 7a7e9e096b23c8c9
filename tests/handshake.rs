//! Every client gets the dialect it should, the root it asked for, or a reason why not.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Peer, Socket, TestRelay, dialect, every_dialect};
use moq_relay::{
    auth,
    transport::{Connection, RecvStream, SendStream, quic},
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
    TestRelay::with(|config| config.auth.public.both = scope).await
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

/// draft-ietf-quic-ack-frequency.
#[tokio::test]
async fn clients_are_asked_to_acknowledge_less_often() {
    let relay = TestRelay::start().await;
    let conn = relay.dial(&["moq-lite-04"], limits()).await;
    let asked = async {
        while conn.stats().frame_rx.ack_frequency == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    common::soon(asked).await;
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
    let rows: [(&[&str], &str); 4] = [
        (&["moqt-17", "moql", "moq-lite-06"], "moql"),
        (&["moq-lite-04", "moq-lite-06"], "moq-lite-04"),
        (&["moq-lite-06-wip", "moqt-17", "moq-lite-05", "moq-lite-06"], "moq-lite-05"),
        (&["moq-lite-06"], "moq-lite-06"),
    ];
    for (offered, expected) in rows {
        let session = relay.session("", offered, limits()).await;
        assert_eq!(session.protocol(), Some(expected));
        let dialect = dialect(expected.strip_prefix("moq-lite-").unwrap_or("02"));
        let peer = Peer::start(quic_web(session), dialect, Setup::default());
        peer.announcer().await;
    }
}

#[tokio::test]
async fn without_a_dialect_in_common_a_client_is_told_so() {
    let relay = TestRelay::speaking(&["moq-lite-05", "moq-lite-04"]).await;
    let mut refused = Vec::new();
    for offered in [&["moqt-99", "moq-lite-06"][..], &[]] {
        let session = relay.session("", offered, limits()).await;
        assert_eq!(session.protocol(), None);
        refused.push(quic_web(session));
    }
    for alpn in ["moq-lite-06", "moql"] {
        refused.push(relay.raw(alpn, limits()).await);
    }
    for conn in refused {
        let closed = common::soon(conn.closed()).await;
        assert_eq!(closed.code, Some(close::VERSION_NEGOTIATION_FAILED), "{closed:?}");
        assert!(closed.reason.contains("moq-lite-05, moq-lite-04 offered"), "{closed:?}");
    }
}

/// The first stream of a client whose version SETUP decides: what it says, and the relay's answer.
async fn set_up(conn: &Connection, says: &[u8], answer: usize) -> (SendStream, RecvStream, Vec<u8>) {
    let (mut out, mut recv) = conn.open_bi().await.unwrap();
    // However it is cut into packets.
    for byte in says {
        out.write(Bytes::copy_from_slice(&[*byte])).await.unwrap();
    }
    let mut heard = Vec::new();
    while heard.len() < answer {
        heard.extend_from_slice(&common::soon(recv.read()).await.unwrap().expect("the stream lives"));
    }
    (out, recv, heard)
}

/// Vectors 7, 8, 11 of the wire reference and a draft-7 client; what each is answered.
const SETUPS: [(&str, &[u8], &[u8]); 4] = [
    (
        "JavaScript of 2025: 01, draft 14",
        b"\x20\0\x22\x02\xc0\0\0\0\xff\x0d\xad\x01\xc0\0\0\0\xff\0\0\x0e\x02\x02\x01\x3f\x05\x0bmoq-lite-js",
        b"\x21\0\x09\xc0\0\0\0\xff\x0d\xad\x01\0",
    ),
    (
        "JavaScript of 2026: 02, 01, draft 14",
        b"\x20\0\x31\x03\xc0\0\0\0\xff\x0d\xad\x02\xc0\0\0\0\xff\x0d\xad\x01\xc0\0\0\0\xff\0\0\x0e\
          \x03\x02\x80\0\xa4U\x80\x04\x0bZ\x01\x07\x0bmoq-lite-js",
        b"\x21\0\x09\xc0\0\0\0\xff\x0d\xad\x02\0",
    ),
    (
        "Rust of 2025: 01, without a type in the answer",
        b"\0\x0a\x01\xc0\0\0\0\xff\x0d\xad\x01\0",
        b"\x09\xc0\0\0\0\xff\x0d\xad\x01\0",
    ),
    (
        "a client of drafts 7 to 10",
        b"\x40\x40\x0a\x01\xc0\0\0\0\xff\x0d\xad\x01\0",
        b"\x40\x41\x09\xc0\0\0\0\xff\x0d\xad\x01\0",
    ),
];

#[tokio::test]
async fn setup_in_every_encoding_is_answered_in_kind_and_without_parameters() {
    let relay = TestRelay::start().await;
    for (client, says, answer) in SETUPS {
        for conn in [
            relay.raw("moql", limits()).await,
            relay.raw("moql-01", limits()).await,
            quic_web(relay.session("", &[], limits()).await),
            relay.web("", "moql", limits()).await,
            quic_web(relay.session("", &["moqt-17", "moq-lite-05-wip"], limits()).await),
        ] {
            let (_out, mut recv, heard) = set_up(&conn, says, answer.len()).await;
            assert_eq!(heard, answer, "{client}");
            let silence = tokio::time::timeout(Duration::from_millis(50), recv.read()).await;
            assert!(silence.is_err(), "{client}: the stream stays open and nothing more is said");
        }
    }
}

#[tokio::test]
async fn the_session_stream_lives_as_long_as_the_session() {
    let relay = TestRelay::start().await;
    let (_, says, answer) = SETUPS[0];
    let conn = relay.raw("moql", limits()).await;
    let (mut out, _recv, _) = set_up(&conn, says, answer.len()).await;
    // SESSION_INFO, which nobody needs.
    out.write(Bytes::from_static(&[4, 0x80, 0x0f, 0x42, 0x40])).await.unwrap();
    let alive = tokio::time::timeout(Duration::from_millis(50), conn.closed()).await;
    assert!(alive.is_err());
    out.finish();
    assert_eq!(common::soon(conn.closed()).await.code, Some(close::NONE), "its end is the peer's goodbye");
}

#[tokio::test]
async fn without_a_version_in_common_setup_is_refused_with_a_reason() {
    let relay = TestRelay::speaking(&["moq-lite-05", "moq-lite-02"]).await;
    let (_, says, _) = SETUPS[0];
    for conn in [relay.raw("moql", limits()).await, quic_web(relay.session("", &[], limits()).await)] {
        let (mut out, _recv) = conn.open_bi().await.unwrap();
        out.write(Bytes::from_static(says)).await.unwrap();
        let closed = common::soon(conn.closed()).await;
        assert_eq!(closed.code, Some(close::VERSION_NEGOTIATION_FAILED), "{closed:?}");
        assert!(closed.reason.contains("0xff0dad01") && closed.reason.contains("moq-lite-02"), "{closed:?}");
    }
}

#[tokio::test]
async fn a_first_stream_that_is_no_setup_is_no_session() {
    let relay = TestRelay::start().await;
    let malformed: [(&[u8], u32); 4] = [
        (b"\x01\x01\0", close::CONTROL_TIMEOUT),
        (b"\x20\0\x02\x40\x81", close::PROTOCOL_VIOLATION),
        (b"\x20\0\x01\x05", close::PROTOCOL_VIOLATION),
        (b"\0\x80\x10\0\0", close::PROTOCOL_VIOLATION),
    ];
    for (says, code) in malformed {
        let conn = relay.raw("moql", limits()).await;
        let (mut out, _recv) = conn.open_bi().await.unwrap();
        out.write(Bytes::from_static(says)).await.unwrap();
        assert_eq!(common::soon(conn.closed()).await.code, Some(code), "{says:x?}");
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
