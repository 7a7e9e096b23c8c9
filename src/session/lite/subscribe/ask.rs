//! Our subscription at the peer: one per track, however many viewers there are.
//!
//! ```text
//!  TRACK (05+) ─► told ─► somebody wants groups ─► SUBSCRIBE ─► following ─► FIN: the track ends
//!                   │                                              │
//!                   └───────── nobody wants it for LINGER ◄────────┘  ─► unsubscribe
//! ```

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    model::{
        group::State,
        origin::{Request, Tracks},
        track::{Producer, Wanted},
        watch::Reader,
    },
    session::{Outcome, Shared, lite::fetch, typed},
    transport::{ReadError, WriteError},
    types::{Path, Preferences, Start, TrackInfo, code},
    wire::lite::{
        stream,
        subscribe::{Reply, Subscribe},
        track,
    },
};

/// How long a subscription outlives its last viewer. Halved, a viewer that comes back waits for the publisher more
/// often; doubled, the publisher sends that much longer to nobody.
const LINGER: Duration = Duration::from_secs(5);

/// How long groups may arrive after the stream that announced their end, as streams overtake each other.
const GRACE: Duration = Duration::from_secs(1);

/// How long a publisher may take to tell of a track.
const DEADLINE: Duration = Duration::from_secs(10);

/// Works off one request of the model.
pub(in crate::session) async fn ask(session: Arc<Shared>, request: Request, tracks: Option<Tracks>) -> Outcome {
    match request {
        Request::Fetch(request) => fetch::ask(&session, request).await,
        Request::Track(producer) => {
            let producer = Arc::new(producer);
            let path = producer.track().broadcast.strip_prefix(session.view.root());
            let (Some(path), Some(tracks)) = (path, tracks) else { return Ok(()) };
            if session.peer_leaving.load(Relaxed) {
                tracks.try_another(&producer).await;
                producer.abort(code::GOING_AWAY);
                return Ok(());
            }
            let feed =
                Feed { session: &session, path, producer: producer.clone(), id: session.next_id.fetch_add(1, Relaxed) };
            session.feeds().insert(feed.id, producer.clone());
            match feed.run(&tracks).await {
                End::Finished => producer.finish(),
                End::Failed(code) => {
                    // What lies between has lost the source; another way may have it.
                    if is_on_the_way(code) {
                        tracks.try_another(&producer).await;
                    }
                    producer.abort(code);
                }
                // The session is ending: its routes go first, so that a standby can take the track over.
                End::Lost => std::future::pending().await,
                End::Unwanted | End::Replaced => {}
            }
        }
    }
    Ok(())
}

/// Whether a refusal is about the way to a source rather than the source.
const fn is_on_the_way(code: u32) -> bool {
    matches!(code, code::SESSION_CLOSED | code::GOING_AWAY | code::UNROUTABLE | code::TIMEOUT)
}

/// Why a feed is over.
enum End {
    /// The publisher sent everything.
    Finished,
    /// It refused or broke off, with a stream code.
    Failed(u32),
    /// Its connection is gone.
    Lost,
    /// No viewer is left.
    Unwanted,
    /// Another source feeds the track now.
    Replaced,
}

/// One track being fed.
struct Feed<'a> {
    session: &'a Arc<Shared>,
    path: Path,
    producer: Arc<Producer>,
    id: u64,
}

impl Drop for Feed<'_> {
    fn drop(&mut self) {
        self.session.feeds().remove(&self.id);
    }
}

