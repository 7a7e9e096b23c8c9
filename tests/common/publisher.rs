//! A peer that publishes: nothing is sent until the test says so.

use std::{collections::HashMap, ops::Deref};

use bytes::Bytes;
use moq_relay::{
    transport::{Connection, SendStream},
    types::{Cost, HopId, Hops, Preferences, TrackInfo},
    wire::{
        Dialect, Encoder,
        dialect::{HopForm, Replace},
        integer::Form,
        lite::{
            announce::{self, Announcement, Target},
            fetch::Fetch,
            group::{FrameHeader, Framing, Header},
            stream,
            subscribe::{Reply, Subscribe},
            track,
        },
    },
};

use super::{
    path,
    peer::Peer,
    soon,
    stream::{End, Reader, send},
};

/// A peer with an announce stream that the relay listens to.
#[derive(Debug)]
pub struct Publisher {
    pub peer: Peer,
    pub announcer: Announcer,
}

impl Publisher {
    /// Answers the relay's first request for announcements, with these broadcasts.
    pub async fn new(peer: Peer, broadcasts: &[&str]) -> Self {
        let mut announcer = peer.announcer().await;
        announcer.accept(broadcasts.len() as u64).await;
        for broadcast in broadcasts {
            announcer.active(broadcast).await;
        }
        Self { peer, announcer }
    }
}

impl Deref for Publisher {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

/// An announce stream of the relay's.
#[derive(Debug)]
pub struct Announcer {
    dialect: &'static Dialect,
    hop: HopId,
    pub request: announce::Request,
    pub out: SendStream,
    pub reader: Reader,
    ids: HashMap<String, u64>,
    next_id: u64,
}

impl Announcer {
    pub(super) fn new(
        dialect: &'static Dialect,
        hop: HopId,
        request: announce::Request,
        out: SendStream,
        reader: Reader,
    ) -> Self {
        Self { dialect, hop, request, out, reader, ids: HashMap::new(), next_id: 0 }
    }

    /// ANNOUNCE_INIT with nothing in it or ANNOUNCE_OK, where the dialect has one.
    pub async fn accept(&mut self, active: u64) {
        self.accept_as(self.hop, active).await;
    }

    /// The same under another name.
    pub async fn accept_as(&mut self, hop: HopId, active: u64) {
        if let Some(codec) = &self.dialect.announce_init {
            send(&mut self.out, self.dialect, None, codec, &announce::Init::default()).await;
        }
        if let Some(codec) = &self.dialect.announce_ok {
            send(&mut self.out, self.dialect, None, codec, &announce::Ok { hop, active }).await;
        }
    }

    /// Announces a broadcast of this peer's own, the way its dialect tells that.
    pub async fn active(&mut self, suffix: &str) {
        let hops: &[u64] = if self.dialect.hops == HopForm::ReceiverAppends { &[] } else { &[self.hop.0] };
        self.active_over(suffix, hops, Cost::FREE).await;
    }

    /// Announces with this hop list on the wire; where only a number travels, that many.
    pub async fn active_over(&mut self, suffix: &str, hops: &[u64], cost: Cost) {
        let hops = Hops::new(hops.iter().map(|hop| HopId(*hop))).unwrap();
        self.say(&Announcement::Active { suffix: path(suffix), hops, cost }).await;
        self.ids.insert(suffix.to_owned(), self.next_id);
        self.next_id += 1;
    }

    /// Changes the route of a live announcement where it has an id.
    pub async fn restart_over(&mut self, suffix: &str, hops: &[u64], cost: Cost) {
        let hops = Hops::new(hops.iter().map(|hop| HopId(*hop))).unwrap();
        self.say(&Announcement::Restarted { id: self.ids[suffix], hops, cost }).await;
    }

    pub async fn ended(&mut self, suffix: &str) {
        let id = self.ids.remove(suffix);
        let target = match self.dialect.replace {
            Replace::Restart => Target::Id(id.expect("announced before")),
            Replace::Retract | Replace::Again => Target::Path(path(suffix)),
        };
        self.say(&Announcement::Ended(target)).await;
    }

    pub async fn say(&mut self, announcement: &Announcement) {
        send(&mut self.out, self.dialect, None, &self.dialect.announcement, announcement).await;
    }
}

/// A subscription of the relay's.
#[derive(Debug)]
pub struct Feed {
    conn: Connection,
    pub dialect: &'static Dialect,
    pub subscribe: Subscribe,
    pub out: SendStream,
    reader: Reader,
    started: bool,
    /// Group streams opened.
    streams: u64,
}

impl Feed {
    pub(super) fn new(
        conn: Connection,
        dialect: &'static Dialect,
        subscribe: Subscribe,
        out: SendStream,
        reader: Reader,
    ) -> Self {
        Self { conn, dialect, subscribe, out, reader, started: false, streams: 0 }
    }

    /// Opens a group, after the answer to SUBSCRIBE if this is the first.
    pub async fn group(&mut self, sequence: u64) -> GroupOut {
        self.try_group(sequence).await.expect("the session lives")
    }

