//! A peer that watches: what the relay sends, message by message.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::atomic::Ordering::Relaxed,
};

use bytes::Bytes;
use moq_relay::{
    transport::SendStream,
    types::{Cost, FrameRange, HopId, Hops, Path, Preferences, TrackInfo},
    wire::{
        Codec, Dialect,
        lite::{
            announce::{Announcement, Ok as AnnounceOk, Request, Target},
            fetch::Fetch,
            group::{FrameHeader, Header},
            probe::Probe,
            stream,
            subscribe::{Reply, Subscribe},
            track,
        },
    },
};
use tokio::sync::mpsc;

use super::{
    path,
    peer::{Groups, Peer},
    soon,
    stream::{End, Reader, send},
};

impl Peer {
    /// Asks for announcements under a prefix and reads the first answer.
    pub async fn announced(&self, prefix: &str) -> Announced {
        self.announced_without(prefix, HopId::NONE).await
    }

    /// The same, leaving out routes through a node, where the request can say that.
    pub async fn announced_without(&self, prefix: &str, exclude: HopId) -> Announced {
        let (mut out, recv) = self.conn.open_bi().await.expect("the session lives");
        let request = Request { prefix: path(prefix), exclude, hidden: false };
        send(&mut out, self.dialect, Some(stream::ANNOUNCE), &self.dialect.announce_request, &request).await;
        let mut reader = Reader::new(recv, self.dialect);
        let ok = match &self.dialect.announce_ok {
            Some(codec) => Some(soon(reader.message(codec)).await.expect("ANNOUNCE_OK")),
            None => None,
        };
        let mut first = VecDeque::new();
        if let Some(codec) = &self.dialect.announce_init {
            let init = soon(reader.message(codec)).await.expect("ANNOUNCE_INIT");
            let active = |suffix| Announcement::Active { suffix, hops: Hops::default(), cost: Cost::UNKNOWN };
            first.extend(init.iter().map(active));
        }
        let dialect = self.dialect;
        Announced {
            dialect,
            ok,
            first,
            out,
            reader,
            live: HashSet::new(),
            ids: HashMap::new(),
            chains: HashMap::new(),
            next_id: 0,
        }
    }

    /// Subscribes; groups may come before the answer.
    pub async fn subscribe(&self, broadcast: &str, track: &str, preferences: Preferences) -> Subscription {
        let id = self.next_id.fetch_add(1, Relaxed);
        let (group, groups) = mpsc::unbounded_channel();
        self.groups.lock().unwrap().insert(id, group);
        let (mut out, recv) = self.conn.open_bi().await.expect("the session lives");
        let subscribe = Subscribe { id, broadcast: path(broadcast), track: track.to_owned(), preferences };
        send(&mut out, self.dialect, Some(stream::SUBSCRIBE), &self.dialect.subscribe, &subscribe).await;
        let by_id = self.groups.clone();
        Subscription { id, dialect: self.dialect, out, reader: Reader::new(recv, self.dialect), groups, by_id }
    }

    /// Asks for a track's constants.
    pub async fn track_info(&self, broadcast: &str, track: &str) -> TrackAnswer {
        let codecs = self.dialect.track.unwrap();
        let (mut out, recv) = self.conn.open_bi().await.expect("the session lives");
        let request = track::Request { broadcast: path(broadcast), track: track.to_owned() };
        send(&mut out, self.dialect, Some(stream::TRACK), &codecs.request, &request).await;
        TrackAnswer { codecs, _out: out, reader: Reader::new(recv, self.dialect) }
    }

    /// Asks what the way to here can carry.
    pub async fn probe(&self) -> Probed {
        let (mut out, recv) = self.conn.open_bi().await.expect("the session lives");
        out.write(Bytes::from_static(&[stream::PROBE as u8])).await.expect("the session lives");
        Probed { codec: self.dialect.probe.unwrap(), out, reader: Reader::new(recv, self.dialect) }
    }

    /// Asks for one group.
    pub async fn fetch(&self, broadcast: &str, track: &str, group: u64, frames: FrameRange) -> Fetched {
        let codec = self.dialect.fetch.unwrap();
        let (mut out, recv) = self.conn.open_bi().await.expect("the session lives");
        let request = Fetch { broadcast: path(broadcast), track: track.to_owned(), priority: 9, group, frames };
        send(&mut out, self.dialect, Some(stream::FETCH), &codec, &request).await;
        let header = Header { subscribe: 0, sequence: group, frame_start: frames.start };
        Fetched { out, group: GroupIn::new(header, self.dialect, Reader::new(recv, self.dialect)) }
    }
}

