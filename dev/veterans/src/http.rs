//! Whether a relay is up: the one HTTP request this program makes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// True once `GET path` succeeds.
pub async fn answers(relay: SocketAddr, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {relay}\r\nConnection: close\r\n\r\n");
    let answer = async {
        let mut stream = TcpStream::connect(relay).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    answer.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
