//! What one frame costs the writer, by the number of readers that wait for it: the goal is at most 1.5 µs for 100
//! readers, and the same per reader from 10 to 10,000.
//!
//! `append`: wakers do one atomic store; readers look and wait again outside the timed part.
//! `append_to_tasks`: the same with tokio tasks, woken and then polled outside the timed part.
//! `deliver_to_tasks`: from the append until every task has looked and waits again.
//!
//! Every reader must have been woken for every frame and have taken all of its bytes.

use std::{
    future::poll_fn,
    hint::black_box,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use moq_relay::{
    model::{
        cache::{Cache, Limits},
        group::{Batch, Cursor},
        origin::{Demand, Origin, Publisher, Request, View},
        track::{GroupWriter, Interest, Log, Producer},
        watch::Reader,
    },
    types::{Cost, HopId, Hops, Path, Scope},
};

const READERS: [usize; 4] = [10, 100, 1000, 10_000];
const HEADER: &[u8] = &[0, 0x43, 0xe8];
const PAYLOAD: usize = 1000;
/// Frames per group; a new one begins outside the timed part.
const GROUP: u64 = 60;

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = append, tasks
}
criterion_main!(benches);

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for count in READERS {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            let mut source = Source::new();
            let mut viewers: Vec<_> = (0..count).map(|_| Viewer::new(&source.interest)).collect();
            bencher.iter_custom(|frames| {
                let mut spent = Duration::ZERO;
                for _ in 0..frames {
                    source.prepare();
                    viewers.iter_mut().for_each(Viewer::wait);
                    let start = Instant::now();
                    source.append();
                    spent += start.elapsed();
                    assert!(viewers.iter().all(Viewer::is_woken), "a reader was not woken");
                }
                viewers.iter_mut().for_each(Viewer::wait);
                assert!(viewers.iter().all(|viewer| viewer.taken.bytes == source.bytes), "a reader has missed bytes");
                spent
            });
        });
    }
}

fn tasks(criterion: &mut Criterion) {
    for (name, whole) in [("append_to_tasks", false), ("deliver_to_tasks", true)] {
        let mut group = criterion.benchmark_group(name);
        for count in READERS {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                let mut source = Source::new();
                let seen = Arc::new(Seen::default());
                for _ in 0..count {
                    runtime.spawn(follow(source.interest.reader(), seen.clone()));
                }
                let mut looks = count as u64;
                runtime.block_on(seen.settle(looks));
                bencher.iter_custom(|frames| {
                    runtime.block_on(async {
                        let mut spent = Duration::ZERO;
                        for _ in 0..frames {
                            if source.prepare() == Began(true) {
                                looks += count as u64;
                                seen.settle(looks).await;
                            }
                            let start = Instant::now();
                            source.append();
                            let appended = start.elapsed();
                            looks += count as u64;
                            seen.settle(looks).await;
                            spent += if whole { start.elapsed() } else { appended };
                        }
                        let bytes = seen.bytes.load(Relaxed);
                        assert_eq!(bytes, count as u64 * source.bytes, "a task has missed bytes");
                        spent
                    })
                });
            });
        }
    }
}

/// A viewer's task.
async fn follow(mut reader: Reader<Log>, seen: Arc<Seen>) {
    let mut taken = Taken::default();
    let mut look = |log: &Log| {
        let new = taken.take(log);
        seen.in_vain.fetch_add(u64::from(new.is_none()), Relaxed);
        new
    };
    loop {
        let new = poll_fn(|cx| reader.poll(cx, &mut look)).await;
        seen.bytes.fetch_add(new, Relaxed);
    }
}

/// What the tasks have done together.
#[derive(Default)]
struct Seen {
    bytes: AtomicU64,
    /// Looks that found nothing new, after which a task waits.
    in_vain: AtomicU64,
}

