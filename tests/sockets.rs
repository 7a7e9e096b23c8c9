//! Sessions over TCP and Unix sockets: what is spoken is settled in band, who may come in, and what the file of a socket
//! goes through.

mod common;

use std::{
    os::unix::{fs::MetadataExt, net::UnixListener},
    time::Duration,
};

use bytes::Bytes;
use common::{ANYWHERE, Peer, Socket, TestRelay, dialect, soon};
use moq_relay::{
    auth,
    config::Config,
    session,
    transport::{Connection, config::Allow, stream},
    types::HopId,
    wire::{
        Dialect, Encoder,
        integer::Form,
        lite::{close, setup::Setup},
    },
};
use qmux::{Version, tcp, uds};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::{Instant, pause, sleep},
};
use web_transport_trait::Session as _;

/// A relay at every door, and otherwise as the test wants it.
async fn relay(change: impl FnOnce(&mut Config)) -> TestRelay {
    TestRelay::with(|config| {
        config.transport.server.tcp = vec![ANYWHERE.into()];
        change(config);
    })
    .await
}

/// Clients that list these protocols, one at each door.
async fn sessions(relay: &TestRelay, protocols: &[&str]) -> [qmux::Session; 2] {
    let tcp = tcp::Config::new(Version::QMux01).protocols(protocols.iter().copied());
    let unix = uds::Config::new(Version::QMux01).protocols(protocols.iter().copied());
    [tcp.connect(relay.other.tcp.unwrap()).await.unwrap(), unix.connect(&relay.unix).await.unwrap()]
}

/// A peer on a session, that wants to go to `target` where its dialect can say so.
async fn begin(session: qmux::Session, dialect: &'static Dialect, target: &str) -> Peer {
    let setup = Setup { path: Some(target.to_owned()), hop: HopId::from_random(rand::random()), ..Setup::default() };
    Peer::begin(Connection::Stream(stream::Connection::new(session)), dialect, setup).await
}

/// A peer at each door.
async fn peers(relay: &TestRelay, name: &str, target: &str) -> [Peer; 2] {
    let dialect = dialect(name);
    let [tcp, unix] = sessions(relay, &[dialect.alpn]).await;
    [begin(tcp, dialect, target).await, begin(unix, dialect, target).await]
}

#[tokio::test]
async fn of_what_a_client_lists_the_relays_favourite_is_spoken() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    for (listed, expected, name) in [
        (&["moql", "moq-lite-03", "moqt-18", "moq-lite-06", "moq-lite-05"][..], "moq-lite-06", "06"),
        (&["moq-lite-03", "moq-lite-04"], "moq-lite-04", "04"),
        (&["moq-00", "moql"], "moql", "02"),
    ] {
        for session in sessions(&relay, listed).await {
            assert_eq!(session.protocol(), Some(expected));
            begin(session, dialect(name), "/").await.reaches(&viewer, "a").await;
        }
    }
}

#[tokio::test]
async fn without_a_protocol_in_common_setup_decides() {
    let relay = relay(|_| ()).await;
    for session in sessions(&relay, &["moqt-18", "moq-00"]).await {
        assert_eq!(session.protocol(), None);
        let viewer = relay.peer(Socket::Raw, dialect("04")).await;
        begin(session, dialect("02"), "").await.reaches(&viewer, "a").await;
    }
    let offer = session::Config::offer(["moq-lite-05"]).unwrap();
    let new = self::relay(|config| config.session.server = offer).await;
    for session in sessions(&new, &["moq-lite-04"]).await {
        let closed = soon(Connection::Stream(stream::Connection::new(session)).closed()).await;
        assert_eq!(closed.code, Some(close::VERSION_NEGOTIATION_FAILED), "{closed:?}");
        assert!(closed.reason.contains("moq-lite-05 offered"), "{closed:?}");
    }
}

/// What a client says first that lists nothing: transport parameters, then SETUP with moq-lite-02 on stream 0.
fn without_a_list() -> Bytes {
    const PARAMETERS: u64 = 0x3f51_5330_0d0a_0d0a;
    let setup = b"\x20\0\x0a\x01\xc0\0\0\0\xff\x0d\xad\x02\0";
    let mut parameters = Encoder::new(Form::Quic);
    // Room for data and for streams of every kind.
    for (id, value) in [(4, 1 << 20), (5, 1 << 18), (6, 1 << 18), (7, 1 << 18), (8, 1 << 14), (9, 1 << 14)] {
        parameters.varint(id);
        parameters.varint(4);
        parameters.varint(value);
    }
    let mut first = Encoder::new(Form::Quic);
    first.varint(PARAMETERS);
    first.varint(parameters.len() as u64);
    first.bytes(&parameters.into_bytes());
    let mut second = Encoder::new(Form::Quic);
    second.bytes(&[0x0e, 0, 0, setup.len() as u8]);
    second.bytes(setup);
    let mut records = Encoder::new(Form::Quic);
    for record in [first, second] {
        records.varint(record.len() as u64);
        records.bytes(&record.into_bytes());
    }
    records.into_bytes()
}

