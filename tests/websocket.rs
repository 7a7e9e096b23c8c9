//! Sessions by WebSocket: which requests become one and which are told why not, what is spoken on it, that players of
//! every age can take each message, and how long silence is borne.

mod common;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use common::{Answer, End, Peer, Publisher, Socket, TestRelay, VIDEO, ask, dialect, latest, soon, upgrade};
use futures::{Sink, SinkExt, Stream, StreamExt, ready};
use moq_relay::{
    auth,
    config::Config,
    session,
    transport::{Connection, stream},
    types::HopId,
    web::config::Listen,
    wire::{
        Dialect,
        integer::Form,
        lite::{close, setup::Setup},
    },
};
use qmux::ws::{
    Upgraded,
    tokio_tungstenite::WebSocketStream,
    tungstenite::{Error, Message},
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, pause, timeout},
};

/// A relay with HTTP, and otherwise as the test wants it.
async fn relay(change: impl FnOnce(&mut Config)) -> TestRelay {
    TestRelay::with(|config| {
        config.web.http.listen = Listen::BesideServer;
        change(config);
    })
    .await
}

/// One where only this prefix is public.
async fn public(prefix: &str) -> TestRelay {
    let scope = auth::Config::public_scope([prefix]).unwrap();
    relay(|config| config.auth.public.both = scope).await
}

/// One that speaks only these.
async fn speaking(names: &[&str]) -> TestRelay {
    let offer = session::Config::offer(names.iter().copied()).unwrap();
    relay(|config| config.session.server = offer).await
}

async fn connect(relay: &TestRelay) -> TcpStream {
    let stream = TcpStream::connect(relay.other.http.unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A handshake as browsers write it (with the key of RFC 6455 §1.3), and more header lines.
fn handshake(target: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}"
    )
}

/// What a handshake with these header lines is answered.
async fn answer(relay: &TestRelay, target: &str, lines: &str) -> Answer {
    ask(&mut connect(relay).await, &handshake(target, lines)).await
}

/// What a client that offers these subprotocols is answered: one of them, or a status.
async fn chosen(relay: &TestRelay, offered: &[&str]) -> Result<Option<String>, u16> {
    Ok(upgrade("ws://localhost/", offered, connect(relay).await).await?.1)
}

/// A session in a framing that speaks a dialect, after a handshake with whatever offer agrees on that.
async fn session(relay: &TestRelay, offered: &[&str], framing: &str, dialect: &'static Dialect) -> Peer {
    let (socket, _) = upgrade("ws://localhost/", offered, connect(relay).await).await.unwrap();
    begin(socket, framing, dialect).await
}

