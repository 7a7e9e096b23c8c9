//! The real relay on a free port of this machine, and clients on real sockets.

use std::{net::SocketAddr, sync::Arc};

use moq_relay::{
    auth,
    config::Config,
    model::origin::Origin,
    relay::Relay,
    transport::{Connection, config::Server, config::Tls, quic},
    types::{HopId, Scope},
    web::config::{Http, Listen},
    wire::{Dialect, lite::setup::Setup},
};
use quinn::{Endpoint, TransportConfig, crypto::rustls::QuicClientConfig};
use rustls::{RootCertStore, pki_types::CertificateDer, version::TLS13};
use tokio::sync::watch;
use web_transport_quinn::{Session, proto::ConnectRequest};

use super::{Peer, Publisher};

/// A relay that everybody may use, gone when dropped.
#[derive(Debug)]
pub struct TestRelay {
    pub address: SocketAddr,
    pub origin: Arc<Origin>,
    certificate: CertificateDer<'static>,
    endpoint: Endpoint,
    _stop: watch::Sender<bool>,
}

/// How a client on real sockets comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Socket {
    Raw,
    Web,
}

impl TestRelay {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With another configuration than the usual one.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let files = tempfile::tempdir().unwrap();
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&cert, generated.cert.pem()).unwrap();
        std::fs::write(&key, generated.signing_key.serialize_pem()).unwrap();

        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config {
            auth: auth::Config { public: Scope::everything() },
            web: moq_relay::web::Config { http: Http { listen: Listen::Off } },
            ..Config::default()
        };
        let tls = Tls { cert: vec![cert], key: vec![key], generate: Vec::new() };
        config.transport.server = Server { listen: vec![anywhere.into()], tls };
        change(&mut config);

        let relay = Relay::bind(&config, false).unwrap();
        let (stop, stopped) = watch::channel(false);
        let (address, origin) = (relay.address(), relay.origin());
        tokio::spawn(async move { relay.run(stopped).await.unwrap() });
        let endpoint = Endpoint::client(anywhere).unwrap();
        Self { address, origin, certificate: generated.cert.der().clone(), endpoint, _stop: stop }
    }

    /// A client on raw QUIC or WebTransport, at the root.
    pub async fn peer(&self, socket: Socket, dialect: &'static Dialect) -> Peer {
        self.peer_within(socket, dialect, TransportConfig::default()).await
    }

    /// The same, with limits of its own.
    pub async fn peer_within(&self, socket: Socket, dialect: &'static Dialect, limits: TransportConfig) -> Peer {
        static HOPS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(2001);
        let hop = HopId(HOPS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (conn, path) = match socket {
            Socket::Raw => (self.raw(dialect.alpn, limits).await, Some("/".to_owned())),
            Socket::Web => (self.web("", dialect.alpn, limits).await, None),
        };
        Peer::start(conn, dialect, Setup { hop, path, ..Setup::default() })
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
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = rustls::ClientConfig::builder_with_protocol_versions(&[&TLS13]);
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(Arc::new(limits));
        self.endpoint.connect_with(config, self.address, "localhost").unwrap().await.unwrap()
    }
}
