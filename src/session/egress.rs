//! The model's groups to the peer: one future per subscription, woken once per burst.
//!
//! Each wake takes everything new under one short lock and passes it on in one write per stream. A stream that refuses
//! bytes keeps what it was given and takes nothing more until they are gone; everything else waits in the cache, where
//! it may expire. Steady state has no task and no allocation of ours per group or frame.
//!
//! A group that came as a datagram goes on as one where the peer takes it, once and without a second try; to others it is
//! a stream of one frame.

mod datagram;
mod encode;
mod room;
mod served;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use bytes::Bytes;

pub(super) use encode::Headers;

use room::Room;
use served::Served;

use super::{Shared, priority};
use crate::{
    model::{
        group::{Cursor, Group, More, State},
        track::{Closed, Log, Subscription},
        watch::Reader,
    },
    transport::{Opening, SendStream, WriteError},
    types::{Preferences, Start, code},
    wire::lite::group::Header,
};

/// The most bytes taken from the log for a stream at a time. Halved, a viewer that joins late takes more looks to catch
/// up; doubled, one that stalls then pins twice as much, for each of its streams.
pub(super) const MOST: usize = 256 << 10;

/// What the conversation has to hear of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// The source has accepted.
    Accepted,
    /// This is the first group that comes.
    Started(u64),
    /// Every group has been sent; the given sequence and above will never exist.
    Ended(u64),
    /// It is over, with a stream code.
    Failed(u32),
    /// Another publisher's content has taken the place of what was subscribed to.
    Replaced,
}

/// One subscription being served.
#[derive(Debug)]
pub(super) struct Egress {
    reader: Reader<Log>,
    serving: Serving,
}

/// Everything but the reader, which is borrowed while the log is looked at.
#[derive(Debug)]
struct Serving {
    session: Arc<Shared>,
    id: u64,
    subscription: Subscription,
    preferences: Preferences,
    headers: Headers,
    /// The peer is told that the source has accepted.
    accepted: bool,
    /// Set once it is clear whose groups it gets.
    joined: Option<Joined>,
    /// What the peer has had.
    served: Served,
    active: Vec<Active>,
    /// Group streams wait for the peer's permission.
    opening: Option<Opening>,
    /// Tells when a stream that was refused is worth another try.
    room: Room,
    /// It has let others go first since it was woken.
    stepped_back: bool,
    /// Groups have waited since the last arrival was taken, so that they may have gone stale.
    waited: bool,
    /// Buffers of streams that have ended, to be used again.
    spare: Vec<Vec<Bytes>>,
    /// Groups that go out as datagrams.
    datagrams: Vec<Bytes>,
    /// Group streams opened.
    streams: u64,
}

/// Where a subscription stands in the log.
#[derive(Debug)]
struct Joined {
    epoch: u64,
    /// The lowest sequence served.
    floor: u64,
    /// The next arrival to look at.
    next: u64,
    /// The first group is announced to the peer.
    started: bool,
    /// Arrivals outside of the subscription's range, held for an update that moves it.
    held: Vec<u64>,
    /// There was such an update.
    reconsider: bool,
}

/// A group on its way.
#[derive(Debug)]
struct Active {
    ordinal: u64,
    sequence: u64,
    stream: Option<SendStream>,
    cursor: Cursor,
    /// Frames behind headers of our own; stored bytes otherwise.
    cut: Option<Cut>,
    /// Taken from the log and not yet by the peer.
    pending: Vec<Bytes>,
    /// The log has more of it, to be taken once the peer has taken what is pending.
    more: More,
    /// The peer refuses bytes.
    blocked: bool,
    /// How the stream ends once `pending` is empty.
    end: Option<State>,
}

/// How a group is served when not as it is stored.
#[derive(Clone, Copy, Debug)]
struct Cut {
    last: Option<u64>,
    /// The timestamp the next delta counts from.
    previous: u64,
}

impl Egress {
    pub(super) fn new(session: Arc<Shared>, id: u64, subscription: Subscription, preferences: Preferences) -> Self {
        Self {
            reader: subscription.track().reader(),
            serving: Serving {
                headers: Headers::new(session.dialect.framing),
                session,
                id,
                subscription,
                preferences,
                accepted: false,
                joined: None,
                served: Served::default(),
                active: Vec::new(),
                opening: None,
                room: Room::default(),
                stepped_back: false,
                waited: false,
                spare: Vec::new(),
                datagrams: Vec::new(),
                streams: 0,
            },
        }
    }

    /// The viewer changes its wishes.
    pub(super) fn update(&mut self, preferences: Preferences) {
        self.serving.update(preferences);
    }

    /// How many group streams were opened.
    pub(super) const fn streams(&self) -> u64 {
        self.serving.streams
    }

