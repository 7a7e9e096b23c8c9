//! HTTP over TLS: pages and sessions by HTTP/1.1 and HTTP/2, under which certificates, and where plain HTTP is left.

mod common;

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use common::{ANYWHERE, Peer, Socket, TestRelay, ask, dialect, soon, upgrade};
use futures::{Sink, Stream};
use h2::{client::SendRequest, ext::Protocol};
use moq_relay::{
    auth,
    config::Config,
    transport::{Connection, stream},
    types::HopId,
    web::config::Listen,
    wire::{Dialect, lite::setup::Setup},
};
use qmux::ws::{
    Upgraded,
    tokio_tungstenite::WebSocketStream,
    tungstenite::{Error, Message, protocol::Role},
};
use quinn::TransportConfig;
use rustls::{
    RootCertStore, SupportedProtocolVersion,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    net::TcpStream,
    time::{Instant, pause, resume, sleep},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A relay with HTTPS, and otherwise as the test wants it.
async fn relay(change: impl FnOnce(&mut Config)) -> TestRelay {
    TestRelay::with(|config| {
        config.web.http.listen = Listen::BesideServer;
        config.web.https.listen = Some(ANYWHERE.into());
        change(config);
    })
    .await
}

fn trust(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    roots
}

/// A client that believes these roots and offers these protocols.
async fn tls_of(
    relay: &TestRelay,
    version: &'static SupportedProtocolVersion,
    roots: RootCertStore,
    alpn: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let builder = rustls::ClientConfig::builder_with_protocol_versions(&[version]);
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(relay.other.https.unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
}

async fn tls(relay: &TestRelay, alpn: &[&str]) -> TlsStream<TcpStream> {
    tls_of(relay, &TLS13, relay.roots(), alpn).await.unwrap()
}

/// What a browser with HTTP/2 talks to.
async fn http2(relay: &TestRelay) -> SendRequest<Bytes> {
    let stream = tls(relay, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

async fn get(client: &mut SendRequest<Bytes>, page: &str) -> (StatusCode, String) {
    let request = Request::get(format!("https://localhost{page}")).body(()).unwrap();
    let response = soon(client.send_request(request, true).unwrap().0).await.unwrap();
    let (head, mut body) = response.into_parts();
    let mut text = Vec::new();
    while let Some(bytes) = soon(body.data()).await {
        text.extend_from_slice(&bytes.unwrap());
    }
    (head.status, String::from_utf8(text).unwrap())
}

/// A peer on a WebSocket.
async fn begin<S>(socket: S, framing: &str, dialect: &'static Dialect) -> Peer
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send + 'static,
{
    let session = Upgraded::new(socket).with_alpn(framing).connect();
    let conn = Connection::Stream(stream::Connection::new(session));
    Peer::begin(conn, dialect, Setup { hop: HopId(9), ..Setup::default() }).await
}

/// A certificate with its files, apart from the relay's.
struct Certificate {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let der = write(folder.path());
        Self { folder, der }
    }

    fn file(&self, name: &str) -> Vec<PathBuf> {
        vec![self.folder.path().join(name)]
    }
}

/// Puts a new certificate for localhost and its key into a folder, the way tools that renew them do.
fn write(folder: &std::path::Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
    made.cert.der().clone()
}

#[tokio::test]
async fn pages_are_served_by_both_versions_of_http() {
    let relay = relay(|_| ()).await;
    let _publisher = relay.publisher(Socket::Raw, dialect("05"), &["room/a"]).await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    viewer.announced("").await.next().await;

    for alpn in [&["http/1.1"][..], &["http/1.0", "http/1.1"], &[]] {
        let mut stream = tls(&relay, alpn).await;
        let health = ask(&mut stream, "GET /health HTTP/1.1\r\nhost: localhost\r\n").await;
        assert_eq!((health.status, &*health.body), (200, "ok\n"));
        let announced = ask(&mut stream, "GET /announced HTTP/1.1\r\nhost: localhost\r\n").await;
        assert_eq!((announced.status, &*announced.body), (200, "room/a"), "on the same connection");
    }
    let mut client = http2(&relay).await;
    assert_eq!(get(&mut client, "/health").await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(get(&mut client, "/announced").await, (StatusCode::OK, "room/a".to_owned()));
    assert_eq!(get(&mut client, "/room").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn old_players_may_speak_tls_12() {
    let relay = relay(|_| ()).await;
    let mut stream = tls_of(&relay, &TLS12, relay.roots(), &["http/1.1"]).await.unwrap();
    assert_eq!(ask(&mut stream, "GET /health HTTP/1.1\r\nhost: localhost\r\n").await.body, "ok\n");
}

#[tokio::test]
async fn a_session_comes_in_by_websocket_over_http_1() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    for (offered, framing, name) in
        [("qmux-02.moq-lite-06", "qmux-02", "06"), ("webtransport.moq-lite-04", "webtransport", "04")]
    {
        let stream = tls(&relay, &["http/1.1"]).await;
        let (socket, chosen) = upgrade("wss://localhost/room?x=/y", &[offered], stream).await.unwrap();
        assert_eq!(chosen.as_deref(), Some(offered));
        begin(socket, framing, dialect(name)).await.reaches(&viewer, "room/a").await;
    }
}

/// Asks for a stream of HTTP/2 that carries a WebSocket (RFC 8441 §4), whatever is wrong with the request.
async fn extended_connect(
    client: &mut SendRequest<Bytes>,
    target: &str,
    protocol: &'static str,
    version: &str,
    offered: &str,
) -> Result<(DuplexStream, Option<String>), StatusCode> {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("https://localhost{target}"))
        .extension(Protocol::from_static(protocol))
        .header("sec-websocket-version", version)
        .header("sec-websocket-protocol", offered);
    let (response, mut send) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let response = soon(response).await.unwrap();
    if response.status() != StatusCode::OK {
        return Err(response.status());
    }
    let chosen = response.headers().get("sec-websocket-protocol").map(|name| name.to_str().unwrap().to_owned());
    let mut recv = response.into_body();
    let (ours, theirs) = duplex(1 << 16);
    let (mut from, mut to) = split(theirs);
    tokio::spawn(async move {
        while let Some(Ok(bytes)) = recv.data().await {
            let _ = recv.flow_control().release_capacity(bytes.len());
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = from.read(&mut buffer).await {
            let _ = send.send_data(Bytes::copy_from_slice(&buffer[..size]), false);
        }
        let _ = send.send_data(Bytes::new(), true);
    });
    Ok((ours, chosen))
}

#[tokio::test]
async fn sessions_come_in_by_websocket_over_one_connection_of_http_2() {
    let relay = relay(|_| ()).await;
    let viewer = relay.peer(Socket::Raw, dialect("05")).await;
    let mut client = http2(&relay).await;
    get(&mut client, "/health").await;
    assert!(client.is_extended_connect_protocol_enabled());
    for (target, expected) in [("/", "a"), ("/room?x=/y", "room/a")] {
        for (offered, chose, name) in
            [("qmux-01, qmux-02.moq-lite-06", "qmux-02.moq-lite-06", "06"), ("qmux-00.moql", "qmux-00.moql", "02")]
        {
            let (stream, chosen) = extended_connect(&mut client, target, "websocket", "13", offered).await.unwrap();
            assert_eq!(chosen.as_deref(), Some(chose));
            let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
            begin(socket, &chose[..7], dialect(name)).await.reaches(&viewer, expected).await;
        }
    }
    assert_eq!(get(&mut client, "/health").await.0, StatusCode::OK, "and pages beside them");
}

#[tokio::test]
async fn on_http_2_the_same_requests_are_refused() {
    let scope = auth::Config::public_scope(["anon"]).unwrap();
    let relay = relay(|config| config.auth.public.both = scope).await;
    let mut client = http2(&relay).await;
    get(&mut client, "/health").await;
    let deep = "/anon".to_owned() + &"/a".repeat(32);
    for (target, protocol, version, offered, status) in [
        ("/private", "websocket", "13", "qmux-02", 401),
        ("/anon?jwt=ey.no.key", "websocket", "13", "qmux-02", 401),
        (&*deep, "websocket", "13", "qmux-02", 400),
        ("/anon", "websocket", "8", "qmux-02", 400),
        ("/anon", "websocket", "13", "chat", 400),
        ("/anon", "webtransport", "13", "qmux-02", 404),
    ] {
        let refused = extended_connect(&mut client, target, protocol, version, offered).await.unwrap_err();
        assert_eq!(refused, status, "{target} {protocol} {version} {offered}");
    }
    assert!(extended_connect(&mut client, "/anon", "websocket", "13", "qmux-02").await.is_ok());
}

#[tokio::test]
async fn without_certificates_of_its_own_https_shows_those_of_quic() {
    let relay = relay(|_| ()).await;
    let stream = tls(&relay, &["h2"]).await;
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), std::slice::from_ref(&relay.certificate));
}

#[tokio::test]
async fn https_may_have_certificates_of_its_own() {
    let own = Certificate::new();
    let relay = relay(|config| {
        config.web.https.cert = own.file("cert.pem");
        config.web.https.key = own.file("key.pem");
    })
    .await;
    assert!(tls_of(&relay, &TLS13, relay.roots(), &[]).await.is_err(), "QUIC's is not shown");
    let mut stream = tls_of(&relay, &TLS13, trust(&own.der), &["http/1.1"]).await.unwrap();
    let quic: String = digest(&SHA256, &relay.certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let pinned = ask(&mut stream, "GET /certificate.sha256 HTTP/1.1\r\nhost: localhost\r\n").await;
    assert_eq!(pinned.body, quic, "what clients of QUIC pin");
    // This client trusts nothing but QUIC's certificate.
    relay.raw("moq-lite-05", TransportConfig::default()).await;
}

#[tokio::test]
async fn certificates_are_replaced_while_the_relay_runs() {
    let own = Certificate::new();
    let apart = relay(|config| {
        config.web.https.cert = own.file("cert.pem");
        config.web.https.key = own.file("key.pem");
    })
    .await;
    let shared = relay(|_| ()).await;
    for (relay, old, folder) in
        [(&apart, &own.der, own.folder.path()), (&shared, &shared.certificate.clone(), shared.folder())]
    {
        tls_of(relay, &TLS13, trust(old), &[]).await.unwrap();
        let new = write(folder);
        // Long enough for two looks.
        pause();
        sleep(Duration::from_secs(10)).await;
        resume();
        tls_of(relay, &TLS13, trust(&new), &[]).await.unwrap();
        assert!(tls_of(relay, &TLS13, trust(old), &[]).await.is_err());
    }
    tls_of(&apart, &TLS13, apart.roots(), &[]).await.unwrap_err();
    apart.raw("moq-lite-05", TransportConfig::default()).await;
}

#[tokio::test]
async fn with_https_plain_http_is_served_only_where_it_is_asked_for() {
    let only = relay(|_| ()).await;
    assert_eq!(only.other.http, None);
    assert!(TcpStream::connect(only.address).await.is_err(), "nothing on the TCP side of QUIC");

    let both = relay(|config| config.web.http.listen = Listen::At(ANYWHERE.into())).await;
    let mut stream = TcpStream::connect(both.other.http.unwrap()).await.unwrap();
    assert_eq!(ask(&mut stream, "GET /health HTTP/1.1\r\nhost: x\r\n").await.body, "ok\n");
    assert_eq!(get(&mut http2(&both).await, "/health").await.1, "ok\n");
}

#[tokio::test]
async fn plain_http_is_turned_away_at_once() {
    let relay = relay(|_| ()).await;
    let mut stream = TcpStream::connect(relay.other.https.unwrap()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (begun, mut heard) = (Instant::now(), Vec::new());
    let _ = soon(stream.read_to_end(&mut heard)).await;
    assert!(begun.elapsed() < Duration::from_secs(5) && !heard.starts_with(b"HTTP"), "{heard:x?}");
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    /// From the moment it was accepted.
    const SECONDS: std::ops::Range<u64> = 9..20;

    let relay = relay(|_| ()).await;
    // The relay is there before the clock is stopped.
    tls(&relay, &[]).await;
    let mut silent = TcpStream::connect(relay.other.https.unwrap()).await.unwrap();
    pause();
    let (begun, mut heard) = (Instant::now(), Vec::new());
    let _ = soon(silent.read_to_end(&mut heard)).await;
    assert!(SECONDS.contains(&begun.elapsed().as_secs()), "without TLS: {:?}", begun.elapsed());
    resume();
    for alpn in ["http/1.1", "h2"] {
        let mut stream = tls(&relay, &[alpn]).await;
        pause();
        let begun = Instant::now();
        let _ = soon(stream.read_to_end(&mut heard)).await;
        assert!(SECONDS.contains(&begun.elapsed().as_secs()), "{alpn}: {:?}", begun.elapsed());
        resume();
    }
}