impl Feed<'_> {
    async fn run(&self, tracks: &Tracks) -> End {
        match self.info().await {
            Ok(info) => self.producer.info(info),
            Err(end) => return end,
        }
        let mut wanted = self.producer.wanted();
        let mut leave_at = None;
        let wish = loop {
            tokio::select! {
                change = self.change(&mut wanted, None, Settled(true), leave_at) => match change {
                    Change::Wish(wish) => break wish,
                    Change::Back => leave_at = None,
                    Change::Nobody => leave_at = Some(Instant::now() + LINGER),
                    Change::Replaced => return End::Replaced,
                },
                () = until(leave_at) => {
                    if tracks.retire(self.producer.track()) {
                        return End::Unwanted;
                    }
                    leave_at = None;
                }
            }
        };
        self.follow(tracks, wish, wanted).await
    }

    /// TRACK, where the dialect has it.
    async fn info(&self) -> Result<TrackInfo, End> {
        let Some(codecs) = &self.session.dialect.track else { return Ok(TrackInfo::ASSUMED) };
        let ask = async {
            let (mut send, recv) = self.session.conn.open_bi().await.map_err(|_| End::Lost)?;
            let request = track::Request { broadcast: self.path.clone(), track: self.producer.track().name.clone() };
            let form = self.session.form();
            let sent = typed::send(&mut send, form, Some(stream::TRACK), &codecs.request, &request).await;
            sent.map_err(end_of_write)?;
            // Our half stays open until the answer is there: peers take its end for a cancellation.
            let info =
                typed::Reader::new(recv, form).message(&codecs.info, typed::MAX_MESSAGE).await.map_err(end_of_read)?;
            send.finish();
            Ok(info)
        };
        timeout(DEADLINE, ask).await.unwrap_or(Err(End::Failed(code::TIMEOUT)))
    }

    async fn follow(&self, tracks: &Tracks, mut wish: Preferences, mut wanted: Reader<Wanted>) -> End {
        let session = self.session;
        session.conn.allow_uni(session.limits.publisher_uni);
        let Ok((mut send, recv)) = session.conn.open_bi().await else { return End::Lost };
        let given = self.producer.starts_at();
        // Where age decides what comes first, the newest group alone is the one of no age. More may follow once the start is
        // settled.
        let settles = session.dialect.starts_by_age && given.unwrap_or(wish.start) == Start::Latest;
        if settles {
            wish.max_age = Some(Duration::ZERO);
        }
        let subscribe = Subscribe {
            id: self.id,
            broadcast: self.path.clone(),
            track: self.producer.track().name.clone(),
            preferences: match given {
                Some(start) => Preferences { start, start_frame: 0, ..wish.clone() },
                None => wish.clone(),
            },
        };
        let (form, codec) = (session.form(), &session.dialect.subscribe);
        let sent = typed::send(&mut send, form, Some(stream::SUBSCRIBE), codec, &subscribe).await;
        if let Err(error) = sent {
            return end_of_write(error);
        }
        let mut replies = Replies { reader: typed::Reader::new(recv, form), end: None, streams: None };
        let mut settled = !settles;
        let mut leave_at: Option<Instant> = None;
        loop {
            tokio::select! {
                said = replies.next(self) => match said {
                    Ok(Said::Started) => settled = true,
                    Ok(Said::Over) => {
                        self.rest(replies).await;
                        return End::Finished;
                    }
                    Err(end) => return end,
                },
                change = self.change(&mut wanted, Some(&wish), Settled(settled), leave_at) => match change {
                    Change::Wish(new) => {
                        leave_at = None;
                        let codec = session.dialect.subscribe_update.as_ref().filter(|_| session.dialect.send_updates);
                        let start = given.filter(|_| new.start == wish.start).unwrap_or(new.start);
                        let told = Preferences { start, ..new.clone() };
                        // A publisher that has sent everything need not listen any more; how it ends is in its replies.
                        if let Some(codec) = codec
                            && typed::send(&mut send, form, None, codec, &told).await == Err(WriteError::Closed)
                        {
                            return End::Lost;
                        }
                        wish = new;
                    }
                    Change::Back => leave_at = None,
                    Change::Nobody => leave_at = Some(Instant::now() + LINGER),
                    Change::Replaced => {
                        let handover = async {
                            self.producer.outlasted().await;
                            // Its last groups may be all but complete.
                            let _ = timeout(GRACE, self.producer.written()).await;
                        };
                        tokio::select! {
                            () = handover => {}
                            () = nobody(&mut wanted) => {}
                            () = replies.over(self) => {}
                        }
                        // The end of our half is a clean unsubscribe: the peer cancels what is in flight.
                        send.finish();
                        return End::Replaced;
                    }
                },
                () = until(leave_at) => {
                    if tracks.retire(self.producer.track()) {
                        send.finish();
                        return End::Unwanted;
                    }
                    leave_at = None;
                }
            }
        }
    }

    /// Waits until viewers together want something else than `now`, or leave or come back, or another source feeds them.
    /// Until the start is settled, other wishes wait.
    async fn change(
        &self,
        wanted: &mut Reader<Wanted>,
        now: Option<&Preferences>,
        settled: Settled,
        leave_at: Option<Instant>,
    ) -> Change {
        let latest = || self.producer.track().look(|log| log.latest());
        wanted
            .wait(|wanted| match wanted.merged(latest()) {
                _ if !self.producer.is_current(wanted) => Some(Change::Replaced),
                Some(wish) if settled.0 && Some(&wish) != now => Some(Change::Wish(wish)),
                _ if wanted.is_unwanted() => leave_at.is_none().then_some(Change::Nobody),
                _ => leave_at.is_some().then_some(Change::Back),
            })
            .await
    }

    /// The subscription's stream has ended; its groups may still be on their way.
    async fn rest(&self, replies: Replies) {
        let Replies { end, streams, .. } = replies;
        let mut state = self.producer.track().reader();
        let complete = state.wait(|log| {
            let all = match streams {
                Some(streams) => self.producer.streams() >= streams,
                None => end.is_some_and(|end| end == 0 || log.latest().is_some_and(|latest| latest + 1 >= end)),
            };
            (all && log.arrivals(0).all(|(_, group)| group.state() != State::Open)).then_some(())
        });
        // Streams whose header has arrived are read to their end; only missing ones are waited for.
        let _ = timeout(GRACE, complete).await;
    }
}

