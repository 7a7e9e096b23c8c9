//! Group streams from the peer into the model.
//!
//! A read burst becomes one append: whole frames at once, and of a frame that is still arriving what has come, after
//! the runtime has had one look at the sockets. So readers are woken once per burst, and a large frame is passed on
//! while it arrives.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Instant;

use super::{Outcome, Shared, Violation, typed};
use crate::{
    model::{
        group::Batch,
        track::{GroupWriter, Log},
    },
    transport::{ReadError, RecvStream},
    types::code,
    wire::lite::{
        datagram,
        group::{FrameHeader, Framing, MAX_FRAME_HEADER, MAX_GROUP_HEADER},
        stream,
    },
};

/// A unidirectional stream of the peer.
pub(super) async fn stream(session: Arc<Shared>, recv: RecvStream) -> Outcome {
    let mut reader = typed::Reader::new(recv, session.form());
    match reader.varint().await {
        Ok(stream::GROUP) => group(&session, reader).await,
        Ok(stream::SETUP) if session.dialect.setup.is_some() => return Err(Violation::SecondSetup),
        Ok(_) => reader.stop(code::INTERNAL),
        Err(_) => {}
    }
    Ok(())
}

async fn group(session: &Shared, mut reader: typed::Reader) {
    let framing = session.dialect.framing;
    let Ok(body) = reader.body(MAX_GROUP_HEADER).await else { return reader.stop(code::MALFORMED) };
    let Ok(header) = framing.decode_group(&body) else { return reader.stop(code::MALFORMED) };
    // Groups in flight at the time of an unsubscribe are normal.
    let Some(feed) = session.feeds().get(&header.subscribe).cloned() else { return reader.stop(code::CANCELLED) };
    feed.count_stream();
    // Whole groups are asked for; the tail of one would pass for its start.
    if header.frame_start > 0 {
        return reader.stop(code::CANCELLED);
    }
    let Ok(writer) = feed.group(header.sequence) else { return reader.stop(code::CANCELLED) };
    drop(feed);
    let (recv, rest) = reader.into_parts();
    frames(session, recv, rest, writer).await;
}

/// Takes datagrams to the end of the session.
pub(super) async fn datagrams(session: &Shared) {
    while let Ok(datagram) = session.conn.read_datagram().await {
        self::datagram(session, &datagram);
    }
}

/// A datagram of the peer: a whole group of one frame. One that is malformed, late or of a subscription that is over is
/// lost like any other.
fn datagram(session: &Shared, datagram: &Bytes) {
    let Ok((header, at)) = datagram::Header::decode(datagram, session.form()) else { return };
    if header.timestamp > LATEST {
        return;
    }
    let Some(feed) = session.feeds().get(&header.subscribe).cloned() else { return };
    let (delta, payload) = (header.timestamp.cast_signed(), datagram.slice(at..));
    let size = payload.len() as u64;
    let mut stored = BytesMut::with_capacity(MAX_FRAME_HEADER);
    Framing::STORED.encode_frame(FrameHeader { delta, size }, &mut stored);
    let mut batch = Batch::default();
    batch.frame(header.timestamp, size, stored.freeze());
    batch.payload(payload);
    // A duplicate, or the group of a source that was replaced, is nobody's fault.
    let _ = feed.datagram(header.sequence, &batch);
}

/// Reads frames to the end of the stream into a group.
pub(super) async fn frames(session: &Shared, mut recv: RecvStream, rest: Bytes, writer: GroupWriter) {
    match Parser::new(session.dialect.framing, session.view.origin().started()).run(&mut recv, rest, &writer).await {
        Ok(()) => writer.finish(),
        Err(Cut::Peer(code)) => writer.abort(code),
        Err(Cut::Ours(code)) => {
            recv.stop(code);
            writer.abort(code);
        }
    }
}

/// Why a group ends early.
enum Cut {
    /// The peer reset it, or is gone.
    Peer(u32),
    /// It cannot be read or kept: the peer is told to stop.
    Ours(u32),
}

impl From<ReadError> for Cut {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Peer(code),
            ReadError::Closed => Self::Peer(code::SESSION_CLOSED),
        }
    }
}

/// Cuts the bytes of a stream into frames.
struct Parser {
    framing: Framing,
    /// When timestamps begin, for peers that send none.
    epoch: Instant,
    batch: Batch,
    /// The beginning of a frame header that has not arrived whole.
    partial: BytesMut,
    /// Headers in the stored framing are written here.
    headers: BytesMut,
    /// Bytes to come of the current frame.
    left: u64,
    timestamp: u64,
}

