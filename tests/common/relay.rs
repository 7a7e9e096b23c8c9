//! The real relay on a free port of this machine, and clients on real sockets.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use moq_relay::{
    auth,
    cluster::Cluster,
    config::Config,
    model::origin::Origin,
    relay::{OtherAddresses, Relay},
    session,
    transport::{Connection, config::Server, config::Tls, quic, stream},
    types::{HopId, Scope},
    web::config::{Http, Listen},
    wire::{Dialect, Offer, lite::setup::Setup},
};
use qmux::{
    Version,
    ws::{
        Upgraded,
        tokio_tungstenite::{WebSocketStream, client_async},
        tungstenite::{self, client::IntoClientRequest},
    },
};
use quinn::{Endpoint, TransportConfig, crypto::rustls::QuicClientConfig};
use rustls::{RootCertStore, pki_types::CertificateDer, version::TLS13};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};
use web_transport_quinn::{Session, proto::ConnectRequest};
use web_transport_trait::Session as _;

use super::{Peer, Publisher, VIDEO, latest};

/// A free port of this machine.
pub const ANYWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// A relay that everybody may use, gone when dropped.
#[derive(Debug)]
pub struct TestRelay {
    pub address: SocketAddr,
    pub other: OtherAddresses,
    pub unix: PathBuf,
    pub origin: Arc<Origin>,
    pub cluster: Arc<Cluster>,
    pub certificate: CertificateDer<'static>,
    endpoint: Endpoint,
    pub stop: watch::Sender<bool>,
    over: watch::Receiver<()>,
    /// Certificates and the Unix socket.
    files: TempDir,
}

/// How a client on real sockets comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::enum_variant_names, reason = "a WebSocket is called that")]
pub enum Socket {
    Raw,
    Web,
    /// WebSocket in one of its framings: qmux-00, -01, -02 or webtransport.
    WebSocket(&'static str),
    Tcp,
    Unix,
}

impl Socket {
    /// Every door, and every framing of those that have a choice.
    pub const ALL: [Self; 8] = [
        Self::Raw,
        Self::Web,
        Self::WebSocket("qmux-02"),
        Self::Tcp,
        Self::WebSocket("qmux-01"),
        Self::Unix,
        Self::WebSocket("qmux-00"),
        Self::WebSocket("webtransport"),
    ];
}

impl TestRelay {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With these dialects alone.
    pub async fn speaking(names: &[&str]) -> Self {
        let offer = session::Config::offer(names.iter().copied()).unwrap();
        Self::with(|config| config.session.server = offer).await
    }

    /// At every door.
    pub async fn everywhere() -> Self {
        Self::with(|config| {
            config.web.http.listen = Listen::BesideServer;
            config.transport.server.tcp = vec![ANYWHERE.into()];
        })
        .await
    }

    /// With another configuration than the usual one.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let files = tempfile::tempdir().unwrap();
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&cert, generated.cert.pem()).unwrap();
        std::fs::write(&key, generated.signing_key.serialize_pem()).unwrap();

        let unix = files.path().join("socket");
        let mut config = Config {
            auth: auth::Config { public: everything_public(), ..auth::Config::default() },
            web: moq_relay::web::Config { http: Http { listen: Listen::Off }, ..Default::default() },
            ..Config::default()
        };
        config.session.server = Offer::new(&Dialect::every().collect::<Vec<_>>());
        let tls = Tls { cert: vec![cert], key: vec![key], ..Tls::default() };
        config.transport.server = Server { listen: vec![ANYWHERE.into()], tls, ..Server::default() };
        config.transport.server.unix.listen = Some(unix.clone());
        change(&mut config);

