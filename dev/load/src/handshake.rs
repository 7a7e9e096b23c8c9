//! Says what a session of some version has to say first.

use anyhow::{Context, Result, ensure};

use crate::{
    door::{Connection, SendStream},
    reader::Reader,
    wire::{self, Setup, Version},
};

/// The session stream of moq-lite-01 and 02. It has to be kept: the session ends with it.
pub(crate) type SessionStream = Option<(SendStream, Reader)>;

pub(crate) async fn handshake(conn: &Connection, version: &Version) -> Result<SessionStream> {
    match version.setup {
        Setup::Exchange(code) => Ok(Some(exchange(conn, version, code).await.context("SETUP")?)),
        Setup::None => Ok(None),
        Setup::Uni => {
            let mut stream = conn.open_uni().await?;
            stream.write_all(&wire::setup(version, "")).await?;
            stream.finish()?;
            Ok(None)
        }
    }
}

async fn exchange(conn: &Connection, version: &Version, code: u64) -> Result<(SendStream, Reader)> {
    let (mut send, recv) = conn.open_bi().await?;
    send.write_all(&wire::client_setup(code)).await?;
    let mut recv = Reader::new(recv, version.varint);
    let kind = recv.varint().await?;
    ensure!(kind == wire::SERVER_SETUP, "the server answers with the type {kind:#x}");
    let size = recv.bytes(2).await?;
    let body = recv.bytes(u16::from_be_bytes([size[0], size[1]]).into()).await?;
    let chosen = wire::chosen(&body)?;
    ensure!(chosen == code, "the server chose the version {chosen:#x}");
    Ok((send, recv))
}