async fn begin<S>(socket: S, framing: &str, dialect: &'static Dialect) -> Peer
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send + 'static,
{
    let session = Upgraded::new(socket).with_alpn(framing).connect();
    let conn = Connection::Stream(stream::Connection::new(session));
    Peer::begin(conn, dialect, Setup { hop: HopId::from_random(rand::random()), ..Setup::default() }).await
}

#[tokio::test]
async fn any_path_is_a_door_and_the_root_of_all_names() {
    let relay = TestRelay::everywhere().await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    for (target, expected) in [
        ("", "a"),
        ("room", "room/a"),
        ("/one//two/?x=/y&z", "one/two/a"),
        ("announce?jwt=", "announce/a"),
        ("health", "health/a"),
    ] {
        for (subprotocol, name) in [("qmux-02.moq-lite-06", "06"), ("webtransport.moq-lite-04", "04")] {
            let conn = relay.websocket(target, Some(subprotocol)).await.unwrap();
            let publisher = Peer::begin(conn, dialect(name), Setup { hop: HopId(9), ..Setup::default() }).await;
            publisher.reaches(&viewer, expected).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_nobody_can_check_is_refused_before_the_upgrade() {
    let relay = public("anon").await;
    for (target, line) in [
        ("/anon?jwt=ey.no.key", ""),
        ("/anon/room?x&jwt=ey.no.key", ""),
        ("/anon", "authorization: Bearer ey.no.key\r\n"),
    ] {
        let answer = answer(&relay, target, line).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.body.starts_with("auth/no-key: ") && !answer.body.contains("ey.no.key"), "{answer:?}");
        assert!(answer.head.contains("\r\nwww-authenticate: bearer\r\n"), "{answer:?}");
    }
    assert_eq!(answer(&relay, "/anon?jwt=", "").await.status, 101, "an empty token is none");
}

#[tokio::test]
async fn what_is_not_public_is_refused_before_the_upgrade() {
    let relay = public("anon").await;
    for target in ["/private", "/anonymous", "/%61non"] {
        let answer = answer(&relay, target, "").await;
        assert!(answer.status == 401 && answer.body.starts_with("auth/not-public: "), "{target}: {answer:?}");
    }
    for target in ["/anon", "/anon/room", "/"] {
        assert_eq!(answer(&relay, target, "").await.status, 101, "{target}");
    }
}

#[tokio::test]
async fn a_path_that_is_too_deep_is_a_bad_request() {
    let relay = relay(|_| ()).await;
    assert_eq!(answer(&relay, &"/a".repeat(32), "").await.status, 101);
    let answer = answer(&relay, &"/a".repeat(33), "").await;
    assert_eq!((answer.status, &*answer.body), (400, "path has more than 32 segments\n"));
}

#[tokio::test]
async fn without_a_subprotocol_in_common_the_client_is_told_what_there_is() {
    let relay = relay(|_| ()).await;
    for offered in ["chat", "qmux-03", "qmux-01.moqt-18, qmux-02.moq-lite-06-wip", "moqt-17, qmux-03.moq-lite-05"] {
        let answer = answer(&relay, "/", &format!("sec-websocket-protocol: {offered}\r\n")).await;
        assert_eq!(answer.status, 400, "{offered}: {answer:?}");
        assert!(answer.body.contains("moq-lite-06, moq-lite-05, moq-lite-04, moq-lite-03, moql"), "{answer:?}");
    }
}

#[tokio::test]
async fn without_a_subprotocol_at_all_it_is_the_oldest_framing_and_setup_decides() {
    let relay = relay(|_| ()).await;
    let answer = answer(&relay, "/", "").await;
    assert_eq!(answer.status, 101);
    assert!(answer.head.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer:?}");
    assert!(!answer.head.contains("sec-websocket-protocol"), "{answer:?}");

    let viewer = session(&relay, &[], "webtransport", dialect("02")).await;
    session(&relay, &[], "webtransport", dialect("01")).await.reaches(&viewer, "a").await;
}

#[tokio::test]
async fn a_framing_alone_leaves_the_dialect_to_setup() {
    let relay = relay(|_| ()).await;
    for framing in ["webtransport", "qmux-00", "qmux-01", "qmux-02"] {
        let viewer = session(&relay, &[framing], framing, dialect("02")).await;
        let subprotocol = format!("{framing}.moql");
        session(&relay, &[&subprotocol], framing, dialect("01")).await.reaches(&viewer, "a").await;
    }
}

/// Offers of published clients ("WebSocket fallback") and of nobody, and the answer of a relay that speaks everything.
const OFFERS: [(&[&str], &str); 8] = [
    (&["webtransport"], "webtransport"),
    (&["qmux-00", "webtransport"], "qmux-00"),
    // The first in this order would make the session moq-lite-02.
    (
        &["qmux-00", "qmux-00.moq-lite-04", "qmux-00.moq-lite-03", "qmux-00.moql", "webtransport", "webtransport.moql"],
        "qmux-00.moq-lite-04",
    ),
    (
        &["qmux-01.moq-lite-05", "qmux-02.moq-lite-05", "qmux-02.moq-lite-04", "qmux-02", "webtransport"],
        "qmux-02.moq-lite-05",
    ),
    (&["qmux-02.moq-lite-05", "qmux-00.moq-lite-06"], "qmux-00.moq-lite-06"),
    (&["webtransport", "webtransport.moq-lite-04"], "webtransport.moq-lite-04"),
    (&["moq-lite-04", "moq-lite-05"], "moq-lite-05"),
    (&["qmux-02.moqt-18", "chat", "qmux-02", "qmux-01"], "qmux-02"),
];

#[tokio::test]
async fn the_relays_order_counts_and_not_the_clients() {
    let relay = relay(|_| ()).await;
    for (offered, expected) in OFFERS {
        assert_eq!(chosen(&relay, offered).await.unwrap().as_deref(), Some(expected), "{offered:?}");
    }
    let lines = "sec-websocket-protocol: chat\r\nSec-WebSocket-Protocol: moql,qmux-02.moq-lite-05\r\n";
    let answer = answer(&relay, "/", lines).await;
    assert!(answer.head.contains("\r\nsec-websocket-protocol: qmux-02.moq-lite-05\r\n"), "two lines are one list");
}

#[tokio::test]
async fn names_without_a_framing_and_the_oldest_framing_with_a_name_are_understood() {
    let relay = relay(|_| ()).await;
    let viewer = session(&relay, &["webtransport.moq-lite-04"], "webtransport", dialect("04")).await;
    session(&relay, &["moq-lite-05"], "qmux-01", dialect("05")).await.reaches(&viewer, "a").await;
}

#[tokio::test]
async fn only_configured_dialects_are_accepted() {
    let new = speaking(&["moq-lite-05", "moq-lite-04"]).await;
    for offered in [&["qmux-01"][..], &["qmux-02.moq-lite-06"], &["qmux-01.moql"], &["webtransport"], &[]] {
        assert_eq!(chosen(&new, offered).await, Err(400), "{offered:?}");
    }
    let body = answer(&new, "/", "").await.body;
    assert!(body.contains(": moq-lite-05, moq-lite-04\n"), "{body}");
    let offered = ["qmux-02.moq-lite-06", "qmux-02.moq-lite-04", "qmux-02"];
    assert_eq!(chosen(&new, &offered).await, Ok(Some("qmux-02.moq-lite-04".to_owned())));

    let old = speaking(&["moq-lite-02"]).await;
    assert_eq!(chosen(&old, &["qmux-02.moq-lite-05", "qmux-01"]).await, Ok(Some("qmux-01".to_owned())));
    assert_eq!(chosen(&old, &["qmux-02.moq-lite-05"]).await, Err(400));
}

#[tokio::test]
async fn switched_off_nobody_is_upgraded_and_pages_are_served() {
    let relay = relay(|config| config.web.ws = false).await;
    assert_eq!(answer(&relay, "/", "sec-websocket-protocol: qmux-02\r\n").await.status, 404);
    assert_eq!(ask(&mut connect(&relay).await, "GET /health HTTP/1.1\r\nhost: x\r\n").await.body, "ok\n");
}

#[tokio::test]
async fn a_page_that_is_not_there_is_no_door() {
    let relay = relay(|_| ()).await;
    for head in ["GET / HTTP/1.1", "GET /room HTTP/1.1", "POST / HTTP/1.1\r\nupgrade: websocket"] {
        let answer = ask(&mut connect(&relay).await, &format!("{head}\r\nhost: x\r\n")).await;
        assert_eq!((answer.status, &*answer.body), (404, "no such page\n"), "{head}");
    }
}

#[tokio::test]
async fn a_broken_handshake_is_a_bad_request() {
    let relay = relay(|_| ()).await;
    let whole = handshake("/", "");
    assert_eq!(ask(&mut connect(&relay).await, &whole).await.status, 101);
    for (part, instead) in [
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        ("connection: keep-alive, Upgrade\r\n", ""),
        ("sec-websocket-version: 13\r\n", ""),
        ("sec-websocket-version: 13", "sec-websocket-version: 8"),
    ] {
        let answer = ask(&mut connect(&relay).await, &whole.replace(part, instead)).await;
        assert!(answer.status == 400 && answer.body.contains("WebSocket"), "{part:?}: {answer:?}");
    }
}

/// RFC 6455 §4.2.2 item 4.
#[tokio::test]
async fn a_client_of_another_version_of_websocket_is_told_the_right_one() {
    let relay = relay(|_| ()).await;
    let old = handshake("/", "").replace("version: 13", "version: 8");
    let answer = ask(&mut connect(&relay).await, &old).await;
    assert!(answer.head.contains("\r\nsec-websocket-version: 13\r\n"), "{answer:?}");
}

/// A socket that notes what comes, and may hold back what a stream of its own says until it is all there.
struct Tap {
    socket: WebSocketStream<TcpStream>,
    heard: Arc<Mutex<Vec<Bytes>>>,
    /// In the oldest framing, what the stream has said so far.
    whole: Option<BytesMut>,
}

impl Tap {
    async fn new(relay: &TestRelay, subprotocol: &str, whole: bool) -> (Self, Arc<Mutex<Vec<Bytes>>>) {
        let (socket, _) = upgrade("ws://localhost/", &[subprotocol], connect(relay).await).await.unwrap();
        let heard = Arc::<Mutex<Vec<Bytes>>>::default();
        (Self { socket, heard: heard.clone(), whole: whole.then(BytesMut::new) }, heard)
    }
}

impl Stream for Tap {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.socket.poll_next_unpin(cx));
        if let Some(Ok(Message::Binary(bytes))) = &item {
            self.heard.lock().unwrap().push(bytes.clone());
        }
        Poll::Ready(item)
    }
}

impl Sink<Message> for Tap {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, mut message: Message) -> Result<(), Error> {
        const FIN: u8 = 0x09;
        if let (Message::Binary(bytes), Some(whole)) = (&mut message, &mut self.whole)
            && let [kind @ (0x08 | FIN), 2, data @ ..] = &bytes[..]
        {
            whole.put_slice(data);
            if *kind != FIN {
                return Ok(());
            }
            let parts = [&[FIN, 2], &whole.split()[..]];
            *bytes = parts.concat().into();
            assert!(bytes.len() > 400_000);
        }
        self.socket.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_close_unpin(cx)
    }
}