        let relay = Relay::bind(&config, false).unwrap();
        let (stop, stopped) = watch::channel(false);
        let (address, other) = (relay.address(), relay.other_addresses());
        let (origin, cluster) = (relay.origin(), relay.cluster());
        let (running, over) = watch::channel(());
        tokio::spawn(async move {
            relay.run(stopped).await.unwrap();
            drop(running);
        });
        let endpoint = Endpoint::client(ANYWHERE).unwrap();
        let certificate = generated.cert.der().clone();
        Self { address, other, unix, origin, cluster, certificate, endpoint, stop, over, files }
    }

    /// Waits until it has stopped.
    pub async fn over(&self) {
        while self.over.clone().changed().await.is_ok() {}
    }

    /// A client on raw QUIC or WebTransport, at the root.
    pub async fn peer(&self, socket: Socket, dialect: &'static Dialect) -> Peer {
        self.peer_within(socket, dialect, TransportConfig::default()).await
    }

    /// The same, with limits of its own.
    pub async fn peer_within(&self, socket: Socket, dialect: &'static Dialect, limits: TransportConfig) -> Peer {
        self.peer_at(socket, dialect, "", limits).await.expect("a way in")
    }

    /// A client that wants to go to a path (and query), or the HTTP status that refused it.
    pub async fn peer_at(
        &self,
        socket: Socket,
        dialect: &'static Dialect,
        target: &str,
        limits: TransportConfig,
    ) -> Result<Peer, u16> {
        static HOPS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(2001);
        let hop = HopId(HOPS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let path = Some(format!("/{target}"));
        let (conn, path) = match socket {
            Socket::Raw => (self.raw(dialect.alpn, limits).await, path),
            Socket::Web => (self.web(target, dialect.alpn, limits).await, None),
            Socket::WebSocket(framing) => {
                (self.websocket(target, Some(&format!("{framing}.{}", dialect.alpn))).await?, None)
            }
            Socket::Tcp => {
                let config = qmux::tcp::Config::new(Version::QMux01).protocols([dialect.alpn]);
                let session = config.connect(self.other.tcp.unwrap()).await.unwrap();
                assert_eq!(session.protocol(), Some(dialect.alpn));
                (Connection::Stream(stream::Connection::new(session)), path)
            }
            Socket::Unix => {
                let config = qmux::uds::Config::new(Version::QMux01).protocols([dialect.alpn]);
                let session = config.connect(&self.unix).await.unwrap();
                assert_eq!(session.protocol(), Some(dialect.alpn));
                (Connection::Stream(stream::Connection::new(session)), path)
            }
        };
        Ok(Peer::begin(conn, dialect, Setup { hop, path, ..Setup::default() }).await)
    }

    /// A page of the HTTP address, with more header lines.
    pub async fn get(&self, page: &str, lines: &str) -> Answer {
        let mut stream = TcpStream::connect(self.other.http.unwrap()).await.unwrap();
        ask(&mut stream, &format!("GET {page} HTTP/1.1\r\nhost: localhost\r\n{lines}")).await
    }

    /// A WebSocket at a path, with this subprotocol, or the HTTP status that refused it.
    pub async fn websocket(&self, path: &str, subprotocol: Option<&str>) -> Result<Connection, u16> {
        let url = format!("ws://{}/{path}", self.other.http.unwrap());
        let offered: Vec<_> = subprotocol.into_iter().collect();
        let stream = TcpStream::connect(self.other.http.unwrap()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, chosen) = upgrade(&url, &offered, stream).await?;
        assert_eq!(chosen.as_deref(), subprotocol);
        // The crate knows the older framing by its bare name alone.
        let framing = match subprotocol {
            Some(name) if !name.starts_with("webtransport") => name,
            _ => "webtransport",
        };
        let session = Upgraded::new(socket).with_alpn(framing).connect();
        Ok(Connection::Stream(stream::Connection::new(session)))
    }

    /// Where files of the test may lie.
    pub fn folder(&self) -> &std::path::Path {
        self.files.path()
    }

    /// The relay's certificate, to trust.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    /// A client that publishes.
    pub async fn publisher(&self, socket: Socket, dialect: &'static Dialect, broadcasts: &[&str]) -> Publisher {
        Publisher::new(self.peer(socket, dialect).await, broadcasts).await
    }

    /// A raw QUIC connection.
    pub async fn raw(&self, alpn: &str, limits: TransportConfig) -> Connection {
        Connection::Quic(quic::Connection::raw(self.dial(&[alpn], limits).await))
    }

    /// A WebTransport session of one dialect.
    pub async fn web(&self, path: &str, protocol: &str, limits: TransportConfig) -> Connection {
        let session = self.session(path, &[protocol], limits).await;
        assert_eq!(session.protocol(), Some(protocol));
        Connection::Quic(quic::Connection::web(session))
    }

    /// A WebTransport session, with these protocols on offer.
    pub async fn session(&self, path: &str, protocols: &[&str], limits: TransportConfig) -> Session {
        let url = format!("https://localhost:{}/{path}", self.address.port());
        let protocols = protocols.iter().map(|&protocol| protocol.to_owned());
        let request = ConnectRequest::new(url::Url::parse(&url).unwrap()).with_protocols(protocols);
        Session::connect(self.dial(&["h3"], limits).await, request).await.unwrap()
    }

    /// A QUIC connection, with these protocols on offer.
    pub async fn dial(&self, alpn: &[&str], limits: TransportConfig) -> quinn::Connection {
        let config = self.client(alpn, limits);
        self.endpoint.connect_with(config, self.address, "localhost").unwrap().await.unwrap()
    }

    /// What QUIC clients are configured with.
    pub fn client(&self, alpn: &[&str], limits: TransportConfig) -> quinn::ClientConfig {
        let builder = rustls::ClientConfig::builder_with_protocol_versions(&[&TLS13]);
        let mut tls = builder.with_root_certificates(self.roots()).with_no_client_auth();
        tls.alpn_protocols = alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(Arc::new(limits));
        config
    }
}

