//! Real sockets, a short deadline.

use std::net::SocketAddr;

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;

const SHORT: Duration = Duration::from_millis(300);
/// When the test, not the server, gives up.
const LONG: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn server(head: Duration) -> Server {
    let slow = || async {
        sleep(SHORT * 3).await;
        "slow"
    };
    let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve_within(head, listener, None, router, async { drop(stopped.await) }));
    Server { address, stop, task }
}

/// Sends some bytes on a connection and returns it.
async fn say(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// All the server sends until it closes.
async fn hear(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    drop(timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the connection is closed"));
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn pages_are_served() {
    let server = server(LONG).await;
    let stream = say(&server, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let answer = hear(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = server(SHORT).await;
    for bytes in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let begun = Instant::now();
        let answer = hear(say(&server, bytes).await).await;
        assert!(!answer.contains("200"), "{answer}");
        assert!(begun.elapsed() < LONG / 2);
    }
}

#[tokio::test]
async fn bytes_that_drip_do_not_help() {
    let server = server(SHORT).await;
    let begun = Instant::now();
    let mut stream = say(&server, b"GET / HTTP/1.1\r\n").await;
    while stream.write_all(b"x: y\r\n").await.is_ok() {
        sleep(SHORT / 10).await;
        assert!(begun.elapsed() < LONG / 2);
    }
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_connection_that_has_asked_is_closed_when_it_falls_silent() {
    let server = server(SHORT).await;
    let answer = hear(say(&server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_deadline_is_not_about_answers() {
    let server = server(SHORT).await;
    let stream = say(&server, b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(hear(stream).await.ends_with("slow"));
}

#[tokio::test]
async fn tls_and_garbage_are_turned_away_at_once() {
    let server = server(LONG * 2).await;
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    for bytes in [&hello[..], b"\0\0\0\0\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n"] {
        let answer = hear(say(&server, bytes).await).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let server = server(LONG).await;
    let head = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(HEAD_BYTES));
    let answer = hear(say(&server, head.as_bytes()).await).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn shutdown_waits_for_requests_in_flight() {
    let server = server(LONG).await;
    let idle = say(&server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let slow = say(&server, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(SHORT).await;
    server.stop.send(()).unwrap();
    assert!(hear(idle).await.ends_with("hello"));
    assert!(hear(slow).await.ends_with("slow"));
    timeout(LONG, server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn dropping_the_server_ends_requests() {
    let server = server(LONG).await;
    let slow = say(&server, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(SHORT).await;
    server.task.abort();
    assert_eq!(hear(slow).await, "");
}
