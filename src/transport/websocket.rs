//! WebSocket: which framing and protocol a subprotocol stands for, and from an upgraded HTTP connection to a session.

mod messages;
mod read_ahead;
mod stranger;

use std::{
    fmt, io,
    sync::{Arc, atomic::AtomicBool},
};

use futures::future::BoxFuture;
use qmux::{
    Session, Version,
    ws::{
        tokio_tungstenite::{WebSocketStream, client_async_with_config},
        tungstenite::{
            client::IntoClientRequest,
            handshake::derive_accept_key,
            protocol::{Role, WebSocketConfig},
        },
    },
};
use tokio::io::{AsyncRead, AsyncWrite};

use self::{messages::Messages, read_ahead::ReadAhead, stranger::Stranger};
use super::{last_words::LastWords, stream};

/// What is read at a time from somebody who says little. Halved, reads become smaller with every message, as
/// `BytesMut` remembers no less; doubled, every session holds that much more.
const READ_BUFFER: usize = 1 << 10;
/// The largest message of a framing with records, which are smaller.
const MAX_MESSAGE: usize = 64 << 10;
/// The largest message of the `webtransport` framing, which puts into one what was written at once: a whole frame.
const MAX_LEGACY_MESSAGE: usize = (32 << 20) + 1024;

/// Bytes both ways: an HTTP connection after its upgrade.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The upgrade of an HTTP connection, under way.
pub type Upgrading = BoxFuture<'static, io::Result<Box<dyn Io>>>;

/// What was agreed on: how streams are framed, and what is spoken on them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subprotocol {
    version: Version,
    /// `None`: SETUP decides.
    protocol: Option<String>,
    /// As the client wrote it; `None` when it offered nothing.
    header: Option<String>,
}

impl Subprotocol {
    /// The one to use, of what the client offers, for somebody who speaks `protocols`, the favourite first. Unlike on
    /// WebTransport the server's order counts: clients list what would make them the oldest first. `None`: nothing
    /// in common. Without an offer it is the `webtransport` framing, and SETUP decides.
    pub fn choose(offered: &[&str], protocols: &[&str], in_band: bool) -> Option<Self> {
        if offered.is_empty() {
            return in_band.then_some(Self { version: Version::WebTransport, protocol: None, header: None });
        }
        let offers = |name: &str| offered.contains(&name).then(|| name.to_owned());
        for protocol in protocols {
            let found = |version: Version, header| Self { version, protocol: Some((*protocol).to_owned()), header };
            for version in Version::ALL {
                if let Some(header) = offers(&format!("{}{protocol}", version.prefix())) {
                    return Some(found(*version, Some(header)));
                }
            }
            // The draft has the plain name and nothing about the framing.
            if let Some(header) = offers(protocol) {
                return Some(found(Version::QMux01, Some(header)));
            }
        }
        let bare = Version::ALL.iter().find_map(|version| Some((*version, offers(version.alpn())?)));
        let (version, header) = bare.filter(|_| in_band)?;
        Some(Self { version, protocol: None, header: Some(header) })
    }

    /// What to answer as `Sec-WebSocket-Protocol`.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }
}

/// What to answer as `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

/// An HTTP request that becomes a session.
pub struct WebSocket {
    /// What was agreed on.
    pub subprotocol: Subprotocol,
    /// Ready once the answer is out.
    pub upgrading: Upgrading,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("subprotocol", &self.subprotocol).finish_non_exhaustive()
    }
}

/// Waits for the upgrade and starts the session.
pub(super) async fn accept(
    subprotocol: Subprotocol,
    upgrading: Upgrading,
) -> io::Result<(stream::Connection, Option<String>)> {
    let io = upgrading.await?;
    let Subprotocol { version, protocol, .. } = subprotocol;
    let trust = Arc::<AtomicBool>::default();
    let io = LastWords::new(ReadAhead::new(Stranger::new(io, trust.clone())));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits(version))).await;
    let config = stream::config(version);
    let session = Session::accept(Messages::new(socket, &config), config).await.map_err(io::Error::other)?;
    Ok((stream::Connection::with_trust(session, trust), protocol))
}