/// The client's side of a WebSocket handshake: the socket and the subprotocol, or the HTTP status of the refusal.
pub async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    url: &str,
    offered: &[&str],
    stream: S,
) -> Result<(WebSocketStream<S>, Option<String>), u16> {
    let mut request = url.into_client_request().unwrap();
    if !offered.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", offered.join(", ").parse().unwrap());
    }
    match client_async(request, stream).await {
        Ok((socket, response)) => {
            let chosen = response.headers().get("sec-websocket-protocol");
            Ok((socket, chosen.map(|name| name.to_str().unwrap().to_owned())))
        }
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// What an HTTP request is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Everything before the body, in lower case.
    pub head: String,
    pub body: String,
}

/// Sends an HTTP/1.1 request, whose lines all end with CR and LF, and reads the answer and not a byte more.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> Answer {
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(super::soon(stream.read_u8()).await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    super::soon(stream.read_exact(&mut body)).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: String::from_utf8(body).unwrap() }
}

impl Peer {
    /// Publishes a broadcast, whose name the viewer sees as `expected`, until one group of it has arrived there.
    pub async fn reaches(self, viewer: &Self, expected: &str) {
        let mut announced = viewer.announced("").await;
        let publisher = Publisher::new(self, &["a"]).await;
        assert_eq!(announced.next().await.kind(), ("active", expected));
        let mut subscription = viewer.subscribe(expected, VIDEO, latest()).await;
        let mut feed = publisher.feed().await;
        feed.whole_group(0, &[b"hello", b""]).await;
        let (payloads, end) = subscription.group().await.payloads().await;
        assert_eq!((payloads, end), (vec![Bytes::from_static(b"hello"), Bytes::new()], super::End::Fin));
        drop(publisher);
        assert_eq!(announced.next().await.kind(), ("ended", expected));
    }
}

/// Nobody needs a token.
fn everything_public() -> auth::Public {
    auth::Public { both: Scope::everything(), ..auth::Public::default() }
}

/// A configuration of a node that believes any certificate of others.
pub fn credulous(config: &mut Config) {
    config.transport.client.tls.disable_verify = true;
    config.cluster.dial.websocket.enabled = false;
}