/// Whether the publisher has said which group comes first.
#[derive(Clone, Copy)]
struct Settled(bool);

/// How the viewers' wishes have changed.
enum Change {
    Wish(Preferences),
    Nobody,
    Back,
    Replaced,
}

async fn nobody(wanted: &mut Reader<Wanted>) {
    wanted.wait(|wanted| wanted.is_unwanted().then_some(())).await;
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What the publisher says.
struct Replies {
    reader: typed::Reader,
    end: Option<u64>,
    /// How many group streams it has opened, where it tells.
    streams: Option<u64>,
}

/// What the publisher has said.
enum Said {
    /// Which group comes first, or that it accepts.
    Started,
    /// That it has sent everything.
    Over,
}

impl Replies {
    /// Waits until the publisher ends its half, cleanly or not.
    async fn over(&mut self, feed: &Feed<'_>) {
        while let Ok(Said::Started) = self.next(feed).await {}
    }

    /// Reads until the publisher says something of note.
    async fn next(&mut self, feed: &Feed<'_>) -> Result<Said, End> {
        let dialect = feed.session.dialect;
        loop {
            match self.reader.message(&dialect.subscribe_reply, typed::MAX_MESSAGE).await {
                Ok(Reply::End { group, streams }) => {
                    (self.end, self.streams) = (Some(group), streams);
                    feed.producer.end(group);
                }
                Ok(Reply::Ok { .. } | Reply::Start(_)) => return Ok(Said::Started),
                Ok(Reply::Drop { .. }) => {}
                // moq-lite "Replies": on 05+ an end without SUBSCRIBE_END is not an end.
                Err(typed::Error::Ended) if dialect.implicit_accept && self.end.is_none() => {
                    return Err(End::Failed(code::CANCELLED));
                }
                Err(typed::Error::Ended) => return Ok(Said::Over),
                Err(error) => return Err(end_of_read(error)),
            }
        }
    }
}

fn end_of_read(error: typed::Error) -> End {
    if error == typed::Error::Stream(ReadError::Closed) { End::Lost } else { End::Failed(refusal(error)) }
}

fn end_of_write(error: WriteError) -> End {
    match error {
        WriteError::Stopped(code) => End::Failed(code),
        WriteError::Closed => End::Lost,
    }
}

/// The stream code viewers get when the peer does not answer as it should.
pub(in crate::session::lite) fn refusal(error: typed::Error) -> u32 {
    match error {
        typed::Error::Stream(ReadError::Reset(code)) => code,
        typed::Error::Stream(ReadError::Closed) => code::SESSION_CLOSED,
        typed::Error::Ended => code::CANCELLED,
        typed::Error::Decode(_) => code::MALFORMED,
    }
}
