//! The body of an answer: a group's payloads as they arrive, until the group ends.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::body::{Body, Frame};

use super::{Hold, NO_FRAME, NO_GROUP, failed};
use crate::{
    model::{
        group::{Cursor, Group, State},
        track::Log,
        watch::Reader,
    },
    web::{access::Visit, problem::Problem},
};

/// How much is taken from a group at once, give or take a frame. Half: a large group takes more looks. Double: a client
/// that stops reading keeps more memory from being freed after the group has left the cache.
const TAKE: usize = 64 << 10;

/// Reads one group and keeps its source sending.
pub(super) struct GroupBody {
    reader: Reader<Log>,
    reading: Reading,
    ready: VecDeque<Bytes>,
    over: Option<Over>,
    _hold: Hold,
    /// Ready when whoever asked may not read on.
    ended: BoxFuture<'static, ()>,
}

/// How far a group has been read.
pub(super) struct Reading {
    ordinal: u64,
    cursor: Cursor,
    /// The only frame wanted.
    frame: Option<u64>,
}

/// The first bytes of a group, possibly none if it has no more.
pub(super) struct Start {
    reading: Reading,
    bytes: Vec<Bytes>,
}

/// How a body ends once everything before has been sent.
#[derive(Clone, Copy)]
enum Over {
    Complete,
    /// The HTTP library throws away what it has not written when a body fails, so it is first let go on and write.
    Breaking(Broken),
    Broken(Broken),
}

/// What there is to send now.
enum Step {
    Bytes(Vec<Bytes>),
    Complete,
}

/// Why a body breaks off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Broken {
    /// By its source, or ours.
    #[error("the group was cut short with code {0:#x}")]
    Cut(u32),
    /// Its bytes are not in memory any more.
    #[error("the group has left the cache")]
    Evicted,
    /// The rights of whoever asked are over.
    #[error("the token has expired or was revoked")]
    Ended,
    /// It has ended, but not where it should have.
    #[error("the group ended within a frame")]
    Incomplete,
    /// It has ended before the frame that was asked for.
    #[error("the group has no such frame")]
    NoFrame,
}

/// Begins to read a group; `None` while there is nothing to say about it.
pub(super) fn start(ordinal: u64, group: &Group, frame: Option<u64>) -> Option<Result<Start, Problem>> {
    let cursor = frame.map_or_else(Cursor::start, Cursor::at_frame);
    let mut reading = Reading { ordinal, cursor, frame };
    Some(match reading.step(group)? {
        Ok(Step::Bytes(bytes)) => Ok(Start { reading, bytes }),
        Ok(Step::Complete) => Ok(Start { reading, bytes: Vec::new() }),
        Err(Broken::NoFrame) => Err(NO_FRAME),
        Err(Broken::Cut(code)) => Err(failed(code, NO_GROUP)),
        Err(Broken::Evicted | Broken::Incomplete | Broken::Ended) => Err(NO_GROUP),
    })
}

impl GroupBody {
    pub(super) fn new(reader: Reader<Log>, start: Start, hold: Hold, visit: Visit) -> Self {
        let ended = Box::pin(async move {
            visit.ended().await;
        });
        Self { reader, reading: start.reading, ready: start.bytes.into(), over: None, _hold: hold, ended }
    }
}

impl Body for GroupBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if this.over.is_none() && this.ended.as_mut().poll(cx).is_ready() {
            this.ready.clear();
            this.over = Some(Over::Breaking(Broken::Ended));
        }
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match this.over {
                None => {}
                Some(Over::Complete) => return Poll::Ready(None),
                Some(Over::Breaking(broken)) => {
                    this.over = Some(Over::Broken(broken));
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Over::Broken(broken)) => {
                    this.over = Some(Over::Complete);
                    return Poll::Ready(Some(Err(broken)));
                }
            }
            let reading = &mut this.reading;
            let look = |log: &Log| match log.group(reading.ordinal) {
                Some(group) => reading.step(group),
                None => Some(Err(Broken::Evicted)),
            };
            match ready!(this.reader.poll(cx, look)) {
                Ok(Step::Bytes(bytes)) => this.ready.extend(bytes),
                Ok(Step::Complete) => this.over = Some(Over::Complete),
                Err(broken) => this.over = Some(Over::Breaking(broken)),
            }
        }
    }
}

impl Reading {
    /// What is new in the group; `None` when that is nothing and more may come.
    fn step(&mut self, group: &Group) -> Option<Result<Step, Broken>> {
        let (mut bytes, mut taken) = (Vec::new(), 0);
        while taken < TAKE {
            let (before, from) = (bytes.len(), self.cursor.next_frame());
            self.cursor.frames(group, Some(self.frame.unwrap_or(from)), usize::MAX, |_| None, &mut bytes);
            taken += bytes[before..].iter().map(Bytes::len).sum::<usize>();
            if bytes.len() == before && self.cursor.next_frame() == from {
                break;
            }
        }
        if !bytes.is_empty() {
            return Some(Ok(Step::Bytes(bytes)));
        }
        if self.frame.is_some_and(|frame| self.cursor.is_past(Some(frame))) {
            return Some(Ok(Step::Complete));
        }
        match group.state() {
            State::Open => None,
            State::Aborted(code) => Some(Err(Broken::Cut(code))),
            State::Finished => Some(self.end(group)),
        }
    }

    /// Whether everything was there at the end of the group.
    fn end(&self, group: &Group) -> Result<Step, Broken> {
        let count = group.frames().len() as u64;
        if self.frame.is_some_and(|frame| frame >= count) {
            return Err(Broken::NoFrame);
        }
        let whole = count == 0 || self.cursor.is_past(Some(count - 1));
        if whole { Ok(Step::Complete) } else { Err(Broken::Incomplete) }
    }
}
