//! One viewer's connection, and what to do when something has happened to it.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use quinn_proto::{Connection, ConnectionError, Dir, Event, ReadError, StreamEvent, StreamId};

use super::talk::Talk;
use crate::{
    group::{Expect, Reader},
    stats::{Stats, Subscriber},
    subscribe,
    wire::Version,
};

pub(super) struct Viewer {
    pub(super) conn: Connection,
    /// When its thread looks after it at the latest.
    pub(super) due: Option<Instant>,
    version: Option<&'static Version>,
    /// None: the floor, which sends groups unasked.
    talk: Option<Talk>,
    expect: Arc<Expect>,
    groups: Vec<(StreamId, Reader)>,
    stats: Arc<Stats>,
    seen: Arc<Subscriber>,
}

/// What its thread has to hear of.
pub(super) enum News {
    Connected,
    Lost(ConnectionError),
}

impl Viewer {
    pub(super) fn new(conn: Connection, viewer: subscribe::Viewer, stats: Arc<Stats>) -> Self {
        let seen = stats.subscriber(viewer.names.len());
        Self {
            conn,
            due: None,
            version: viewer.version,
            talk: viewer.version.map(|version| Talk::new(version, viewer.names)),
            expect: Arc::new(viewer.expect),
            groups: Vec::new(),
            stats,
            seen,
        }
    }

    /// Takes what has come.
    pub(super) fn events(&mut self, mut news: impl FnMut(News)) -> Result<()> {
        while let Some(event) = self.conn.poll() {
            match event {
                Event::Connected => news(News::Connected),
                Event::ConnectionLost { reason } => {
                    self.leave();
                    news(News::Lost(reason));
                }
                Event::Stream(StreamEvent::Opened { dir: Dir::Uni }) => {
                    while let Some(id) = self.conn.streams().accept(Dir::Uni) {
                        let (expect, stats, seen) = (self.expect.clone(), self.stats.clone(), self.seen.clone());
                        self.groups.push((id, Reader::new(self.version, expect, stats, seen)));
                        self.group(id);
                    }
                }
                Event::Stream(StreamEvent::Readable { id }) if id.dir() == Dir::Uni => self.group(id),
                Event::Stream(StreamEvent::Readable { id }) => self.answer(id)?,
                _ => {}
            }
        }
        if self.conn.is_handshaking() { Ok(()) } else { self.say() }
    }

    /// Nothing more comes: what it had not had whole, or else the next, is as good as reset.
    pub(super) fn leave(&mut self) {
        self.stats.resets.fetch_add(self.groups.len().max(1) as u64, Relaxed);
        self.groups.clear();
    }

    /// Says what there is to say, on as many streams as the peer lets it open.
    fn say(&mut self) -> Result<()> {
        let Self { conn, talk: Some(talk), .. } = self else { return Ok(()) };
        while let Some(said) = talk.next() {
            let Some(id) = conn.streams().open(said.dir) else { break };
            let mut stream = conn.send_stream(id);
            let written = stream.write(&said.message).context("a request")?;
            ensure!(written == said.message.len(), "a request does not fit the peer's window");
            if said.dir == Dir::Uni {
                stream.finish()?;
            }
            talk.said(id);
        }
        Ok(())
    }

    /// Reads a group stream as far as it goes.
    fn group(&mut self, id: StreamId) {
        let Some(at) = self.groups.iter().position(|(group, _)| *group == id) else { return };
        let reader = &mut self.groups[at].1;
        let mut stream = self.conn.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else { return };
        let over = loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => match reader.feed(chunk.bytes) {
                    Ok(()) if reader.is_setup() => break true,
                    Ok(()) => {}
                    Err(_) => {
                        self.stats.resets.fetch_add(1, Relaxed);
                        break true;
                    }
                },
                Ok(None) => {
                    reader.end();
                    break true;
                }
                Err(ReadError::Blocked) => break false,
                Err(ReadError::Reset(_)) => {
                    self.stats.resets.fetch_add(1, Relaxed);
                    break true;
                }
            }
        };
        // Whether something is to be sent is asked in any case.
        let _ = chunks.finalize();
        if over {
            self.groups.swap_remove(at);
            let _ = stream.stop(0u32.into());
        }
    }

    fn answer(&mut self, id: StreamId) -> Result<()> {
        let Some(talk) = &mut self.talk else { return Ok(()) };
        let mut stream = self.conn.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else { return Ok(()) };
        // The end of the stream is not judged: what it takes away from a viewer is counted there.
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            if let Err(error) = talk.hear(id, &chunk.bytes) {
                self.stats.corrupt.fetch_add(1, Relaxed);
                return Err(error);
            }
        }
        let _ = chunks.finalize();
        Ok(())
    }
}
