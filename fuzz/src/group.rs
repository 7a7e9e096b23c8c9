//! A group stream from a publisher of one dialect to a viewer of another, in any chunks: what arrives is what the bytes
//! say when they are read at once.
//!
//! ```text
//!  publisher, viewer, chunks (a block), the stream without its type...
//! ```
//!
//! A chunk's byte is its length in the lower six bits and in the others what happens before the next one.

use bytes::Bytes;
use moq_relay::{
    model::track::Log,
    wire::{
        Decoder, Dialect,
        lite::{
            group::{FrameHeader, Framing, Header, MAX_GROUP_HEADER},
            stream,
        },
    },
};
use tokio::{task::yield_now, time::timeout};

use crate::{
    input::{Input, block},
    peers::{self, End, GroupIn, TRACK, World, latest, settle},
    samples,
};

pub fn body(data: &[u8]) {
    peers::run(run(Input(data)));
}

async fn run(mut input: Input<'_>) {
    let (publisher, viewer) = (peers::dialect(input.byte()), peers::dialect(input.byte()));
    let chunks = input.block();
    let world = World::new();
    let publisher = world.publisher(publisher, &["a"]).await;
    settle().await;
    let viewer = world.peer(viewer);
    let mut subscription = viewer.subscribe("a", TRACK, latest()).await;
    let mut feed = publisher.feed().await;
    feed.start(0).await;
    settle().await;

    send(&publisher.conn, chunks, input.0).await;
    settle().await;
    let said = Said::read(input.0, publisher.dialect.framing, feed.subscribe.id);
    let group = subscription.try_group();
    match (said, group) {
        (None, group) => assert!(group.is_none(), "{group:?} out of nothing"),
        (Some(said), None) => assert!(!said.clean, "{said:?} is lost"),
        (Some(said), Some(group)) => compare(&said, group, publisher.dialect, viewer.dialect).await,
    }
    drop((feed, subscription));
    viewer.die();
    publisher.die();
    peers::deserted(&world).await;
}

async fn send(conn: &moq_relay::transport::Connection, chunks: &[u8], bytes: &[u8]) {
    let mut stream = conn.open_uni().await.expect("the session lives");
    let mut rest = Input(bytes);
    let _ = stream.write(Bytes::from_static(&[stream::GROUP as u8])).await;
    for chunk in chunks {
        let _ = stream.write(Bytes::copy_from_slice(rest.take(usize::from(chunk & 0x3f)))).await;
        match chunk >> 6 {
            0 => {}
            1 => yield_now().await,
            2 => {
                for _ in 0..8 {
                    yield_now().await;
                }
            }
            _ => settle().await,
        }
    }
    let _ = stream.write(Bytes::copy_from_slice(rest.0)).await;
    stream.finish();
}

async fn compare(said: &Said, mut group: GroupIn, from: &Dialect, to: &Dialect) {
    assert_eq!(group.sequence(), said.header.sequence);
    let (frames, end) = timeout(std::time::Duration::from_secs(1), group.rest()).await.expect("the group ends");
    assert!(frames.len() <= said.frames.len(), "{frames:?} instead of {said:?}");
    let stamped = from.framing.timestamps && to.framing.timestamps;
    for (got, (timestamp, payload)) in frames.iter().zip(&said.frames) {
        assert_eq!(got.payload, payload);
        assert!(!stamped || got.timestamp == Some(*timestamp), "{got:?} instead of {timestamp}");
    }
    if said.clean {
        assert_eq!((frames.len(), end), (said.frames.len(), End::Fin));
    } else {
        assert!(matches!(end, End::Reset(_)), "{end:?} of {said:?}");
    }
}

/// What a stream says, read at once.
#[derive(Debug)]
struct Said {
    header: Header,
    /// Timestamp and payload.
    frames: Vec<(u64, Vec<u8>)>,
    /// Nothing is wrong with it, to its end.
    clean: bool,
}

impl Said {
    /// `None`: not a group of the subscription.
    fn read(bytes: &[u8], framing: Framing, id: u64) -> Option<Self> {
        let mut input = Decoder::new(bytes, framing.integers);
        let len = usize::try_from(input.varint().ok()?).ok().filter(|len| *len <= MAX_GROUP_HEADER)?;
        let (body, mut rest) = input.rest().split_at_checked(len)?;
        let header = framing.decode_group(body).ok().filter(|h| h.subscribe == id && h.frame_start == 0)?;
        let mut frames = Vec::new();
        let mut timestamp = 0_u64;
        while !rest.is_empty() {
            let Ok(Some((FrameHeader { delta, size }, used))) = framing.decode_frame(rest) else { break };
            // Whoever joins at this frame is told its whole timestamp, which has to fit a delta.
            let next = timestamp.checked_add_signed(delta).filter(|next| *next < 1 << 61);
            let size = usize::try_from(size).ok().filter(|size| *size <= Log::GROUP_BYTES);
            let Some((next, (payload, after))) = next.zip(size.and_then(|size| rest[used..].split_at_checked(size)))
            else {
                break;
            };
            timestamp = next;
            frames.push((timestamp, payload.to_vec()));
            rest = after;
        }
        Some(Self { header, frames, clean: rest.is_empty() })
    }
}

/// Each sample, cut in two ways.
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |number: u8, group: &[u8]| {
        let cut = |to: u8, chunks: &[u8]| [&[number, to], &block(chunks)[..], group].concat();
        [cut(number, &[]), cut(number + 1, &[0xc1, 0x42, 0x81, 0xc3, 0x01])]
    };
    let groups = Dialect::every().map(|dialect| (peers::number(dialect), samples::groups(dialect)));
    groups.flat_map(|(number, groups)| groups.into_iter().flat_map(move |group| seed(number, &group))).collect()
}