impl Seen {
    /// Lets the tasks run until all of them wait again.
    async fn settle(&self, looks: u64) {
        for _ in 0..1_000_000 {
            if self.in_vain.load(Relaxed) == looks {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("a task was not woken, or twice");
    }
}

/// A publisher of one track.
struct Source {
    writer: Option<GroupWriter>,
    producer: Producer,
    interest: Interest,
    _publisher: Publisher,
    payload: Bytes,
    batch: Batch,
    frames: u64,
    /// Appended so far.
    bytes: u64,
}

impl Source {
    fn new() -> Self {
        let origin = Origin::new(HopId(1), Cache::new(Limits { groups: Some(8), ..Default::default() }));
        let everything = Scope::everything;
        let view = View::new(origin.clone(), origin.session(), Path::root(), everything(), everything(), false);
        let viewer = View::new(origin.clone(), origin.session(), Path::root(), everything(), everything(), false);
        let broadcast = Path::parse("room/camera").expect("a path");
        let mut publisher = view.publisher();
        publisher.announce(&broadcast, Hops::new([HopId(2)]).expect("short"), Cost::FREE).expect("announced");
        let interest = viewer.track(&broadcast, "video", HopId::NONE).expect("a track");
        let Some(Request::Track(producer)) = publisher.demand().watch().with(Demand::pop) else {
            panic!("nobody was asked");
        };
        Self {
            writer: None,
            producer,
            interest,
            _publisher: publisher,
            payload: vec![7; PAYLOAD].into(),
            batch: Batch::default(),
            frames: 0,
            bytes: 0,
        }
    }

    /// What ingest has done when it appends: the frame is parsed, and its group is there.
    fn prepare(&mut self) -> Began {
        let began = Began(self.frames.is_multiple_of(GROUP));
        if began.0 {
            if let Some(writer) = self.writer.take() {
                writer.finish();
            }
            self.writer = self.producer.group(self.frames / GROUP).ok();
        }
        self.batch.frame(self.frames, PAYLOAD as u64, Bytes::from_static(HEADER));
        self.batch.payload(self.payload.clone());
        self.frames += 1;
        self.bytes += self.batch.len() as u64;
        began
    }

    fn append(&mut self) {
        let writer = self.writer.as_ref().expect("a group");
        black_box(writer.append(&mut self.batch)).expect("appended");
    }
}

/// Whether a new group has begun, for which every reader was woken.
#[derive(PartialEq, Eq)]
struct Began(bool);

/// What a reader has taken, as egress takes it: arrivals in order, each from where the last look ended.
#[derive(Default)]
struct Taken {
    next: u64,
    cursor: Cursor,
    chunks: Vec<Bytes>,
    bytes: u64,
}

impl Taken {
    /// Takes what is new, and tells how many bytes that was.
    fn take(&mut self, log: &Log) -> Option<u64> {
        loop {
            if let Some(group) = self.next.checked_sub(1).and_then(|ordinal| log.group(ordinal)) {
                self.cursor.stored(group, usize::MAX, &mut self.chunks);
            }
            if self.next == log.next() {
                break;
            }
            self.next += 1;
            self.cursor = Cursor::start();
        }
        let new = self.chunks.drain(..).map(|chunk| chunk.len() as u64).sum::<u64>();
        self.bytes += new;
        (new > 0).then_some(new)
    }
}

/// A reader whose waker sets a flag.
struct Viewer {
    reader: Reader<Log>,
    flag: Arc<Flag>,
    waker: Waker,
    taken: Taken,
}

impl Viewer {
    fn new(track: &Interest) -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        Self { reader: track.reader(), waker: flag.clone().into(), flag, taken: Taken::default() }
    }

    /// Looks until nothing is new.
    fn wait(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        while let Poll::Ready(new) = self.reader.poll(&mut cx, |log| self.taken.take(log)) {
            black_box(new);
        }
        self.flag.0.store(false, Relaxed);
    }

    fn is_woken(&self) -> bool {
        self.flag.0.load(Acquire)
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Release);
    }
}
