//! One end of a session as a client sees it: streams of the relay are sorted by what they carry and wait to be taken.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use moq_relay::{
    transport::{Closed, Connection, RecvStream, SendStream},
    types::{HopId, TrackInfo},
    wire::{
        Dialect,
        in_band::{ClientSetup, Framing, ServerSetup},
        lite::{goaway::Goaway, setup::Setup, stream},
    },
};
use tokio::{
    sync::{Mutex as Turn, mpsc, watch},
    task::JoinSet,
};

use super::{
    publisher::{Announcer, Feed, FetchAsked, TrackAsked},
    soon,
    stream::{End, Reader, send},
    viewer::GroupIn,
};

/// A client of the relay.
#[derive(Debug)]
pub struct Peer {
    pub conn: Connection,
    pub dialect: &'static Dialect,
    /// Who it says it is.
    pub hop: HopId,
    /// The answer to TRACK; `None` leaves them to the test.
    pub info: Arc<Mutex<Option<TrackInfo>>>,
    pub(super) next_id: AtomicU64,
    pub(super) groups: Groups,
    announces: Queue<Announcer>,
    feeds: Queue<Feed>,
    tracks: Queue<TrackAsked>,
    fetches: Queue<FetchAsked>,
    goaways: Queue<Goaway>,
    strays: Queue<GroupIn>,
    setup: watch::Receiver<Option<Setup>>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

type Queue<T> = Turn<mpsc::UnboundedReceiver<T>>;
/// Subscriptions by id, and where their groups go.
pub(super) type Groups = Arc<Mutex<HashMap<u64, mpsc::UnboundedSender<GroupIn>>>>;

/// What the relay has asked for so far.
#[derive(Default, Debug)]
pub struct Counts {
    pub subscribes: AtomicUsize,
    pub tracks: AtomicUsize,
    pub fetches: AtomicUsize,
    /// Types of the streams it has opened, one-way ones last.
    kinds: Mutex<[BTreeSet<u64>; 2]>,
}

/// What peers of dialects that have TRACK_INFO answer unless told otherwise.
pub const INFO: TrackInfo = TrackInfo { priority: 7, max_age: Duration::from_secs(20), timescale: 1_000_000 };

impl Peer {
    /// Says SETUP, where the dialect has it, and begins to sort the relay's streams. The connection must have room for
    /// a stream, as QUIC's and those in memory have at once.
    pub fn start(conn: Connection, dialect: &'static Dialect, setup: Setup) -> Self {
        Self::begin(conn, dialect, setup).now_or_never().expect("there is room for a stream")
    }

    /// The same, waiting for room.
    pub async fn begin(conn: Connection, dialect: &'static Dialect, setup: Setup) -> Self {
        let session_stream = if dialect.in_band { Some(InBand::offer(&conn, dialect).await) } else { None };
        let info = Arc::new(Mutex::new(Some(INFO)));
        let groups = Groups::default();
        let counts = Arc::<Counts>::default();
        let (announce, announces) = mpsc::unbounded_channel();
        let (feed, feeds) = mpsc::unbounded_channel();
        let (track, tracks) = mpsc::unbounded_channel();
        let (fetch, fetches) = mpsc::unbounded_channel();
        let (goaway, goaways) = mpsc::unbounded_channel();
        let (stray, strays) = mpsc::unbounded_channel();
        let (heard, heard_setup) = watch::channel(None);
        let hop = setup.hop;
        let sorter = Arc::new(Sorter {
            conn: conn.clone(),
            dialect,
            hop,
            info: info.clone(),
            groups: groups.clone(),
            counts: counts.clone(),
            announce,
            feed,
            track,
            fetch,
            goaway,
            stray,
            heard,
        });
        let mut tasks = JoinSet::new();
        if let Some(stream) = session_stream {
            tasks.spawn(stream.live(dialect));
        }
        if let Some(codec) = dialect.setup {
            let conn = conn.clone();
            tasks.spawn(async move {
                let Ok(mut out) = conn.open_uni().await else { return };
                send(&mut out, dialect, Some(stream::SETUP), &codec, &setup).await;
                out.finish();
            });
        }
        tasks.spawn(sorter.clone().accept_bi());
        tasks.spawn(sorter.accept_uni());
        Self {
            conn,
            dialect,
            hop,
            info,
            next_id: AtomicU64::new(0),
            groups,
            announces: Turn::new(announces),
            feeds: Turn::new(feeds),
            tracks: Turn::new(tracks),
            fetches: Turn::new(fetches),
            goaways: Turn::new(goaways),
            strays: Turn::new(strays),
            setup: heard_setup,
            counts,
            _tasks: tasks,
        }
    }

