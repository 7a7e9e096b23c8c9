//! A group is an append-only log: chunks of bytes and where each frame begins in them.
//!
//! The stored bytes are frame headers and payloads in the framing the relay prefers, so a viewer with the same framing
//! takes whole chunks; any other takes payloads frame by frame and writes headers of its own. One writer appends;
//! readers own a [`Cursor`] and never hold it up.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::cache::Charge;

/// Where one frame lies in its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// In units of the track's timescale.
    pub timestamp: u64,
    /// Bytes of payload, known before they have all arrived.
    pub size: u64,
    /// The chunk its header begins in, and where.
    chunk: usize,
    offset: usize,
    /// Bytes of header before the payload.
    header: usize,
}

/// How far a group has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// More may follow.
    Open,
    /// Complete.
    Finished,
    /// Cut short, with a stream code.
    Aborted(u32),
}

/// Frames and bytes that a writer appends in one go.
#[derive(Default, Debug)]
pub struct Batch {
    /// Headers and payloads in order.
    pub bytes: Vec<Bytes>,
    /// The frames whose headers are among them.
    pub frames: Vec<BatchFrame>,
    len: usize,
}

/// A frame that begins in a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct BatchFrame {
    timestamp: u64,
    size: u64,
    offset: usize,
    header: usize,
}

impl Batch {
    /// Begins a frame whose header, in the stored framing, is `header`.
    pub fn frame(&mut self, timestamp: u64, size: u64, header: Bytes) {
        self.frames.push(BatchFrame { timestamp, size, offset: self.len, header: header.len() });
        self.payload(header);
    }

    /// Adds payload of the frame begun last.
    pub fn payload(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.bytes.push(bytes);
    }

    /// Bytes collected.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to append.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.len == 0
    }

    /// Empties it, keeping its capacity.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.len = 0;
    }
}

/// A group in the cache.
#[derive(Debug)]
pub struct Group {
    /// Its number in the track.
    pub sequence: u64,
    /// When its header arrived.
    pub arrived: Instant,
    /// When bytes were last appended.
    pub appended: Instant,
    /// When it was last fetched, or its header arrived.
    pub touched: Instant,
    /// It came in a datagram and goes on in one to those who take them.
    pub datagram: bool,
    /// Which of the track's sources writes it.
    pub(super) source: u64,
    /// Held as long as the group is in the cache.
    pub(super) alive: Arc<()>,
    state: State,
    chunks: Vec<Bytes>,
    frames: Vec<Frame>,
    bytes: usize,
    charges: Vec<Arc<Charge>>,
}

impl Group {
    pub(super) fn new(sequence: u64, source: u64, datagram: bool) -> Self {
        let now = Instant::now();
        Self {
            sequence,
            arrived: now,
            appended: now,
            touched: now,
            datagram,
            source,
            alive: Arc::default(),
            state: State::Open,
            chunks: Vec::new(),
            frames: Vec::new(),
            bytes: 0,
            charges: Vec::new(),
        }
    }

    pub(super) fn append(&mut self, chunk: Bytes, frames: &[BatchFrame], charge: &Arc<Charge>) {
        let index = self.chunks.len();
        self.frames.extend(frames.iter().map(|f| Frame {
            timestamp: f.timestamp,
            size: f.size,
            chunk: index,
            offset: f.offset,
            header: f.header,
        }));
        self.bytes += chunk.len();
        self.chunks.push(chunk);
        self.appended = Instant::now();
        if !self.charges.last().is_some_and(|last| Arc::ptr_eq(last, charge)) {
            self.charges.push(charge.clone());
        }
    }

    pub(super) const fn end(&mut self, state: State) {
        if matches!(self.state, State::Open) {
            self.state = state;
        }
    }

    /// How far it has come.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its frames so far.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Bytes stored.
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Whether no byte is stored.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The first frame's timestamp, once it has one.
    pub fn timestamp(&self) -> Option<u64> {
        self.frames.first().map(|frame| frame.timestamp)
    }
}

/// How far one reader is in one group.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The next chunk, for readers of stored bytes.
    chunk: usize,
    /// The next frame, for readers of frames.
    frame: usize,
    /// Where the rest of the current frame's payload begins, and how many bytes are left of it.
    rest: Option<Rest>,
}

/// Whether something was left for the next look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct More(pub bool);

#[derive(Clone, Copy, Debug)]
struct Rest {
    chunk: usize,
    offset: usize,
    left: u64,
}

impl Cursor {
    /// At the first frame.
    pub fn start() -> Self {
        Self::default()
    }

    /// At the given frame; only [`Cursor::frames`] may be used from here.
    pub fn at_frame(index: u64) -> Self {
        Self { frame: usize::try_from(index).unwrap_or(usize::MAX), ..Self::default() }
    }

    /// Takes all stored bytes that are new.
    /// After `most` bytes or a little more it stops and tells that there is more.
    pub fn stored(&mut self, group: &Group, most: usize, out: &mut Vec<Bytes>) -> More {
        let mut taken = 0;
        while let Some(chunk) = group.chunks.get(self.chunk).filter(|_| taken < most) {
            taken += chunk.len();
            out.push(chunk.clone());
            self.chunk += 1;
        }
        More(self.chunk < group.chunks.len())
    }