/// The latest timestamp that a frame can say by itself, as the first of a stream does: deltas are signed.
const LATEST: u64 = (1 << 61) - 1;

/// Bytes after which a frame's arrived part is passed on without another look at the sockets.
const BURST: usize = 64 << 10;

impl Parser {
    fn new(framing: Framing, epoch: Instant) -> Self {
        Self {
            framing,
            epoch,
            batch: Batch::default(),
            partial: BytesMut::new(),
            headers: BytesMut::new(),
            left: 0,
            timestamp: 0,
        }
    }

    async fn run(&mut self, recv: &mut RecvStream, rest: Bytes, writer: &GroupWriter) -> Result<(), Cut> {
        const NONE: Bytes = Bytes::new();
        let mut chunks = [NONE; 32];
        self.push(rest)?;
        loop {
            let read = if self.batch.is_empty() {
                poll_fn(|cx| recv.poll_read(cx, &mut chunks)).await?
            } else if self.is_between_frames() || self.batch.len() >= BURST {
                writer.append(&mut self.batch).map_err(Cut::Ours)?;
                continue;
            } else {
                match settle(recv, &mut chunks).await {
                    Some(read) => read?,
                    None => {
                        writer.append(&mut self.batch).map_err(Cut::Ours)?;
                        continue;
                    }
                }
            };
            let Some(read) = read else { break };
            for chunk in &mut chunks[..read] {
                self.push(std::mem::take(chunk))?;
            }
        }
        writer.append(&mut self.batch).map_err(Cut::Ours)?;
        if self.is_between_frames() { Ok(()) } else { Err(Cut::Ours(code::MALFORMED)) }
    }

    fn is_between_frames(&self) -> bool {
        self.left == 0 && self.partial.is_empty()
    }

    fn push(&mut self, mut chunk: Bytes) -> Result<(), Cut> {
        if !self.partial.is_empty() {
            // No header is longer than what is added here, so the rest of the chunk starts behind it.
            let before = self.partial.len();
            self.partial.extend_from_slice(&chunk[..chunk.len().min(MAX_FRAME_HEADER)]);
            let Some((header, size)) = self.header()? else { return Ok(()) };
            chunk.advance(size - before);
            self.partial.clear();
            self.begin(header)?;
        }
        while !chunk.is_empty() {
            if self.left > 0 {
                let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(chunk.len());
                self.batch.payload(chunk.split_to(take));
                self.left -= take as u64;
                continue;
            }
            match self.framing.decode_frame(&chunk).map_err(|_| Cut::Ours(code::MALFORMED))? {
                Some((header, size)) => {
                    chunk.advance(size);
                    self.begin(header)?;
                }
                None => {
                    self.partial.extend_from_slice(&chunk);
                    break;
                }
            }
        }
        Ok(())
    }

    fn header(&self) -> Result<Option<(FrameHeader, usize)>, Cut> {
        self.framing.decode_frame(&self.partial).map_err(|_| Cut::Ours(code::MALFORMED))
    }

    fn begin(&mut self, header: FrameHeader) -> Result<(), Cut> {
        if header.size > Log::GROUP_BYTES as u64 {
            return Err(Cut::Ours(code::FRAME_TOO_LARGE));
        }
        let delta = if self.framing.timestamps {
            header.delta
        } else {
            // Peers that carry no timestamps are stamped on arrival, in milliseconds, never backwards.
            let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
            i64::try_from(now.saturating_sub(self.timestamp)).unwrap_or(0)
        };
        // moq-lite "GROUP and FRAME": a sum below 0 is an error. So is one that no later viewer can be told.
        let timestamp = self.timestamp.checked_add_signed(delta).filter(|timestamp| *timestamp <= LATEST);
        self.timestamp = timestamp.ok_or(Cut::Ours(code::MALFORMED))?;
        self.left = header.size;
        Framing::STORED.encode_frame(FrameHeader { delta, size: header.size }, &mut self.headers);
        self.batch.frame(self.timestamp, header.size, self.headers.split().freeze());
        Ok(())
    }
}

/// Reads what comes while the runtime looks at its sockets twice: once for the packets, once for the connection to
/// take them apart. `None` when nothing came.
async fn settle(recv: &mut RecvStream, chunks: &mut [Bytes]) -> Option<Result<Option<usize>, ReadError>> {
    let pause = async {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    };
    tokio::pin!(pause);
    poll_fn(|cx| {
        if let Poll::Ready(read) = recv.poll_read(cx, chunks) {
            return Poll::Ready(Some(read));
        }
        pause.as_mut().poll(cx).map(|()| None)
    })
    .await
}
