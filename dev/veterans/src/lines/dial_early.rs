//! Opening a session when the native layer knew only the transport.

use anyhow::Result;
use url::Url;

use super::moq_lite::{Error, OriginConsumer, OriginProducer, Session};
use super::moq_native::{ClientConfig, ClientTls};
use super::roles::Close;
use crate::lines::BIND;

pub async fn dial(url: Url, publish: Option<OriginConsumer>, consume: Option<OriginProducer>) -> Result<Close> {
    let tls = ClientTls { disable_verify: Some(true), ..Default::default() };
    let config = ClientConfig { bind: BIND, tls };
    let transport = config.init()?.connect(url).await?;
    let session = Session::connect(transport, publish, consume).await?;
    Ok(Box::new(move |err: Error| session.close(err)))
}