    /// The relay's next request for announcements.
    pub async fn announcer(&self) -> Announcer {
        take(&self.announces).await
    }

    /// The relay's next subscription.
    pub async fn feed(&self) -> Feed {
        take(&self.feeds).await
    }

    /// The relay's next subscription, however long it takes; `None` once the session is over.
    pub async fn next_feed(&self) -> Option<Feed> {
        self.feeds.lock().await.recv().await
    }

    /// The relay's next TRACK that was not answered at once.
    pub async fn track_asked(&self) -> TrackAsked {
        take(&self.tracks).await
    }

    /// The relay's next FETCH.
    pub async fn fetch_asked(&self) -> FetchAsked {
        take(&self.fetches).await
    }

    /// The relay's GOAWAY.
    pub async fn goaway(&self) -> Goaway {
        take(&self.goaways).await
    }

    /// The next group for a subscription that does not exist.
    pub async fn stray(&self) -> GroupIn {
        take(&self.strays).await
    }

    /// What the relay said of itself.
    pub async fn heard_setup(&self) -> Setup {
        let mut setup = self.setup.clone();
        soon(setup.wait_for(Option::is_some)).await.unwrap().clone().unwrap()
    }

    /// How many SUBSCRIBEs the relay has sent.
    pub fn subscribes(&self) -> usize {
        self.counts.subscribes.load(Relaxed)
    }

    /// How many TRACKs the relay has sent.
    pub fn tracks(&self) -> usize {
        self.counts.tracks.load(Relaxed)
    }

    /// How many FETCHes the relay has sent.
    pub fn fetches(&self) -> usize {
        self.counts.fetches.load(Relaxed)
    }

    /// The types of the streams that the relay has opened, those with an answer and those without.
    pub fn opened(&self) -> [Vec<u64>; 2] {
        self.counts.kinds.lock().unwrap().each_ref().map(|kinds| kinds.iter().copied().collect())
    }

    /// Leaves as if killed: nothing is finished first.
    pub fn die(&self) {
        self.conn.close(0, "");
    }

    /// How the session ended.
    pub async fn closed(&self) -> Closed {
        soon(self.conn.closed()).await
    }
}

/// The stream of an in-band SETUP.
struct InBand {
    out: SendStream,
    recv: RecvStream,
}

impl InBand {
    /// Offers one dialect, as clients of the day did.
    async fn offer(conn: &Connection, dialect: &Dialect) -> Self {
        let (mut out, recv) = conn.open_bi().await.expect("the session lives");
        let setup = ClientSetup { versions: vec![dialect.code], parameters: Bytes::from_static(&[0]) };
        out.write(Framing::Setup.client(&setup)).await.expect("the session lives");
        Self { out, recv }
    }

    /// Checks the answer, then keeps the stream open.
    async fn live(self, dialect: &'static Dialect) {
        let Self { out: _out, recv } = self;
        let mut reader = Reader::new(recv, dialect);
        let Ok(message_type) = reader.varint().await else { return };
        let Ok(length) = reader.bytes(2).await else { return };
        let Ok(body) = reader.bytes(usize::from(u16::from_be_bytes([length[0], length[1]]))).await else { return };
        let setup = ServerSetup::decode(&body).unwrap();
        assert_eq!((message_type, setup), (0x21, ServerSetup::plain(dialect.code)));
        let end = reader.end().await;
        assert!(end != End::Fin, "the session stream lives as long as the session");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.die();
    }
}

async fn take<T>(queue: &Queue<T>) -> T {
    soon(async { queue.lock().await.recv().await }).await.expect("the session is over")
}

/// Accepts streams of the relay and puts them where they belong.
struct Sorter {
    conn: Connection,
    dialect: &'static Dialect,
    hop: HopId,
    info: Arc<Mutex<Option<TrackInfo>>>,
    groups: Groups,
    counts: Arc<Counts>,
    announce: mpsc::UnboundedSender<Announcer>,
    feed: mpsc::UnboundedSender<Feed>,
    track: mpsc::UnboundedSender<TrackAsked>,
    fetch: mpsc::UnboundedSender<FetchAsked>,
    goaway: mpsc::UnboundedSender<Goaway>,
    stray: mpsc::UnboundedSender<GroupIn>,
    heard: watch::Sender<Option<Setup>>,
}

impl Sorter {
    async fn accept_bi(self: Arc<Self>) {
        let mut streams = JoinSet::new();
        while let Ok((send, recv)) = self.conn.accept_bi().await {
            let sorter = self.clone();
            let recv = Reader::new(recv, self.dialect);
            streams.spawn(async move { sorter.sort_bi(send, recv).await });
        }
    }