/// The client's side of the upgrade, with these protocols on offer in every framing, and the session on it.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    url: &str,
    io: S,
    protocols: &[&str],
) -> io::Result<(stream::Connection, Option<String>)> {
    let names = |protocol: &str| Version::ALL.iter().map(|version| format!("{}{protocol}", version.prefix())).collect();
    let offered: Vec<String> = protocols.iter().flat_map(|protocol| -> Vec<_> { names(protocol) }).collect();
    let mut request = url.into_client_request().map_err(io::Error::other)?;
    let list = offered.join(", ").try_into().map_err(io::Error::other)?;
    request.headers_mut().insert(SUBPROTOCOLS, list);
    let (socket, response) =
        client_async_with_config(request, LastWords::new(ReadAhead::new(io)), Some(limits(Version::WebTransport)))
            .await
            .map_err(io::Error::other)?;
    let chosen = response.headers().get(SUBPROTOCOLS).and_then(|name| name.to_str().ok());
    let choice = Subprotocol::choose(chosen.as_slice(), protocols, true);
    let Some(Subprotocol { version, protocol, .. }) = choice else {
        return Err(io::Error::other("no subprotocol in common"));
    };
    let config = stream::config(version);
    let session = Session::connect(Messages::new(socket, &config), config).await.map_err(io::Error::other)?;
    Ok((stream::Connection::new(session), protocol))
}

const SUBPROTOCOLS: &str = "sec-websocket-protocol";

/// What is held of what comes in.
fn limits(version: Version) -> WebSocketConfig {
    let most = if version == Version::WebTransport { MAX_LEGACY_MESSAGE } else { MAX_MESSAGE };
    WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(Some(most)).max_frame_size(Some(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 3] = ["moq-lite-05", "moq-lite-04", "moql"];

    /// What is chosen: framing, protocol and header.
    fn chosen(offered: &[&str]) -> Option<(&'static str, Option<String>, Option<String>)> {
        let Subprotocol { version, protocol, header } = Subprotocol::choose(offered, &OURS, true)?;
        Some((version.alpn(), protocol, header))
    }

    fn some(
        framing: &'static str,
        protocol: &str,
        header: &str,
    ) -> Option<(&'static str, Option<String>, Option<String>)> {
        Some((framing, Some(protocol).filter(|p| !p.is_empty()).map(Into::into), Some(header.into())))
    }

    #[test]
    fn the_newest_protocol_in_the_newest_framing() {
        let javascript =
            ["qmux-02.moq-lite-05", "qmux-01.moq-lite-05", "qmux-00.moq-lite-05", "qmux-02", "webtransport"];
        assert_eq!(chosen(&javascript), some("qmux-02", "moq-lite-05", "qmux-02.moq-lite-05"));
        // Its own order would make this one the oldest.
        let rust = ["qmux-00", "qmux-00.moq-lite-04", "qmux-00.moql", "webtransport", "webtransport.moq-lite-04"];
        assert_eq!(chosen(&rust), some("qmux-00", "moq-lite-04", "qmux-00.moq-lite-04"));
        assert_eq!(chosen(&["webtransport", "webtransport.moql"]), some("webtransport", "moql", "webtransport.moql"));
        assert_eq!(chosen(&["moq-lite-04"]), some("qmux-01", "moq-lite-04", "moq-lite-04"));
    }

    #[test]
    fn without_a_protocol_setup_decides() {
        assert_eq!(chosen(&["qmux-00", "webtransport"]), some("qmux-00", "", "qmux-00"));
        assert_eq!(chosen(&["qmux-01.moqt-18", "webtransport"]), some("webtransport", "", "webtransport"));
        assert_eq!(chosen(&[]), Some(("webtransport", None, None)));
    }

    #[test]
    fn nothing_in_common_is_nothing() {
        assert_eq!(chosen(&["qmux-01.moqt-18", "chat"]), None);
        assert_eq!(Subprotocol::choose(&["qmux-01"], &["moq-lite-05"], false), None, "SETUP has nothing to choose");
        assert_eq!(Subprotocol::choose(&[], &["moq-lite-05"], false), None);
    }
}
