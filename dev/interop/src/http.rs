//! What `curl` would see.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

/// The whole body of a successful GET.
pub async fn get(relay: SocketAddr, path: &str) -> Result<Bytes> {
    request(relay, path).await?.bytes().await.with_context(|| format!("GET {path} breaks off"))
}

/// The first `len` bytes of a GET whose body may still be growing.
pub async fn head(relay: SocketAddr, path: &str, len: usize) -> Result<Vec<u8>> {
    let mut response = request(relay, path).await?;
    let mut body = Vec::new();
    while body.len() < len {
        let chunk = response.chunk().await.with_context(|| format!("GET {path} breaks off"))?;
        let Some(chunk) = chunk else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(len);
    Ok(body)
}

/// The lines of a listing.
pub async fn lines(relay: SocketAddr, path: &str) -> Result<Vec<String>> {
    let body = get(relay, path).await?;
    Ok(String::from_utf8(body.to_vec())?.lines().map(str::to_owned).collect())
}

async fn request(relay: SocketAddr, path: &str) -> Result<reqwest::Response> {
    let response = reqwest::get(format!("http://{relay}{path}")).await.with_context(|| format!("GET {path}"))?;
    let status = response.status();
    ensure!(status.is_success(), "GET {path} answers {status}");
    Ok(response)
}