    /// Moves groups from the log to the peer until one of the two has nothing more to give or take.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Self { reader, serving } = self;
        // Who is behind lets those who are not go first: one more turn of the run queue, no timer.
        if serving.active.iter().any(|active| active.blocked) && !std::mem::replace(&mut serving.stepped_back, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        serving.stepped_back = false;
        serving.room.register(cx);
        loop {
            if let Poll::Ready(event) = reader.poll(cx, |log| serving.collect(log)) {
                return Poll::Ready(event);
            }
            if serving.flush() == Again(false) {
                return Poll::Pending;
            }
        }
    }
}

/// Whether the log is worth another look, because room was made for what had been waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Again(bool);

impl Serving {
    fn update(&mut self, preferences: Preferences) {
        self.subscription.change(preferences.clone());
        for stream in self.active.iter_mut().filter_map(|active| active.stream.as_mut()) {
            stream.set_priority(priority::group(preferences.priority, self.session.opened.load(Relaxed)));
        }
        let moved = preferences.start != self.preferences.start;
        self.preferences = preferences;
        let Some(joined) = &mut self.joined else { return };
        // Each update replaces all wishes. What has begun goes on; what is held is looked at again.
        if moved {
            joined.floor = self.subscription.track().look(|log| log.floor(&self.preferences));
        }
        joined.reconsider = true;
    }

    /// Takes what is new, under the log's lock.
    fn collect(&mut self, log: &Log) -> Option<Event> {
        let Some(joined) = &mut self.joined else { return self.join(log) };
        if joined.epoch != log.epoch() {
            return Some(Event::Replaced);
        }
        let arrived = joined.next != log.next();
        let newest = if arrived || self.waited { log.latest().and_then(|latest| log.find(latest)) } else { None };
        let stale = |group: &Group| {
            let behind =
                newest.filter(|(_, newest)| newest.sequence != group.sequence).map(|(_, n)| log.behind(group, n));
            behind.zip(self.preferences.max_age).is_some_and(|(behind, max_age)| behind > max_age)
        };
        for active in &mut self.active {
            match log.group(active.ordinal) {
                // moq-lite "Expiry": only a group that is stalled, and never the newest.
                Some(group) if active.is_stalled() && stale(group) => active.abandon(code::OLD),
                Some(group) => active.take(group, &mut self.headers),
                None if active.end.is_none() => active.abandon(code::EVICTED),
                None => {}
            }
        }
        let mut first = None;
        if self.active.iter().all(|active| active.stream.is_some() || active.is_cut()) {
            let held =
                if std::mem::take(&mut joined.reconsider) { std::mem::take(&mut joined.held) } else { Vec::new() };
            let held = held.into_iter().filter_map(|ordinal| Some((ordinal, log.group(ordinal)?)));
            for (ordinal, group) in held.chain(log.arrivals(joined.next)) {
                let (sequence, prefs) = (group.sequence, &self.preferences);
                if sequence < joined.floor || prefs.end.is_some_and(|end| sequence > end) {
                    joined.held.push(ordinal);
                } else if !(self.served.contains(sequence) || (self.waited && stale(group))) {
                    first = Some(first.map_or(sequence, |first: u64| first.min(sequence)));
                    if let Some(datagram) = datagram::write(&self.session, self.id, group) {
                        self.served.insert(sequence);
                        self.datagrams.push(datagram);
                        continue;
                    }
                    let spare = self.spare.pop().unwrap_or_default();
                    let mut active = Active::new(ordinal, group, prefs, self.id, &mut self.headers, spare);
                    active.take(group, &mut self.headers);
                    self.active.push(active);
                }
            }
            self.waited = false;
            joined.next = log.next();
            if joined.held.len() > 64 {
                joined.held.retain(|ordinal| log.group(*ordinal).is_some());
            }
        }
        if let Some(first) = first
            && !std::mem::replace(&mut joined.started, true)
        {
            return Some(Event::Started(first));
        }
        match log.closed() {
            Some(closed) if self.active.is_empty() => Some(match closed {
                Closed::Ended => Event::Ended(log.end().unwrap_or(0)),
                Closed::Failed(code) => Event::Failed(code),
            }),
            _ => None,
        }
    }

    fn join(&mut self, log: &Log) -> Option<Event> {
        match (log.info(), log.closed()) {
            (_, Some(Closed::Failed(code))) => Some(Event::Failed(code)),
            (None, Some(Closed::Ended)) => Some(Event::Ended(0)),
            (None, None) => None,
            (Some(_), _) if !std::mem::replace(&mut self.accepted, true) => Some(Event::Accepted),
            // What is cached is nothing of the publisher that is asked now.
            (Some(_), None) if log.is_between_publishers() => None,
            (Some(_), _) => {
                let floor = log.floor(&self.preferences);
                let joined =
                    Joined { epoch: log.epoch(), floor, next: 0, started: false, held: Vec::new(), reconsider: false };
                self.joined = Some(joined);
                self.collect(log)
            }
        }
    }