    async fn accept_uni(self: Arc<Self>) {
        let mut streams = JoinSet::new();
        while let Ok(recv) = self.conn.accept_uni().await {
            let sorter = self.clone();
            streams.spawn(async move { sorter.sort_uni(recv).await });
        }
    }

    async fn sort_bi(&self, out: SendStream, mut reader: Reader) {
        let Ok(kind) = reader.varint().await else { return };
        let dialect = self.dialect;
        self.counts.kinds.lock().unwrap()[0].insert(kind);
        match kind {
            stream::ANNOUNCE => {
                let Ok(request) = reader.message(&dialect.announce_request).await else { return };
                let _ = self.announce.send(Announcer::new(dialect, self.hop, request, out, reader));
            }
            stream::SUBSCRIBE => {
                let Ok(request) = reader.message(&dialect.subscribe).await else { return };
                self.counts.subscribes.fetch_add(1, Relaxed);
                let _ = self.feed.send(Feed::new(self.conn.clone(), dialect, request, out, reader));
            }
            stream::TRACK => {
                let codecs = dialect.track.expect("TRACK only where the dialect has it");
                let Ok(request) = reader.message(&codecs.request).await else { return };
                self.counts.tracks.fetch_add(1, Relaxed);
                let asked = TrackAsked { request, dialect, codecs, out, reader };
                let info = *self.info.lock().unwrap();
                match info {
                    Some(info) => asked.answer(info).await,
                    None => drop(self.track.send(asked)),
                }
            }
            stream::FETCH => {
                let codec = dialect.fetch.expect("FETCH only where the dialect has it");
                let Ok(request) = reader.message(&codec).await else { return };
                self.counts.fetches.fetch_add(1, Relaxed);
                let _ = self.fetch.send(FetchAsked { request, framing: dialect.framing, out, reader });
            }
            stream::GOAWAY => {
                let codec = dialect.goaway.expect("GOAWAY only where the dialect has it");
                let goaway = reader.message(&codec).await.expect("the relay finishes what it says");
                assert_eq!(reader.end().await, End::Fin);
                let _ = self.goaway.send(goaway);
            }
            kind => panic!("the relay opened a bidirectional stream of type {kind:#x}"),
        }
    }

    async fn sort_uni(&self, recv: RecvStream) {
        let mut reader = Reader::new(recv, self.dialect);
        let Ok(kind) = reader.varint().await else { return };
        self.counts.kinds.lock().unwrap()[1].insert(kind);
        match kind {
            stream::SETUP => {
                let codec = self.dialect.setup.expect("SETUP only where the dialect has it");
                let Ok(setup) = reader.message(&codec).await else { return };
                assert!(self.heard.send_replace(Some(setup)).is_none(), "a second SETUP");
            }
            stream::GROUP => {
                let Ok(body) = reader.block().await else { return };
                let header = self.dialect.framing.decode_group(&body).unwrap();
                let group = GroupIn::new(header, self.dialect, reader);
                let subscription = self.groups.lock().unwrap().get(&header.subscribe).cloned();
                let _ = subscription.as_ref().unwrap_or(&self.stray).send(group);
            }
            kind => panic!("the relay opened a unidirectional stream of type {kind:#x}"),
        }
    }
}