#[tokio::test]
async fn without_a_list_setup_decides() {
    const ANSWER: &[u8] = b"\x21\0\x09\xc0\0\0\0\xff\x0d\xad\x02\0";
    async fn answered(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        stream.write_all(&without_a_list()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.windows(ANSWER.len()).any(|bytes| bytes == ANSWER) {
            assert!(soon(stream.read_buf(&mut heard)).await.unwrap() > 0, "{heard:x?}");
        }
    }
    let relay = relay(|_| ()).await;
    answered(TcpStream::connect(relay.other.tcp.unwrap()).await.unwrap()).await;
    answered(UnixStream::connect(&relay.unix).await.unwrap()).await;
}

#[tokio::test]
async fn the_path_of_setup_is_the_root_of_all_names() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    for (target, expected) in [("/room?x=/y", "room/a"), ("one//two/", "one/two/a"), ("/", "a")] {
        for name in ["05", "06"] {
            for publisher in peers(&relay, name, target).await {
                publisher.reaches(&viewer, expected).await;
            }
        }
    }
    // Where SETUP has no path.
    for publisher in peers(&relay, "04", "/room").await {
        publisher.reaches(&viewer, "a").await;
    }
}

#[tokio::test]
async fn outside_of_what_is_public_a_session_is_refused_with_a_reason() {
    let scope = auth::Config::public_scope(["anon"]).unwrap();
    let relay = relay(|config| config.auth.public.both = scope).await;
    for (target, reason) in [
        ("/private", "auth/not-public: "),
        ("/anon?jwt=ey.no.key", "auth/no-key: "),
        (&"a/".repeat(33), "path has more than 32 segments"),
    ] {
        for peer in peers(&relay, "05", target).await {
            let closed = peer.closed().await;
            assert_eq!(closed.code, Some(close::UNAUTHORIZED), "{target}: {closed:?}");
            assert!(closed.reason.starts_with(reason) && !closed.reason.contains("ey.no.key"), "{closed:?}");
        }
    }
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    for peer in peers(&relay, "05", "/anon/room").await {
        peer.reaches(&viewer, "anon/room/a").await;
    }
}

/// This process, and whether a list admits it.
fn lists() -> [(Allow, bool); 8] {
    let file = tempfile::NamedTempFile::new().unwrap().as_file().metadata().unwrap();
    let (uid, gid, pid) = (vec![file.uid()], vec![file.gid()], vec![std::process::id()]);
    let other = |ids: &[u32]| vec![ids[0] + 1];
    let (uids, gids, pids) = (other(&uid), other(&gid), other(&pid));
    let allow = Allow::default;
    [
        (Allow { uid: uid.clone(), ..allow() }, true),
        (Allow { uid: [&uids[..], &uid].concat(), ..allow() }, true),
        (Allow { uid: uids, ..allow() }, false),
        (Allow { gid: gid.clone(), ..allow() }, true),
        (Allow { gid: gids.clone(), ..allow() }, false),
        (Allow { pid: pids, ..allow() }, false),
        (Allow { uid: uid.clone(), gid, pid }, true),
        (Allow { uid, gid: gids, ..allow() }, false),
    ]
}

#[tokio::test]
async fn only_those_on_every_list_come_in_by_the_unix_socket() {
    for (allow, admitted) in lists() {
        let relay = relay(|config| config.transport.server.unix.allow = allow.clone()).await;
        if admitted {
            let viewer = relay.peer(Socket::Tcp, dialect("05")).await;
            relay.peer(Socket::Unix, dialect("06")).await.reaches(&viewer, "a").await;
        } else {
            let mut stream = UnixStream::connect(&relay.unix).await.unwrap();
            let mut heard = Vec::new();
            let _ = soon(stream.read_to_end(&mut heard)).await;
            assert!(heard.is_empty(), "{allow:?}: {heard:x?}");
        }
    }
}

#[tokio::test]
async fn the_socket_of_a_relay_that_was_killed_is_replaced_and_that_of_one_that_stops_is_removed() {
    let relay = relay(|config| {
        // Bound, and nobody listens any more.
        drop(UnixListener::bind(config.transport.server.unix.listen.as_ref().unwrap()).unwrap());
    })
    .await;
    let viewer = relay.peer(Socket::Raw, dialect("04")).await;
    relay.peer(Socket::Unix, dialect("05")).await.reaches(&viewer, "a").await;
    drop(viewer);
    assert!(relay.unix.exists());
    relay.stop.send(true).unwrap();
    soon(async {
        while relay.unix.exists() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Tcp, dialect("05")).await;
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 64]].concat();
    let huge = without_a_list().slice(2..);
    for garbage in [&b"SSH-2.0-OpenSSH_9\r\n"[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", &hello, &[0xff; 64], &huge] {
        let mut tcp = TcpStream::connect(relay.other.tcp.unwrap()).await.unwrap();
        let mut unix = UnixStream::connect(&relay.unix).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        unix.write_all(garbage).await.unwrap();
        let mut heard = Vec::new();
        // Half a record may be waited for, but not for long.
        pause();
        let begun = Instant::now();
        let _ = soon(tcp.read_to_end(&mut heard)).await;
        let _ = soon(unix.read_to_end(&mut heard)).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{garbage:x?}");
        tokio::time::resume();
    }
    for publisher in peers(&relay, "05", "/").await {
        publisher.reaches(&viewer, "a").await;
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let relay = relay(|_| ()).await;
    let mut tcp = TcpStream::connect(relay.other.tcp.unwrap()).await.unwrap();
    let mut unix = UnixStream::connect(&relay.unix).await.unwrap();
    // The relay's transport parameters: it is there.
    let mut heard = vec![soon(tcp.read_u8()).await.unwrap(), soon(unix.read_u8()).await.unwrap()];
    pause();
    let begun = Instant::now();
    let _ = soon(tcp.read_to_end(&mut heard)).await;
    let _ = soon(unix.read_to_end(&mut heard)).await;
    assert!((9..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