fn bytes(size: u32) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

/// A frame from one peer to the other.
async fn pass(publisher: Peer, viewer: &Peer, frame: &[u8]) {
    let mut announced = viewer.announced("").await;
    let publisher = Publisher::new(publisher, &["a"]).await;
    announced.next().await;
    let mut subscription = viewer.subscribe("a", VIDEO, latest()).await;
    let mut feed = publisher.feed().await;
    feed.whole_group(0, &[frame]).await;
    let (payloads, end) = subscription.group().await.payloads().await;
    assert!(payloads == [frame] && end == End::Fin, "{end:?}");
}

#[tokio::test]
async fn a_whole_frame_in_one_message_of_the_oldest_framing_is_taken() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Raw, dialect("04")).await;
    let (tap, _) = Tap::new(&relay, "webtransport.moq-lite-04", true).await;
    pass(begin(tap, "webtransport", dialect("04")).await, &viewer, &bytes(400_000)).await;
}

#[tokio::test]
async fn every_byte_arrives_in_pieces_that_old_players_take() {
    let relay = relay(|_| ()).await;
    for framing in ["webtransport", "qmux-00", "qmux-01", "qmux-02"] {
        let (tap, heard) = Tap::new(&relay, &format!("{framing}.moq-lite-04"), false).await;
        let viewer = begin(tap, framing, dialect("04")).await;
        pass(relay.peer(Socket::Raw, dialect("04")).await, &viewer, &bytes(100_000)).await;
        let pieces: Vec<_> = heard.lock().unwrap().iter().filter_map(|message| piece(framing, message)).collect();
        assert!(pieces.iter().sum::<usize>() > 100_000, "{framing}: {pieces:?}");
        assert!(pieces.iter().all(|size| *size <= 16_384 - 32), "{framing}: {pieces:?}");
    }
}

