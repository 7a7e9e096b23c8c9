//! Opening a session when the native layer does all of it.

use anyhow::Result;
use url::Url;

use super::moq_lite::{Error, OriginConsumer, OriginProducer};
use super::moq_native::ClientConfig;
use super::roles::Close;
use crate::lines::BIND;

pub async fn dial(url: Url, publish: Option<OriginConsumer>, consume: Option<OriginProducer>) -> Result<Close> {
    let mut config = ClientConfig::default();
    config.bind = BIND;
    config.tls.disable_verify = Some(true);
    // Otherwise a QUIC failure could hide behind WebSocket.
    config.websocket.enabled = url.scheme() == "ws";
    config.websocket.delay = None;
    let session = config.init()?.with_publish(publish).with_consume(consume).connect(url).await?;
    Ok(Box::new(move |err: Error| session.close(err)))
}
