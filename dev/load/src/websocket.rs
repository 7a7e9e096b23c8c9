//! Dials WebSocket: plain HTTP on the TCP side of an address, and QMux in its messages.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use qmux::{
    Config, Session, Version,
    ws::{
        KeepAlive, Upgraded,
        tokio_tungstenite::client_async,
        tungstenite::{
            client::IntoClientRequest,
            http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        },
    },
};
use tokio::net::TcpStream;

pub(crate) async fn connect(addr: SocketAddr, protocol: &str, config: Config) -> Result<Session> {
    let tcp = TcpStream::connect(addr).await?;
    // Otherwise a frame might wait for the acknowledgement of the one before.
    tcp.set_nodelay(true)?;
    let wanted = format!("{}{protocol}", Version::QMux01.prefix());
    let mut request = format!("ws://{addr}/").into_client_request()?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(&wanted)?);
    let (ws, response) = client_async(request, tcp).await.context("upgrade")?;
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    ensure!(chosen.is_some_and(|c| c == wanted.as_str()), "the server chose {chosen:?}");
    let session = Upgraded::new(ws).with_alpn(&wanted).with_keep_alive(KeepAlive::default());
    Ok(session.with_session_config(config).connect())
}

#[cfg(test)]
mod tests {
    use qmux::ws::Server;
    use tokio::net::TcpListener;

    use crate::{
        client::{Client, Reading},
        door::{Connection, Door},
    };

    /// More than one record and one window.
    const SIZE: usize = 3_000_000;

    #[tokio::test]
    async fn streams_go_both_ways() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client =
            Client::new(listener.local_addr().unwrap(), Door::WebSocket, "moq-lite-05", Reading::Eager).unwrap();
        let serve = async {
            let server = Server::new().with_protocol("moq-lite-05", &[qmux::Version::QMux01]).require_protocol();
            let (socket, _) = listener.accept().await.unwrap();
            Connection::WebSocket(Box::new(server.accept(socket).await.unwrap()))
        };
        let (theirs, ours) = tokio::join!(serve, client.connect());
        let ours = ours.unwrap();

        let (mut send, mut recv) = ours.open_bi().await.unwrap();
        let echo = async {
            let (mut send, mut recv) = theirs.accept_bi().await.unwrap();
            while let Some(chunk) = recv.chunk().await.unwrap() {
                send.write_all(&chunk).await.unwrap();
            }
            send.finish().unwrap();
        };
        let ask = async {
            send.write_all(&vec![7; SIZE]).await.unwrap();
            send.finish().unwrap();
            send.stopped().await;
        };
        let hear = async {
            let mut heard = 0;
            while let Some(chunk) = recv.chunk().await.unwrap() {
                heard += chunk.iter().filter(|b| **b == 7).count();
            }
            assert_eq!(heard, SIZE);
        };
        tokio::join!(echo, ask, hear);
    }

    #[tokio::test]
    async fn another_protocol_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client =
            Client::new(listener.local_addr().unwrap(), Door::WebSocket, "moq-lite-05", Reading::Eager).unwrap();
        let serve = async {
            let server = Server::new().with_protocol("moq-lite-06", &[]).require_protocol();
            let (socket, _) = listener.accept().await.unwrap();
            server.accept(socket).await.is_err()
        };
        let (refused, ours) = tokio::join!(serve, client.connect());
        assert!(refused && ours.is_err());
    }
}