    /// Takes what is new of the frames up to `last` inclusive, each behind what `header` writes for it. After `most`
    /// bytes or a frame more it stops and tells that there may be more.
    pub fn frames(
        &mut self,
        group: &Group,
        last: Option<u64>,
        most: usize,
        mut header: impl FnMut(&Frame) -> Option<Bytes>,
        out: &mut Vec<Bytes>,
    ) -> More {
        let mut taken = 0;
        loop {
            let mut rest = match self.rest.take() {
                Some(rest) => rest,
                None => {
                    if self.is_past(last) {
                        return More(false);
                    }
                    let Some(frame) = group.frames.get(self.frame) else { return More(false) };
                    if taken >= most {
                        return More(true);
                    }
                    out.extend(header(frame));
                    self.frame += 1;
                    Rest { chunk: frame.chunk, offset: frame.offset + frame.header, left: frame.size }
                }
            };
            while rest.left > 0 {
                let Some(chunk) = group.chunks.get(rest.chunk) else {
                    self.rest = Some(rest);
                    return More(false);
                };
                let available = chunk.len() - rest.offset;
                if available == 0 {
                    rest = Rest { chunk: rest.chunk + 1, offset: 0, left: rest.left };
                    continue;
                }
                let take = available.min(usize::try_from(rest.left).unwrap_or(usize::MAX));
                out.push(chunk.slice(rest.offset..rest.offset + take));
                taken += take;
                rest.offset += take;
                rest.left -= take as u64;
            }
        }
    }

    /// Whether every frame up to `last` inclusive has been taken whole.
    pub fn is_past(&self, last: Option<u64>) -> bool {
        self.rest.is_none() && last.is_some_and(|last| self.frame as u64 > last)
    }

    /// The frame that comes next.
    pub const fn next_frame(&self) -> u64 {
        self.frame as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cache::{Cache, Limits};

    /// Frames of the given payloads behind one-byte headers, cut into chunks of `cut` bytes.
    fn group(payloads: &[&[u8]], cut: usize) -> Group {
        let charge = Cache::new(Limits::default()).publisher().charge(0);
        let mut group = Group::new(0, 0, false);
        let mut bytes = Vec::new();
        let mut starts = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            starts.push((bytes.len(), i as u64, payload.len() as u64));
            bytes.push(0xff);
            bytes.extend_from_slice(payload);
        }
        for (i, chunk) in bytes.chunks(cut).enumerate() {
            let frames: Vec<_> = starts
                .iter()
                .filter(|(at, ..)| (i * cut..i * cut + chunk.len()).contains(at))
                .map(|&(at, timestamp, size)| BatchFrame { timestamp, size, offset: at - i * cut, header: 1 })
                .collect();
            group.append(Bytes::copy_from_slice(chunk), &frames, &charge);
        }
        group
    }

    #[test]
    fn frames_come_out_whatever_the_chunks() {
        let payloads: [&[u8]; 4] = [b"hello", b"", b"x", b"a longer one"];
        for cut in 1..30 {
            let group = group(&payloads, cut);
            let (mut cursor, mut out) = (Cursor::start(), Vec::new());
            let mark = |frame: &Frame| Some(Bytes::from(format!("<{}>", frame.size)));
            cursor.frames(&group, None, usize::MAX, mark, &mut out);
            assert_eq!(out.concat(), b"<5>hello<0><1>x<12>a longer one", "cut {cut}");
            assert!(cursor.is_past(Some(3)) && !cursor.is_past(Some(4)));
        }
    }

    #[test]
    fn a_range_of_frames() {
        let group = group(&[b"a", b"b", b"c", b"d"], 3);
        let (mut cursor, mut out) = (Cursor::at_frame(1), Vec::new());
        cursor.frames(&group, Some(2), usize::MAX, |_| None, &mut out);
        assert_eq!(out.concat(), b"bc");
        assert!(cursor.is_past(Some(2)));
    }

    #[test]
    fn stored_bytes_are_taken_once() {
        let group = group(&[b"ab", b"c"], 2);
        let (mut cursor, mut out) = (Cursor::start(), Vec::new());
        cursor.stored(&group, usize::MAX, &mut out);
        cursor.stored(&group, usize::MAX, &mut out);
        assert_eq!(out.concat(), b"\xffab\xffc");
    }

    #[test]
    fn a_slow_reader_takes_a_group_in_parts() {
        let group = group(&[b"ab", b"c", b"de"], 2);
        let (mut cursor, mut out) = (Cursor::start(), Vec::new());
        while cursor.stored(&group, 1, &mut out) == More(true) {}
        assert_eq!((out.concat(), out.len()), (b"\xffab\xffc\xffde".to_vec(), 4));
        let (mut cursor, mut out, mut looks) = (Cursor::start(), Vec::new(), 1);
        while cursor.frames(&group, None, 1, |_| None, &mut out) == More(true) {
            looks += 1;
        }
        assert_eq!((out.concat(), looks), (b"abcde".to_vec(), 3));
    }
}