    /// Hands over what is pending, in place.
    fn flush(&mut self) -> Again {
        let made = self.room.take();
        let cx = &mut self.room.context();
        let mut again = Again(false);
        for datagram in self.datagrams.drain(..) {
            self.session.conn.send_datagram(datagram);
        }
        let mut at = 0;
        while let Some(active) = self.active.get_mut(at) {
            if active.stream.is_none() && active.is_cut() {
                // The peer has heard nothing of it; the place in the queue is for the next.
                let ended = self.active.remove(at);
                self.spare.push(ended.into_buffer());
                again.0 = true;
                continue;
            }
            let refused = active.blocked || (active.stream.is_none() && self.opening.is_some());
            if refused && !made && !active.is_cut() {
                at += 1;
                continue;
            }
            if active.stream.is_none() {
                match self.session.conn.poll_open_uni(cx, &mut self.opening) {
                    Poll::Ready(Ok(mut stream)) => {
                        let ordinal = self.session.opened.fetch_add(1, Relaxed);
                        self.streams += 1;
                        stream.set_priority(priority::group(self.preferences.priority, ordinal));
                        active.stream = Some(stream);
                        again.0 |= self.waited;
                    }
                    // The session is over; its driver ends this task.
                    Poll::Ready(Err(_)) => return Again(false),
                    Poll::Pending => {
                        self.waited = true;
                        at += 1;
                        continue;
                    }
                }
            }
            if active.flush(cx).is_pending() {
                at += 1;
                continue;
            }
            again.0 |= std::mem::take(&mut active.blocked) || active.more == More(true);
            if active.end.is_none() {
                at += 1;
                continue;
            }
            again.0 = true;
            let ended = self.active.remove(at);
            if ended.end == Some(State::Finished) {
                self.served.insert(ended.sequence);
            }
            self.spare.push(ended.into_buffer());
        }
        // A place in the queue that nobody holds would be granted to nobody, and not heard of again.
        if self.active.iter().all(|active| active.stream.is_some()) {
            self.opening = None;
        }
        again
    }
}

impl Active {
    fn new(
        ordinal: u64,
        group: &Group,
        preferences: &Preferences,
        id: u64,
        headers: &mut Headers,
        mut pending: Vec<Bytes>,
    ) -> Self {
        let sequence = group.sequence;
        let named = match preferences.start {
            Start::At(start) | Start::Fresh { floor: start } => start == sequence,
            Start::Latest => false,
        };
        let start = if named { preferences.start_frame } else { 0 };
        let last = preferences.end_frame.filter(|_| preferences.end == Some(sequence));
        let cut =
            (!headers.framing().frames_as_stored() || start > 0 || last.is_some()).then_some(Cut { last, previous: 0 });
        pending.push(headers.group(&Header { subscribe: id, sequence, frame_start: start }));
        Self {
            ordinal,
            sequence,
            stream: None,
            cursor: Cursor::at_frame(start),
            cut,
            pending,
            more: More(false),
            blocked: false,
            end: None,
        }
    }

    /// Takes what is new of the group, unless the peer has not taken what there was.
    fn take(&mut self, group: &Group, headers: &mut Headers) {
        // Beyond the header, bytes are pending only until the stream is open.
        if self.blocked || self.end.is_some() || self.pending.len() > 1 {
            return;
        }
        match &mut self.cut {
            None => self.more = self.cursor.stored(group, MOST, &mut self.pending),
            Some(cut) => {
                let previous = &mut cut.previous;
                self.more = self.cursor.frames(
                    group,
                    cut.last,
                    MOST,
                    |frame| Some(headers.next_frame(frame, previous)),
                    &mut self.pending,
                );
                if self.cursor.is_past(cut.last) {
                    self.end = Some(State::Finished);
                    return;
                }
            }
        }
        if self.more == More(false) && group.state() != State::Open {
            self.end = Some(group.state());
        }
    }

    /// It waits for the peer.
    const fn is_stalled(&self) -> bool {
        self.blocked || self.stream.is_none()
    }

    /// It ends before it is whole.
    const fn is_cut(&self) -> bool {
        matches!(self.end, Some(State::Aborted(_)))
    }

    fn abandon(&mut self, code: u32) {
        self.pending.clear();
        self.end = Some(State::Aborted(code));
    }

    /// Ready when nothing is pending any more; the stream is ended then, if it is to end.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let cut = self.is_cut();
        let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
        // A group that was cut short is reset at once; what the peer has not taken would only delay the news.
        if !cut && !self.pending.is_empty() {
            match stream.poll_write(cx, &mut self.pending) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending => {
                    self.blocked = true;
                    return Poll::Pending;
                }
                // The peer does not want the rest of this group.
                Poll::Ready(Err(WriteError::Stopped(_) | WriteError::Closed)) => {
                    self.end = Some(State::Aborted(code::CANCELLED));
                }
            }
        }
        match self.end {
            Some(State::Finished) => stream.finish(),
            Some(State::Aborted(code)) => stream.reset(code),
            Some(State::Open) | None => {}
        }
        Poll::Ready(())
    }

    fn into_buffer(mut self) -> Vec<Bytes> {
        self.pending.clear();
        self.pending
    }
}
