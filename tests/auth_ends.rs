//! Sessions end with the rights that they were let in with: when the token expires, when it or its key is revoked, when
//! the certificate ends.

mod common;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use common::{ANYWHERE, Key, Peer, Socket, TestRelay, dialect, from_now, soon};
use moq_relay::{
    auth::{self, config::Source},
    config::Config,
    transport::{Connection, quic},
    types::HopId,
    web::config::Listen,
    wire::lite::{close, setup::Setup},
};
use quinn::{TransportConfig, crypto::rustls::QuicClientConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    version::TLS13,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::TlsConnector;

/// Until rights end, in seconds: enough to come in with them on a busy machine.
const SOON: i64 = 4;
/// How late an end may be seen, in seconds: one is promised, the rest is a machine's that runs other tests.
const ON_TIME: std::ops::RangeInclusive<i64> = 0..=3;

const DOORS: [Socket; 5] = [Socket::Raw, Socket::Web, Socket::WebSocket("qmux-02"), Socket::Tcp, Socket::Unix];

/// A relay at every door with one key, and otherwise as the test wants it.
async fn relay(key: &Key, change: impl FnOnce(&mut Config)) -> (TestRelay, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("key"), key.jwk.to_json()).unwrap();
    let source = Source::File(folder.join("key"));
    let relay = TestRelay::with(|config| {
        config.web.http.listen = Listen::BesideServer;
        config.transport.server.tcp = vec![ANYWHERE.into()];
        config.auth = auth::Config { key: Some(source), ..auth::Config::default() };
        change(config);
    })
    .await;
    (relay, folder)
}

async fn enter(relay: &TestRelay, socket: Socket, token: &str) -> Peer {
    let target = format!("room?jwt={token}");
    relay.peer_at(socket, dialect("05"), &target, TransportConfig::default()).await.unwrap()
}

/// The reason with which a session was closed for the lack of rights.
async fn refused(peer: &Peer) -> String {
    let closed = soon(peer.closed()).await;
    assert_eq!(closed.code, Some(close::UNAUTHORIZED), "{closed:?}");
    closed.reason.to_string()
}

#[tokio::test]
async fn a_session_ends_when_its_token_does() {
    let key = Key::new("HS256", "k");
    let (relay, _) = relay(&key, |_| ()).await;
    let ends = from_now(SOON);
    let mut peers = Vec::new();
    for socket in DOORS {
        peers.push(enter(&relay, socket, &key.sign(&json!({"root": "room", "get": "", "exp": ends}))).await);
    }
    let longer = enter(&relay, Socket::Raw, &key.sign(&json!({"root": "room", "get": "", "exp": ends + 600}))).await;
    for (peer, socket) in peers.iter().zip(DOORS) {
        assert!(refused(peer).await.starts_with("auth/expired"), "{socket:?}");
        let late = from_now(0) - ends;
        assert!(ON_TIME.contains(&late), "{socket:?} ended {late} s after the token");
    }
    assert!(longer.track_info("no", "such").await.read().await != Err(common::End::Closed), "another token goes on");
}

#[tokio::test]
async fn a_session_that_may_stay_a_while_does_not_outlast_its_token() {
    let key = Key::new("HS256", "k");
    let (relay, _) = relay(&key, |config| config.session.drain = Duration::from_secs(600)).await;
    let ends = from_now(SOON);
    let all = key.sign(&json!({"root": "room", "put": "", "get": ""}));
    let publisher = common::Publisher::new(enter(&relay, Socket::Raw, &all).await, &["a"]).await;
    let peer = enter(&relay, Socket::Raw, &key.sign(&json!({"root": "room", "get": "", "exp": ends}))).await;
    assert_eq!(peer.announced("").await.next().await.kind(), ("active", "a"));
    // Whoever is asked to move first sees the end of what it watches.
    let _watched = peer.subscribe("a", common::VIDEO, common::latest()).await;
    let _feed = publisher.feed().await;
    relay.stop.send(true).unwrap();
    assert!(refused(&peer).await.starts_with("auth/expired"));
    assert!(ON_TIME.contains(&(from_now(0) - ends)));
}

