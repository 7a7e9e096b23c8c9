//! Dialing: from a place to a connection with a protocol.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use quinn::{Endpoint, EndpointConfig, Runtime, TokioRuntime, crypto::rustls::QuicClientConfig};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream},
    time::sleep,
};
use tokio_rustls::TlsConnector;
use web_transport_quinn::{Session, proto::ConnectRequest};
use web_transport_trait::Session as _;

use super::{
    Connection, Driver, Target, burst,
    config::{self, Client, Quic},
    incoming::HTTP3,
    listener, quic, socket,
    stream::{self, FRAMING, Side},
    target::Door,
    tls::{self, Over},
    websocket,
};

/// What one stream of a node may have in flight: many tracks share a link, and far nodes have a long way.
const STREAM_WINDOW: u64 = 4 << 20;

/// Silence after which a node is gone. Half: two lost packets in a row cut a link; double: what was lost with a node is
/// found elsewhere that much later.
const IDLE: Duration = Duration::from_secs(5);
/// Silence after which a sign of life is sent: links are few, and a node that was restarted answers it at once.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// How long a QUIC handshake is given before another one begins beside it. A handshake sends its first packet again after
/// 1, 3 and 7 seconds, and a way that is open again is found no sooner. Halved, a node that is away gets twice the packets;
/// doubled, it is found to be back two seconds later.
const AGAIN: Duration = Duration::from_secs(2);

/// Dials, from one UDP socket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    endpoint: Endpoint,
    client: Arc<Client>,
    quic: Arc<Quic>,
}

/// A place that has answered.
#[derive(Debug)]
pub struct Dialed {
    /// The connection, ready for streams.
    pub conn: Connection,
    /// What both speak on it, if that is settled.
    pub protocol: Option<String>,
    /// Path and query, where the door has no URL and SETUP must tell them.
    pub path: Option<String>,
    /// Which of the addresses has answered.
    pub remote: Option<SocketAddr>,
}

/// Why nobody has answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

