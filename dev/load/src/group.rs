//! Reads one group stream: header, then frames, of which only time and size are looked at unless asked to verify.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use anyhow::{Result, ensure};
use bytes::{Buf, Bytes, BytesMut};

use crate::{
    door::RecvStream,
    payload::now_ns,
    stats::{Stats, Subscriber},
    verify::Check,
    wire::{Varint, Version},
};

/// What to verify groups against.
pub(crate) struct Expect {
    /// Off by default: looking at every byte costs the load generator CPU.
    pub(crate) verify: bool,
    /// The filler byte of each subscription, by subscribe id.
    pub(crate) fillers: Vec<u8>,
    /// Frames in a whole group; None for the floor, which lets viewers in half-way.
    pub(crate) frames: Option<u64>,
}

pub(crate) struct Reader {
    /// None: the floor, whose groups have no header and whose frames no timestamp.
    version: Option<&'static Version>,
    varint: Varint,
    expect: Arc<Expect>,
    stats: Arc<Stats>,
    seen: Arc<Subscriber>,
    check: Option<Check>,
    state: State,
    /// The start of a header whose rest has not arrived.
    partial: BytesMut,
}

enum State {
    GroupHeader,
    FrameHeader,
    Payload {
        size: usize,
        /// Bytes still to come.
        left: usize,
        stamp: u64,
    },
    /// A SETUP stream: nothing to read.
    Setup,
}

impl Reader {
    pub(crate) fn new(
        version: Option<&'static Version>,
        expect: Arc<Expect>,
        stats: Arc<Stats>,
        seen: Arc<Subscriber>,
    ) -> Self {
        let check = (expect.verify && version.is_none()).then(|| Check::new(expect.fillers[0]));
        let state = if version.is_some() { State::GroupHeader } else { State::FrameHeader };
        let varint = version.map_or(Varint::Quic, |v| v.varint);
        Self { version, varint, expect, stats, seen, check, state, partial: BytesMut::new() }
    }

    pub(crate) async fn run(mut self, stream: RecvStream) {
        if self.read(stream).await.is_err() {
            self.stats.resets.fetch_add(1, Relaxed);
        }
    }

    async fn read(&mut self, mut stream: RecvStream) -> Result<()> {
        while let Some(chunk) = stream.chunk().await? {
            self.feed(chunk)?;
            if self.is_setup() {
                return Ok(());
            }
        }
        self.end();
        Ok(())
    }

    /// Whether it turned out to be no group: there is nothing to read.
    pub(crate) fn is_setup(&self) -> bool {
        matches!(self.state, State::Setup)
    }

    /// The stream has ended, which is only legal between frames.
    pub(crate) fn end(&self) {
        let clean = matches!(self.state, State::FrameHeader) && self.partial.is_empty();
        let whole = match (&self.check, self.expect.frames) {
            (Some(check), Some(frames)) => check.group(frames),
            _ => true,
        };
        self.stats.corrupt.fetch_add(!(clean && whole) as u64, Relaxed);
    }

    /// Takes the stream's next bytes.
    pub(crate) fn feed(&mut self, mut data: Bytes) -> Result<()> {
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(&data);
            data = self.partial.split().freeze();
        }
        while !data.is_empty() {
            let before = data.len();
            match self.state {
                State::Payload { size, left, stamp } => self.payload(&mut data, size, left, stamp),
                State::FrameHeader => self.frame_header(&mut data)?,
                State::GroupHeader => self.group_header(&mut data),
                State::Setup => break,
            }
            if data.len() == before {
                self.partial.extend_from_slice(&data);
                break;
            }
        }
        Ok(())
    }

    fn payload(&mut self, data: &mut Bytes, size: usize, left: usize, stamp: u64) {
        let n = left.min(data.len());
        if let Some(check) = &mut self.check {
            check.bytes(&data[..n]);
        }
        data.advance(n);
        if n < left {
            self.state = State::Payload { size, left: left - n, stamp };
            return;
        }
        self.state = State::FrameHeader;
        if self.check.as_mut().is_some_and(|c| !c.frame(size)) {
            self.stats.corrupt.fetch_add(1, Relaxed);
        }
        if self.stats.measuring() {
            self.stats.frames.fetch_add(1, Relaxed);
            self.stats.bytes.fetch_add(size as u64, Relaxed);
            self.seen.frame(now_ns().saturating_sub(stamp) / 1000);
        }
    }

    /// Takes a whole header off `data`, and peeks at the time in front of the payload, or takes nothing.
    fn frame_header(&mut self, data: &mut Bytes) -> Result<()> {
        let mut peek = &data[..];
        if self.version.is_some_and(|v| v.timestamps) && self.varint.get(&mut peek).is_none() {
            return Ok(());
        }
        let Some(size) = self.varint.get(&mut peek) else { return Ok(()) };
        ensure!(size >= 8, "a frame of {size} bytes");
        if peek.len() < 8 {
            return Ok(());
        }
        let used = data.len() - peek.len();
        self.state = State::Payload { size: size as usize, left: size as usize, stamp: peek.get_u64() };
        data.advance(used);
        Ok(())
    }

    /// Takes a whole header off `data`, or nothing.
    fn group_header(&mut self, data: &mut Bytes) {
        let mut peek = &data[..];
        let Some(kind) = self.varint.get(&mut peek) else { return };
        let Some(n) = self.varint.get(&mut peek) else { return };
        if peek.len() < n as usize {
            return;
        }
        let mut body = &peek[..n as usize];
        peek.advance(n as usize);
        let (used, ids) = (data.len() - peek.len(), (self.varint.get(&mut body), self.varint.get(&mut body)));
        data.advance(used);
        let (0, (Some(subscribe), Some(sequence))) = (kind, ids) else {
            self.state = State::Setup;
            return;
        };
        self.state = State::FrameHeader;
        self.seen.group(subscribe, sequence);
        if self.expect.verify {
            // An id that was never asked for has no filler: its frames are corrupt.
            self.check = Some(Check::new(self.expect.fillers.get(subscribe as usize).copied().unwrap_or_default()));
        }
    }
}