/// What the relay announces under a prefix.
#[derive(Debug)]
pub struct Announced {
    dialect: &'static Dialect,
    pub ok: Option<AnnounceOk>,
    /// What ANNOUNCE_INIT held.
    first: VecDeque<Announcement>,
    pub out: SendStream,
    reader: Reader,
    live: HashSet<String>,
    ids: HashMap<u64, String>,
    /// What each announcement said, for those that build on it.
    chains: HashMap<u64, (Path, Hops)>,
    next_id: u64,
}

/// One announcement, under its suffix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Active { suffix: String, hops: Vec<u64>, cost: Cost },
    Restarted { suffix: String, hops: Vec<u64>, cost: Cost },
    Ended(String),
}

impl Event {
    pub fn kind(&self) -> (&'static str, &str) {
        match self {
            Self::Active { suffix, .. } => ("active", suffix),
            Self::Restarted { suffix, .. } => ("restarted", suffix),
            Self::Ended(suffix) => ("ended", suffix),
        }
    }

    pub fn hops(&self) -> &[u64] {
        match self {
            Self::Active { hops, .. } | Self::Restarted { hops, .. } => hops,
            Self::Ended(_) => &[],
        }
    }
}

impl Announced {
    /// The next announcement. What every peer relies on is checked for each.
    pub async fn next(&mut self) -> Event {
        soon(self.message()).await.expect("announce streams never end while the session lives")
    }

    /// The next announcement, however long it takes, or how the stream ended.
    pub async fn change(&mut self) -> Result<Event, End> {
        self.message().await
    }

    /// How the stream ends, without another announcement.
    pub async fn end(&mut self) -> End {
        soon(self.message()).await.expect_err("no more announcements")
    }

    /// On paused time: what there is to read until nothing more comes.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(event) = tokio::time::timeout(std::time::Duration::from_millis(1), self.message()).await {
            events.push(event.expect("announce streams never end while the session lives"));
        }
        events
    }

    /// Works out what is told by likeness to an earlier announcement, which must be live.
    fn plain(&self, announcement: Announcement) -> Announcement {
        let Announcement::ActiveLike { path: first, suffix, chain, hops, cost } = announcement else {
            return announcement;
        };
        assert!(self.dialect.likeness);
        let base = |back: u64| &self.chains[&(self.next_id - back)];
        let mut segments: Vec<_> = Vec::new();
        if first.base > 0 {
            let (path, _) = base(first.base);
            assert!(self.ids.contains_key(&(self.next_id - first.base)), "only live ones are built on");
            segments.extend(path.segments().take(first.keep as usize));
        }
        segments.extend(suffix.segments());
        let last = if chain.base > 0 { base(chain.base).1.clone() } else { Hops::default() };
        let skip = last.len() - chain.keep as usize;
        let hops = Hops::new(hops.iter().chain(last.iter().skip(skip))).unwrap();
        Announcement::Active { suffix: path(&segments.join("/")), hops, cost }
    }

    async fn message(&mut self) -> Result<Event, End> {
        let announcement = match self.first.pop_front() {
            Some(first) => first,
            None => self.reader.message(&self.dialect.announcement).await?,
        };
        let numbers = |hops: Hops| hops.iter().map(|hop| hop.0).collect();
        let announcement = self.plain(announcement);
        if let Announcement::Active { suffix, hops, .. } = &announcement {
            self.chains.insert(self.next_id, (suffix.clone(), hops.clone()));
        }
        if let Announcement::Restarted { id, hops, .. } = &announcement {
            self.chains.get_mut(id).unwrap().1 = hops.clone();
        }
        Ok(match announcement {
            Announcement::Active { suffix, hops, cost } => {
                let suffix = suffix.to_string();
                let new = self.live.insert(suffix.clone());
                assert!(new || self.dialect.name == "moq-lite-05", "{suffix:?} is announced twice");
                self.ids.insert(self.next_id, suffix.clone());
                self.next_id += 1;
                Event::Active { suffix, hops: numbers(hops), cost }
            }
            Announcement::Restarted { id, hops, cost } => {
                let suffix = self.ids.get(&id).expect("only ids in use are restarted").clone();
                Event::Restarted { suffix, hops: numbers(hops), cost }
            }
            Announcement::Ended(target) => {
                let suffix = match target {
                    Target::Path(suffix) => suffix.to_string(),
                    Target::Id(id) => self.ids.remove(&id).expect("only ids in use are ended"),
                };
                assert!(self.live.remove(&suffix), "{suffix:?} is ended and was not announced");
                Event::Ended(suffix)
            }
            other => panic!("{other:?}"),
        })
    }
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    pub id: u64,
    dialect: &'static Dialect,
    pub out: SendStream,
    reader: Reader,
    groups: mpsc::UnboundedReceiver<GroupIn>,
    by_id: Groups,
}

impl Subscription {
    /// The relay's next answer, or how it ended the stream.
    pub async fn reply(&mut self) -> Result<Reply, End> {
        soon(self.reader.message(&self.dialect.subscribe_reply)).await
    }