/// How much a message carries of a stream, if it is about that.
fn piece(framing: &str, message: &[u8]) -> Option<usize> {
    let mut rest = message;
    let mut integer = || {
        let (value, size) = Form::Quic.get(rest).unwrap();
        rest = &rest[size..];
        value
    };
    let kind = integer();
    if !(0x08..=0x0f).contains(&kind) {
        return None;
    }
    let _id = integer();
    if framing != "webtransport" {
        assert_eq!(kind & !1, 0x0e, "an offset and a length");
        let (_offset, length) = (integer(), integer());
        assert_eq!(length, rest.len() as u64, "one frame in a message");
    }
    Some(rest.len())
}

#[tokio::test]
async fn a_record_that_is_too_large_ends_its_session_only() {
    let relay = relay(|_| ()).await;
    let viewer = session(&relay, &["qmux-02.moq-lite-05"], "qmux-02", dialect("05")).await;
    let (mut socket, _) = upgrade("ws://localhost/", &["qmux-02"], connect(&relay).await).await.unwrap();
    socket.send(Message::Binary(vec![0; 70_000].into())).await.unwrap();
    soon(async { while let Some(Ok(_)) = socket.next().await {} }).await;
    session(&relay, &["qmux-01.moq-lite-04"], "qmux-01", dialect("04")).await.reaches(&viewer, "a").await;
}