#[tokio::test]
async fn a_page_that_is_still_being_read_ends_with_its_token() {
    let key = Key::new("HS256", "k");
    let (relay, _) = relay(&key, |_| ()).await;
    let all = key.sign(&json!({"root": "room", "put": "", "get": ""}));
    let publisher = common::Publisher::new(enter(&relay, Socket::Raw, &all).await, &["a"]).await;
    let ends = from_now(SOON);
    let token = key.sign(&json!({"root": "room", "get": "", "exp": ends}));
    let mut stream = TcpStream::connect(relay.other.http.unwrap()).await.unwrap();
    let request = format!("GET /fetch/room/a/video?jwt={token} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // The broadcast takes a moment to be known.
    sleep(Duration::from_millis(300)).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut feed = publisher.feed().await;
    let mut group = feed.group(0).await;
    group.frame(0, b"hello").await;
    let mut all = Vec::new();
    // The group never ends, the body does: without the chunk that says that it is whole.
    let _ = soon(stream.read_to_end(&mut all)).await;
    assert!(ON_TIME.contains(&(from_now(0) - ends)));
    let text = String::from_utf8(all).unwrap();
    assert!(text.contains("200 OK") && text.contains("hello") && !text.ends_with("0\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn whoever_is_put_on_the_list_is_out() {
    let key = Key::new("HS256", "k1");
    let other = Key::new("HS256", "k2");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("deny");
    fs::write(&list, "# nobody yet\n").unwrap();
    fs::write(folder.path().join("k2.jwk"), other.jwk.to_json()).unwrap();
    let (relay, _) = relay(&key, |config| {
        config.auth.deny = Some(list.clone());
        config.auth.key_dir = Some(Source::File(folder.path().to_owned()));
    })
    .await;
    let with = |id: &str| key.sign(&json!({"root": "room", "get": "", "jti": id}));
    let (first, second) = (with("first"), with("second"));
    let (leaving, staying) = (enter(&relay, Socket::Web, &first).await, enter(&relay, Socket::Raw, &second).await);
    let by_key = enter(&relay, Socket::WebSocket("qmux-02"), &other.sign(&json!({"root": "room", "get": ""}))).await;

    fs::write(&list, "jti first\nkid k2\n").unwrap();
    let since = Instant::now();
    assert!(refused(&leaving).await.starts_with("auth/revoked"));
    assert!(refused(&by_key).await.starts_with("auth/revoked"));
    assert!(since.elapsed() < Duration::from_secs(10), "a revocation takes a moment, not a while");
    assert!(relay.get(&format!("/announced/room?jwt={first}"), "").await.body.starts_with("auth/revoked"));
    assert_eq!(relay.get(&format!("/announced/room?jwt={second}"), "").await.status, 200);

    fs::write(&list, "kid k1\n").unwrap();
    assert!(refused(&staying).await.starts_with("auth/revoked"));
}

#[tokio::test]
async fn keys_are_replaced_while_the_relay_runs() {
    let (old, new) = (Key::new("HS256", "k"), Key::new("HS256", "k"));
    let (relay, folder) = relay(&old, |_| ()).await;
    let page = |key: &Key| format!("/announced/room?jwt={}", key.sign(&json!({"root": "room", "get": ""})));
    assert_eq!(relay.get(&page(&old), "").await.status, 200);
    assert_eq!(relay.get(&page(&new), "").await.status, 401);
    // A key that is half written changes nothing.
    fs::write(folder.join("key"), "{").unwrap();
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(relay.get(&page(&old), "").await.status, 200);
    fs::write(folder.join("key"), new.jwk.to_base64()).unwrap();
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(relay.get(&page(&new), "").await.status, 200);
    assert_eq!(relay.get(&page(&old), "").await.status, 401);
}

/// Somebody who signs certificates, and a client with one.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

struct Client {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// For this many seconds.
    fn client(&self, name: &str, seconds: i64) -> Client {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap());
        (params.not_before, params.not_after) = (at(from_now(-60)), at(from_now(seconds)));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Client { chain: vec![certificate.der().clone()], key }
    }
}

impl Client {
    fn tls(&self, relay: &TestRelay, alpn: &str) -> rustls::ClientConfig {
        let builder =
            rustls::ClientConfig::builder_with_protocol_versions(&[&TLS13]).with_root_certificates(relay.roots());
        let mut tls = builder.with_client_auth_cert(self.chain.clone(), self.key.clone_key()).unwrap();
        tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        tls
    }

    async fn quic(&self, relay: &TestRelay, path: &str) -> Result<Peer, quinn::ConnectionError> {
        let tls = self.tls(relay, "moq-lite-05");
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = quinn::Endpoint::client(ANYWHERE).unwrap();
        let connected = endpoint.connect_with(config, relay.address, "localhost").unwrap().await?;
        let conn = Connection::Quic(quic::Connection::raw(connected));
        let setup = Setup { path: Some(path.to_owned()), hop: HopId(77), ..Setup::default() };
        Ok(Peer::begin(conn, dialect("05"), setup).await)
    }

    /// The answer to a page of the HTTPS address.
    async fn get(&self, relay: &TestRelay, page: &str) -> String {
        let tcp = TcpStream::connect(relay.other.https.unwrap()).await.unwrap();
        let tls = TlsConnector::from(Arc::new(self.tls(relay, "http/1.1")));
        let mut stream = tls.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        let request = format!("GET {page} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }
}

/// A relay that believes the certificates of an authority.
async fn with_clients(authority: &Authority) -> TestRelay {
    let key = Key::new("HS256", "k");
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("root.pem"), &authority.pem).unwrap();
    let (relay, _) = relay(&key, |config| {
        config.web.https.listen = Some(ANYWHERE.into());
        config.transport.server.tls.root = vec![folder.join("root.pem")];
    })
    .await;
    relay
}

#[tokio::test]
async fn a_certificate_is_everything_at_its_path_until_it_ends() {
    let authority = Authority::new();
    let relay = with_clients(&authority).await;
    let (node, visitor) = (authority.client("edge0.example", 600), authority.client("visitor", SOON));
    // Two nodes see nothing of each other but what was published on this side, so one of them publishes by token.
    let peer = node.quic(&relay, "/room").await.unwrap();
    assert!(peer.track_info("no", "such").await.read().await != Err(common::End::Closed));
    assert!(node.get(&relay, "/announced/any/path").await.starts_with("HTTP/1.1 200"));

    let ends = from_now(SOON);
    let guest = visitor.quic(&relay, "/").await.unwrap();
    assert!(refused(&guest).await.starts_with("auth/expired"));
    assert!((-1..=3).contains(&(from_now(0) - ends)));
    assert!(peer.track_info("no", "such").await.read().await != Err(common::End::Closed), "the other one stays");
}

#[tokio::test]
async fn a_connection_that_is_kept_does_not_keep_its_certificate() {
    let authority = Authority::new();
    let relay = with_clients(&authority).await;
    let visitor = authority.client("visitor", SOON);
    let tcp = TcpStream::connect(relay.other.https.unwrap()).await.unwrap();
    let tls = TlsConnector::from(Arc::new(visitor.tls(&relay, "http/1.1")));
    let mut stream = tls.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let page = "GET /announced/room HTTP/1.1\r\nhost: localhost\r\n";
    assert_eq!(common::ask(&mut stream, page).await.status, 200);
    sleep(Duration::from_secs(SOON as u64 + 1)).await;
    let answer = common::ask(&mut stream, page).await;
    assert_eq!((answer.status, answer.body.starts_with("auth/expired")), (401, true), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused_and_none_is_no_right() {
    let authority = Authority::new();
    let relay = with_clients(&authority).await;
    let stranger = Authority::new().client("edge0.example", 600);
    // In TLS 1.3 the client hears of it after it believes to be connected.
    match stranger.quic(&relay, "/room").await {
        Err(_) => {}
        Ok(peer) => assert_ne!(soon(peer.closed()).await.code, Some(0)),
    }
    let nobody = relay.peer_at(Socket::Raw, dialect("05"), "room", TransportConfig::default()).await.unwrap();
    assert!(refused(&nobody).await.starts_with("auth/not-public"));
}