    /// The same, if the session lives.
    pub async fn try_group(&mut self, sequence: u64) -> Option<GroupOut> {
        self.start(sequence).await;
        self.streams += 1;
        let header = Header { subscribe: self.subscribe.id, sequence, frame_start: 0 };
        open(self.conn.clone(), self.dialect.framing, header).await
    }

    /// A whole group; timestamps are 1000 apart and start at 1000 times 100 times the sequence.
    pub async fn whole_group(&mut self, sequence: u64, frames: &[&[u8]]) {
        let mut group = self.group(sequence).await;
        for (i, frame) in frames.iter().enumerate() {
            group.frame(timestamp(sequence, i as u64), frame).await;
        }
        group.finish();
    }

    /// Opens a stream with any header at all.
    pub async fn open(&self, header: Header) -> GroupOut {
        open(self.conn.clone(), self.dialect.framing, header).await.expect("the session lives")
    }

    /// Accepts the subscription, once: SUBSCRIBE_OK or SUBSCRIBE_START.
    pub async fn start(&mut self, sequence: u64) {
        if !std::mem::replace(&mut self.started, true) {
            let ok = Reply::Ok { priority: 0, max_age: std::time::Duration::ZERO, start: None, end: None };
            let reply = if self.dialect.implicit_accept { Reply::Start(sequence) } else { ok };
            self.reply(&reply).await;
        }
    }

    pub async fn reply(&mut self, reply: &Reply) {
        send(&mut self.out, self.dialect, None, &self.dialect.subscribe_reply, reply).await;
    }

    /// No group will ever have this number or a higher one: a clean end.
    pub async fn end(mut self, end: u64) {
        self.start(0).await;
        if self.dialect.implicit_accept {
            self.reply(&Reply::End { group: end, streams: Some(self.streams) }).await;
        }
        self.out.finish();
    }

    /// The relay's next update of its wishes, or how it left.
    pub async fn update(&mut self) -> Result<Preferences, End> {
        match &self.dialect.subscribe_update {
            Some(codec) => soon(self.reader.message(codec)).await,
            None => Err(soon(self.reader.end()).await),
        }
    }
}

/// A group stream, if the session lives.
async fn open(conn: Connection, framing: Framing, header: Header) -> Option<GroupOut> {
    let mut out = vec![stream::GROUP as u8];
    framing.encode_group(&header, &mut out);
    let mut stream = conn.open_uni().await.ok()?;
    let _ = stream.write(out.into()).await;
    Some(GroupOut { stream, framing, previous: 0 })
}

/// When the frames of [`Feed::whole_group`] are.
pub const fn timestamp(sequence: u64, frame: u64) -> u64 {
    1000 * (100 * sequence + frame)
}

/// A group on its way to the relay.
#[derive(Debug)]
pub struct GroupOut {
    pub stream: SendStream,
    framing: Framing,
    previous: u64,
}

impl GroupOut {
    /// A whole frame; the timestamp is lost where the dialect has none.
    pub async fn frame(&mut self, timestamp: u64, payload: &[u8]) {
        self.begin(timestamp, payload.len()).await;
        self.payload(payload).await;
    }

    /// What precedes a frame of that size.
    pub async fn begin(&mut self, timestamp: u64, size: usize) {
        let delta = timestamp.cast_signed() - std::mem::replace(&mut self.previous, timestamp).cast_signed();
        let mut out = Vec::new();
        self.framing.encode_frame(FrameHeader { delta, size: size as u64 }, &mut out);
        let _ = self.stream.write(out.into()).await;
    }

    /// Bytes of the frame begun last.
    pub async fn payload(&mut self, bytes: &[u8]) {
        let _ = self.stream.write(Bytes::copy_from_slice(bytes)).await;
    }

    pub fn finish(mut self) {
        self.stream.finish();
    }

    pub fn reset(mut self, code: u32) {
        self.stream.reset(code);
    }

    /// The code the relay stopped the stream with; `None` if it took everything.
    pub async fn stopped(&mut self) -> Option<u32> {
        soon(self.stream.stopped()).await.expect("the session lives")
    }
}

/// A TRACK that waits for its answer.
#[derive(Debug)]
pub struct TrackAsked {
    pub request: track::Request,
    pub dialect: &'static Dialect,
    pub codecs: track::Codecs,
    pub out: SendStream,
    pub reader: Reader,
}

impl TrackAsked {
    pub async fn answer(mut self, info: TrackInfo) {
        send(&mut self.out, self.dialect, None, &self.codecs.info, &info).await;
        self.out.finish();
    }
}

/// A FETCH that waits for its answer.
#[derive(Debug)]
pub struct FetchAsked {
    pub request: Fetch,
    pub framing: Framing,
    pub out: SendStream,
    pub reader: Reader,
}

impl FetchAsked {
    /// Begins the answer: frames without a group header.
    pub fn group(self) -> GroupOut {
        GroupOut { stream: self.out, framing: self.framing, previous: 0 }
    }

    pub fn refuse(mut self, code: u32) {
        self.out.reset(code);
    }
}

/// Raw bytes on a stream, for what no codec would write.
pub fn raw(parts: &[&[u8]]) -> Bytes {
    let mut out = Encoder::new(Form::Quic);
    parts.iter().for_each(|part| out.bytes(part));
    out.into_bytes()
}
