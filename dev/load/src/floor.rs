//! The floor: the same frames with nothing but quinn, one task per connection and one write per frame.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use quinn::{Endpoint, Incoming, ServerConfig, crypto::rustls::QuicServerConfig};
use tokio::sync::broadcast;

use crate::{
    cli::{Floor, Shape},
    client::{FLOOR, transport},
    payload, tls,
    wire::Varint,
};

/// A frame's sequence number and its bytes.
type Frame = (u64, Bytes);

pub(crate) async fn serve(args: Floor) -> Result<()> {
    let tls = QuicServerConfig::try_from(tls::server(FLOOR)?)?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport()));
    let endpoint = Endpoint::server(config, args.listen)?;
    let (frames, _) = broadcast::channel(64);
    tokio::spawn(produce(args.shape.clone(), frames.clone()));
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(deliver(incoming, frames.subscribe(), args.shape.group));
    }
    Ok(())
}

async fn produce(shape: Shape, frames: broadcast::Sender<Frame>) {
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / shape.fps));
    for seq in 0.. {
        tick.tick().await;
        let mut out = BytesMut::with_capacity(shape.frame + 32);
        Varint::Quic.put(&mut out, shape.frame.max(payload::MIN) as u64);
        payload::put(&mut out, shape.frame, seq, payload::filler(0));
        let _ = frames.send((seq, out.freeze())); // nobody listens yet
    }
}

async fn deliver(incoming: Incoming, mut frames: broadcast::Receiver<Frame>, group: u64) -> Result<()> {
    let conn = incoming.await?;
    let mut stream: Option<quinn::SendStream> = None;
    while let Ok((seq, bytes)) = frames.recv().await {
        let current = match &mut stream {
            Some(current) if seq % group != 0 => current,
            _ => {
                if let Some(mut ended) = stream.take() {
                    ended.finish()?;
                }
                stream.insert(conn.open_uni().await?)
            }
        };
        current.write_chunk(bytes).await?;
    }
    Ok(())
}