impl NoAnswer {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Dialer {
    /// Binds the socket to dial from, which answers are read from as long as the driver is polled.
    pub fn open(config: &config::Config) -> io::Result<(Self, Driver)> {
        let bind = config.client.bind;
        let any = SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, bind.port()));
        let bound = socket::bind(bind);
        // A machine without IPv6 has no such address.
        let bound = if bind.ip().is_unspecified() { bound.or_else(|_| socket::bind(any)) } else { bound }?;
        let (endpoint, driver) =
            burst::endpoint(EndpointConfig::default(), None, TokioRuntime.wrap_udp_socket(bound)?)?;
        let quic = dialed(&config.quic, &config.client.quic);
        Ok((Self { endpoint, client: Arc::new(config.client.clone()), quic: Arc::new(quic) }, driver))
    }

    /// Dials a place with these protocols on offer, the favourite first: each of its addresses `race` after the one
    /// before, or once that has failed; the first to answer is taken. `pinned` is a certificate to believe, in hex.
    pub async fn dial(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
        race: Duration,
        protocols: &[&str],
        pinned: Option<&str>,
    ) -> Result<Dialed, NoAnswer> {
        match target.door() {
            Door::Unix => {
                let socket = UnixStream::connect(target.file()).await.map_err(NoAnswer::of)?;
                plain(stream::start(Side::Client, socket, None, protocols).await, target, None)
            }
            door => {
                let tls = self.tls(door, pinned).await?;
                staggered(addresses, race, |address| self.at(target, address, protocols, tls.clone())).await
            }
        }
    }

    async fn at(
        &self,
        target: &Target,
        address: SocketAddr,
        protocols: &[&str],
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Dialed, NoAnswer> {
        let name = self.client.tls.host_name.as_deref().unwrap_or_else(|| target.host());
        match (target.door(), tls) {
            (Door::WebTransport, Some(tls)) => {
                let conn = self.quic(address, name, tls, &[HTTP3]).await?;
                let protocols = protocols.iter().map(|&protocol| protocol.to_owned());
                let request = ConnectRequest::new(as_https(target)?).with_protocols(protocols);
                let session = Session::connect(conn, request).await.map_err(NoAnswer::of)?;
                let protocol = session.protocol().map(ToOwned::to_owned);
                Ok(Dialed {
                    conn: Connection::Quic(quic::Connection::web(session)),
                    protocol,
                    path: None,
                    remote: Some(address),
                })
            }
            (Door::Quic, Some(tls)) => {
                let conn = quic::Connection::raw(self.quic(address, name, tls, protocols).await?);
                let (conn, protocol) = (Connection::Quic(conn.clone()), conn.protocol());
                Ok(Dialed { conn, protocol, path: Some(target.path_and_query()), remote: Some(address) })
            }
            (Door::WebSocket { .. }, tls) => {
                let socket = connect(address).await?;
                let (conn, protocol) = match tls {
                    Some(tls) => {
                        websocket::connect(target.url().as_str(), secure(socket, name, tls).await?, protocols).await
                    }
                    None => websocket::connect(target.url().as_str(), socket, protocols).await,
                }
                .map_err(NoAnswer::of)?;
                Ok(Dialed { conn: Connection::Stream(conn), protocol, path: None, remote: Some(address) })
            }
            (Door::Tcp { .. }, Some(tls)) => {
                let mut client = qmux::tls::Client::new(Arc::new(tls)).with_session_config(stream::config(FRAMING));
                for protocol in protocols {
                    client = client.with_protocol(protocol, &[FRAMING]);
                }
                plain(client.connect(address, name).await, target, Some(address))
            }
            (Door::Tcp { .. }, None) => {
                let socket = connect(address).await?;
                let stats = stream::stats(&socket);
                plain(stream::start(Side::Client, socket, stats, protocols).await, target, Some(address))
            }
            (Door::WebTransport | Door::Quic, None) | (Door::Unix, _) => Err(NoAnswer("no way in".to_owned())),
        }
    }

    /// How to speak TLS at a door, if it has any. Files are read where that may block.
    async fn tls(&self, door: Door, pinned: Option<&str>) -> Result<Option<rustls::ClientConfig>, NoAnswer> {
        let over = match door {
            Door::WebTransport | Door::Quic => Over::Quic,
            Door::WebSocket { secure: true } | Door::Tcp { secure: true } => Over::Tcp,
            Door::WebSocket { secure: false } | Door::Tcp { secure: false } | Door::Unix => return Ok(None),
        };
        let (client, pinned) = (self.client.clone(), pinned.map(ToOwned::to_owned));
        let read = move || tls::client_config(&client.tls, pinned.as_deref(), over, &[]);
        let read = tokio::task::spawn_blocking(read).await.map_err(NoAnswer::of)?;
        read.map(Some).map_err(NoAnswer::of)
    }

    async fn quic(
        &self,
        address: SocketAddr,
        name: &str,
        mut tls: rustls::ClientConfig,
        alpn: &[&str],
    ) -> Result<quinn::Connection, NoAnswer> {
        tls.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let crypto = QuicClientConfig::try_from(tls).map_err(NoAnswer::of)?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(listener::transport(&self.quic)));
        persistent(|| {
            let connecting = self.endpoint.connect_with(config.clone(), address, name);
            async move { connecting.map_err(NoAnswer::of)?.await.map_err(NoAnswer::of) }
        })
        .await
    }

    /// Streams of each kind that whoever was dialed may have open at once, if that is set.
    pub fn max_streams(&self) -> Option<u64> {
        self.quic.max_streams
    }

    /// Ends every connection that was dialed, with an application code.
    pub fn close(&self, code: u32, reason: &str) {
        self.endpoint.close(code.into(), reason.as_bytes());
    }

    /// Waits until every peer has heard of the end, or its time is up.
    pub async fn drained(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// What holds for connections that this node opens.
fn dialed(quic: &Quic, own: &config::Dialed) -> Quic {
    Quic {
        idle_timeout: own.idle_timeout.unwrap_or_else(|| sooner(quic.idle_timeout, IDLE)),
        keep_alive: own.keep_alive.unwrap_or_else(|| sooner(quic.keep_alive, KEEP_ALIVE)),
        max_streams: own.max_streams.or(quic.max_streams),
        mtu_discovery: own.mtu_discovery.unwrap_or(quic.mtu_discovery),
        gso: own.gso.unwrap_or(quic.gso),
        congestion_control: own.congestion_control.unwrap_or(quic.congestion_control),
        stream_receive_window: quic.stream_receive_window.max(STREAM_WINDOW),
        ..quic.clone()
    }
}

/// The shorter time; zero is never.
fn sooner(a: Duration, b: Duration) -> Duration {
    if a.is_zero() { b } else { a.min(b) }
}

/// WebTransport knows only this scheme.
fn as_https(target: &Target) -> Result<url::Url, NoAnswer> {
    let text = target.url().as_str();
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    url::Url::parse(&format!("https://{rest}")).map_err(NoAnswer::of)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, NoAnswer> {
    let socket = TcpStream::connect(address).await.map_err(NoAnswer::of)?;
    socket.set_nodelay(true).map_err(NoAnswer::of)?;
    Ok(socket)
}

async fn secure(
    socket: TcpStream,
    name: &str,
    mut tls: rustls::ClientConfig,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, NoAnswer> {
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(name.to_owned()).map_err(NoAnswer::of)?;
    TlsConnector::from(Arc::new(tls)).connect(name, socket).await.map_err(NoAnswer::of)
}

fn plain(
    session: Result<qmux::Session, qmux::Error>,
    target: &Target,
    remote: Option<SocketAddr>,
) -> Result<Dialed, NoAnswer> {
    let session = session.map_err(NoAnswer::of)?;
    let protocol = session.protocol().map(ToOwned::to_owned);
    // The path of a Unix socket's URL is its file.
    let path = if remote.is_some() { target.path_and_query() } else { String::new() };
    let conn = Connection::Stream(stream::Connection::new(session));
    Ok(Dialed { conn, protocol, path: Some(path), remote })
}

/// Tries, and tries again beside that, until one attempt has come to an end.
async fn persistent<T, F: Future<Output = Result<T, NoAnswer>>>(attempt: impl Fn() -> F) -> Result<T, NoAnswer> {
    let mut running = FuturesUnordered::new();
    loop {
        running.push(attempt());
        tokio::select! {
            Some(done) = running.next() => return done,
            () = sleep(AGAIN) => {}
        }
    }
}

/// Tries one after the other, each a while after the one before or as soon as that has failed; the first success, or
/// else the first failure.
async fn staggered<T, F: Future<Output = Result<T, NoAnswer>>>(
    addresses: &[SocketAddr],
    race: Duration,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, NoAnswer> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut failure = None;
    loop {
        if running.is_empty() {
            match waiting.next() {
                Some(address) => running.push(attempt(*address)),
                None => return Err(failure.unwrap_or_else(|| NoAnswer("no address".to_owned()))),
            }
        }
        tokio::select! {
            Some(done) = running.next() => match done {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = failure.or(Some(error)),
            },
            () = sleep(race), if waiting.len() > 0 => running.extend(waiting.next().map(|address| attempt(*address))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_to_answer_is_taken() {
        let race = Duration::from_millis(250);
        let started = Instant::now();
        // The first never answers, the second fails at once, the third succeeds.
        let all = [address(1), address(2), address(3)];
        let answer = staggered(&all, race, |address| async move {
            match address.port() {
                1 => std::future::pending().await,
                2 => Err(NoAnswer("refused".to_owned())),
                port => Ok(port),
            }
        });
        assert_eq!(answer.await, Ok(3));
        assert_eq!(started.elapsed(), 2 * race);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_asked_again() {
        let started = Instant::now();
        let asked = std::cell::Cell::new(0);
        let answer = persistent(|| {
            asked.set(asked.get() + 1);
            let time = asked.get();
            async move { if time < 3 { std::future::pending().await } else { Ok(time) } }
        });
        assert_eq!(answer.await, Ok(3));
        assert_eq!(started.elapsed(), 2 * AGAIN);
        let refused = persistent(|| async { Err::<(), _>(NoAnswer("refused".to_owned())) });
        assert_eq!(refused.await, Err(NoAnswer("refused".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_the_first_reason_counts() {
        let all = [address(1), address(2)];
        let failing = |address: SocketAddr| async move { Err::<(), _>(NoAnswer(address.port().to_string())) };
        assert_eq!(staggered(&all, Duration::from_secs(1), failing).await, Err(NoAnswer("1".to_owned())));
        assert!(staggered(&[], Duration::ZERO, failing).await.is_err());
    }
}