/// A client of the oldest framing that offers one version in SETUP; bytes as they travel.
async fn old_client(relay: &TestRelay, version: u32) -> WebSocketStream<TcpStream> {
    let (mut socket, _) = upgrade("ws://localhost/", &["webtransport"], connect(relay).await).await.unwrap();
    let mut setup = BytesMut::from(&b"\x08\0\x20\0\x0a\x01\xc0\0\0\0"[..]);
    setup.put_u32(version);
    setup.put_u8(0);
    socket.send(Message::Binary(setup.freeze())).await.unwrap();
    socket
}

/// The close of the session as an old player reads it, after what came before. Type 0x1c would be more than it bears.
async fn last(socket: &mut WebSocketStream<TcpStream>) -> (u8, String) {
    loop {
        let Some(Ok(message)) = soon(socket.next()).await else { panic!("no close") };
        if let Message::Binary(message) = message
            && !matches!(message[0], 0x04 | 0x05 | 0x08 | 0x09)
        {
            assert_eq!(message[0], 0x1d, "{message:?}");
            return (message[1], String::from_utf8(message[2..].to_vec()).unwrap());
        }
    }
}

#[tokio::test]
async fn an_old_player_reads_why_it_is_refused() {
    let relay = relay(|_| ()).await;
    let (code, reason) = last(&mut old_client(&relay, 0xff00_000e).await).await;
    assert_eq!(u32::from(code), close::VERSION_NEGOTIATION_FAILED);
    assert!(reason.contains("0xff00000e") && reason.contains("moq-lite-02"), "{reason}");
}

#[tokio::test]
async fn an_old_player_reads_that_the_relay_stops() {
    let relay = relay(|config| config.session.drain = Duration::from_millis(50)).await;
    let mut socket = old_client(&relay, 0xff0d_ad02).await;
    let Some(Ok(Message::Binary(answer))) = soon(socket.next()).await else { panic!("no answer to SETUP") };
    assert_eq!(answer[..], b"\x08\0\x21\0\x09\xc0\0\0\0\xff\x0d\xad\x02\0"[..]);
    // With its first request the session has begun, and is not at the door any more.
    let Some(Ok(Message::Binary(_))) = soon(socket.next()).await else { panic!("no request for announcements") };
    relay.stop.send(true).unwrap();
    let (code, reason) = last(&mut socket).await;
    assert_eq!((u32::from(code), &*reason), (close::GOAWAY_TIMEOUT, "server shutdown"));
    soon(async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_then_gone() {
    const PING: [u8; 2] = [0x89, 0];
    let relay = relay(|_| ()).await;
    let mut stream = connect(&relay).await;
    let lines = "sec-websocket-protocol: webtransport.moq-lite-04\r\n";
    assert_eq!(ask(&mut stream, &handshake("/", lines)).await.status, 101);
    pause();
    let (begun, mut heard) = (Instant::now(), Vec::new());
    let _ = soon(stream.read_to_end(&mut heard)).await;
    let elapsed = begun.elapsed().as_secs();
    assert!((14..20).contains(&elapsed), "{elapsed} s");
    assert!(heard.windows(2).filter(|bytes| *bytes == PING).count() >= 2, "{heard:x?}");
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays() {
    // QX_TRANSPORT_PARAMETERS without any.
    const PARAMETERS: &[u8] = &[0xff, 0x51, 0x53, 0x30, 0x0d, 0x0a, 0x0d, 0x0a, 0];
    let relay = relay(|_| ()).await;
    for (subprotocol, first) in [("webtransport.moq-lite-04", None), ("qmux-00.moq-lite-04", Some(PARAMETERS))] {
        let (mut socket, _) = upgrade("ws://localhost/", &[subprotocol], connect(&relay).await).await.unwrap();
        if let Some(first) = first {
            socket.send(Message::Binary(Bytes::from_static(first))).await.unwrap();
        }
        let mut pings = Vec::new();
        pause();
        let begun = Instant::now();
        let over = timeout(Duration::from_secs(60), async {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Ping(_) = message {
                    pings.push(begun.elapsed());
                }
            }
        });
        assert!(over.await.is_err(), "{subprotocol}: over after {:?}", begun.elapsed());
        assert!(pings.len() >= 8 && pings[0] <= Duration::from_secs(7), "{pings:?}");
        tokio::time::resume();
    }
}