    /// How the relay ends the stream, without another message.
    pub async fn end(&mut self) -> End {
        soon(self.reader.end()).await
    }

    /// The next group, in the order they are opened.
    pub async fn group(&mut self) -> GroupIn {
        soon(self.groups.recv()).await.unwrap()
    }

    /// The next group, however long it takes, or how the relay ended the stream.
    pub async fn group_or_end(&mut self) -> Result<GroupIn, End> {
        loop {
            tokio::select! {
                biased;
                Some(group) = self.groups.recv() => return Ok(group),
                reply = self.reader.message(&self.dialect.subscribe_reply) => {
                    reply?;
                }
            }
        }
    }

    /// The next group if it is there.
    pub fn try_group(&mut self) -> Option<GroupIn> {
        self.groups.try_recv().ok()
    }

    pub async fn update(&mut self, preferences: &Preferences) {
        send(&mut self.out, self.dialect, None, &self.dialect.subscribe_update.unwrap(), preferences).await;
    }

    /// What is said to the relay, what it answers, and the groups: for those who wait for ever for all of it at once.
    pub fn into_parts(self) -> (SendStream, Reader, mpsc::UnboundedReceiver<GroupIn>) {
        (self.out, self.reader, self.groups)
    }

    /// Unsubscribes and forgets the id.
    pub fn leave(&mut self) {
        self.by_id.lock().unwrap().remove(&self.id);
        self.out.finish();
    }
}

/// A frame; there is no timestamp where the dialect carries none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub timestamp: Option<u64>,
    pub payload: Bytes,
}

/// A group being received.
#[derive(Debug)]
pub struct GroupIn {
    pub header: Header,
    dialect: &'static Dialect,
    pub reader: Reader,
    previous: u64,
}

impl GroupIn {
    pub(super) fn new(header: Header, dialect: &'static Dialect, reader: Reader) -> Self {
        Self { header, dialect, reader, previous: 0 }
    }

    pub fn sequence(&self) -> u64 {
        self.header.sequence
    }

    /// The next frame, or how the stream ended.
    pub async fn frame(&mut self) -> Result<Frame, End> {
        soon(self.next_frame()).await
    }

    /// The same, however long it takes.
    pub async fn next_frame(&mut self) -> Result<Frame, End> {
        let (timestamp, size) = self.header().await?;
        Ok(Frame { timestamp, payload: self.reader.bytes(size).await? })
    }

    /// What precedes the next frame's payload: timestamp and size.
    pub async fn begin(&mut self) -> Result<(Option<u64>, usize), End> {
        soon(self.header()).await
    }

    async fn header(&mut self) -> Result<(Option<u64>, usize), End> {
        let framing = self.dialect.framing;
        let mut header = Vec::new();
        let FrameHeader { delta, size } = loop {
            if let Some((header, _)) = framing.decode_frame(&header).expect("a frame header") {
                break header;
            }
            match self.reader.bytes(1).await {
                Ok(byte) => header.extend_from_slice(&byte),
                Err(End::FinInside) if header.is_empty() => return Err(End::Fin),
                Err(end) => return Err(end),
            }
        };
        self.previous = self.previous.checked_add_signed(delta).expect("no time before 0");
        Ok((framing.timestamps.then_some(self.previous), usize::try_from(size).unwrap()))
    }

    /// Every frame that is left, and how the stream ended.
    pub async fn rest(&mut self) -> (Vec<Frame>, End) {
        let mut frames = Vec::new();
        loop {
            match self.frame().await {
                Ok(frame) => frames.push(frame),
                Err(end) => return (frames, end),
            }
        }
    }

    /// The same without timestamps.
    pub async fn payloads(&mut self) -> (Vec<Bytes>, End) {
        let (frames, end) = self.rest().await;
        (frames.into_iter().map(|frame| frame.payload).collect(), end)
    }
}

/// The answer to TRACK.
#[derive(Debug)]
pub struct TrackAnswer {
    codecs: track::Codecs,
    _out: SendStream,
    reader: Reader,
}

impl TrackAnswer {
    /// The constants, with nothing behind them, or how the relay refused.
    pub async fn read(mut self) -> Result<TrackInfo, End> {
        let info = soon(self.reader.message(&self.codecs.info)).await?;
        assert_eq!(soon(self.reader.end()).await, End::Fin);
        Ok(info)
    }
}

/// The answer to FETCH: frames without a group header.
#[derive(Debug)]
pub struct Fetched {
    pub out: SendStream,
    pub group: GroupIn,
}

/// A probe stream.
#[derive(Debug)]
pub struct Probed {
    codec: Codec<Probe>,
    pub out: SendStream,
    reader: Reader,
}

impl Probed {
    /// The next report, or how the relay ended the stream.
    pub async fn report(&mut self) -> Result<Probe, End> {
        soon(self.reader.message(&self.codec)).await
    }
}
