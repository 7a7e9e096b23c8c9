//! A publisher: announces one broadcast and serves every subscription to one of its tracks at a fixed rate.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::MissedTickBehavior;

use crate::{
    cli::Shape,
    door::{Connection, RecvStream, SendStream},
    handshake::handshake,
    payload,
    reader::Reader,
    wire::{self, Version},
};

pub(crate) struct Publisher {
    pub(crate) version: &'static Version,
    pub(crate) shape: Shape,
    /// Tracks of another shape.
    pub(crate) tracks: Vec<(&'static str, Shape)>,
    pub(crate) name: String,
    pub(crate) filler: u8,
}

impl Publisher {
    pub(crate) async fn run(self, conn: Connection) -> Result<()> {
        let _session = handshake(&conn, self.version).await?;
        let this = Arc::new(self);
        loop {
            let (send, recv) = conn.accept_bi().await?;
            let (this, conn) = (this.clone(), conn.clone());
            tokio::spawn(async move {
                if let Err(e) = this.answer(conn, send, recv).await {
                    eprintln!("publisher: a request: {e:#}");
                }
            });
        }
    }

    async fn answer(&self, conn: Connection, mut send: SendStream, recv: RecvStream) -> Result<()> {
        let mut recv = Reader::new(recv, self.version.varint);
        let kind = recv.varint().await?;
        match kind {
            0x1 => {
                let prefix = wire::requested_prefix(self.version, &recv.message().await?)?;
                let Some(suffix) = self.name.strip_prefix(prefix.as_str()) else { return Ok(()) };
                send.write_all(&wire::first_reply(self.version, 1)).await?;
                send.write_all(&wire::active(self.version, suffix.trim_start_matches('/'))).await?;
                let _ = recv.peek().await; // held open for as long as the relay wants it
            }
            0x2 => {
                let (id, track) = wire::requested(self.version, &recv.message().await?)?;
                send.write_all(&wire::accept(self.version, 0)).await?;
                let special = self.tracks.iter().find(|(name, _)| *name == track);
                self.serve(&conn, id, special.map_or(&self.shape, |(_, shape)| shape)).await?;
            }
            0x6 => {
                send.write_all(&wire::track_info(self.version)).await?;
                send.finish()?;
                send.stopped().await;
            }
            _ => send.reset(0),
        }
        Ok(())
    }

    async fn serve(&self, conn: &Connection, id: u64, shape: &Shape) -> Result<()> {
        let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / shape.fps));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut seq = 0;
        for group in 0.. {
            let mut stream = conn.open_uni().await?;
            stream.write_all(&wire::group_header(self.version, id, group)).await?;
            for index in 0..shape.group {
                tick.tick().await;
                stream.write_all(&self.frame(shape, index, seq)).await?;
                seq += 1;
            }
            stream.finish()?;
        }
        Ok(())
    }

    /// A frame as the bytes that follow the group header.
    fn frame(&self, shape: &Shape, index: u64, seq: u64) -> Bytes {
        let size = if index == 0 { shape.frame * shape.key } else { shape.frame };
        let mut out = BytesMut::with_capacity(size + 32);
        // The first frame of a group carries its absolute timestamp.
        let periods = if index == 0 { seq } else { 1 };
        let delta = (periods as f64 * 1000.0 / shape.fps) as u64;
        out.put_slice(&wire::frame_header(self.version, delta, size.max(payload::MIN)));
        payload::put(&mut out, size, seq, self.filler);
        out.freeze()
    }
}
