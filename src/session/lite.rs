//! moq-lite's conversation: what each bidirectional stream of the peer asks for, and what we ask of the peer.

pub(super) mod announce;
mod fetch;
pub(super) mod goaway;
mod probe;
pub(super) mod subscribe;
mod track;

use std::sync::{Arc, PoisonError, atomic::Ordering::Relaxed};

use super::{Bi, Outcome, Shared, typed};
use crate::{
    transport::{RecvStream, SendStream},
    types::code,
    wire::lite::stream,
};

/// Serves a stream the peer has opened.
pub(super) fn serve(session: Arc<Shared>, send: SendStream, recv: RecvStream) -> impl Future<Output = Outcome> {
    // Lent to whatever the stream is about: each `async fn` that took it over would keep a place for it of its own.
    let mut bi = (send, typed::Reader::new(recv, session.form()));
    async move { talk(&session, &mut bi).await }
}

async fn talk(session: &Arc<Shared>, bi: &mut Bi) -> Outcome {
    let open = Open::new(session);
    let (send, reader) = &mut *bi;
    // Doors without a limit of their own have this one.
    if open.is_one_too_many() {
        reader.stop(code::INTERNAL);
        send.reset(code::INTERNAL);
        return Ok(());
    }
    let Ok(kind) = reader.varint().await else { return Ok(()) };
    let dialect = session.dialect;
    match kind {
        // Peers without GOAWAY do not know that this side is leaving, and are served to the end. An announce stream is
        // never refused: peers would end the session.
        stream::SUBSCRIBE | stream::FETCH | stream::TRACK
            if dialect.goaway.is_some() && session.leaving.load(Relaxed) =>
        {
            reader.stop(code::GOING_AWAY);
            send.reset(code::GOING_AWAY);
        }
        stream::ANNOUNCE => announce::serve(session, bi).await,
        stream::SUBSCRIBE => {
            session.serving.fetch_add(1, Relaxed);
            // Dropped with the session at the latest, when nobody counts any more.
            subscribe::serve(session, bi).await;
            session.serving.fetch_sub(1, Relaxed);
        }
        stream::FETCH if dialect.fetch.is_some() => fetch::serve(session, bi).await,
        stream::TRACK if dialect.track.is_some() => track::serve(session, bi).await,
        stream::PROBE if dialect.probe.is_some() => probe::serve(session, bi).await,
        stream::GOAWAY if dialect.goaway.is_some() => return goaway::serve(session, reader).await,
        // Unknown here or not offered: never worth the session.
        _ => {
            reader.stop(code::INTERNAL);
            send.reset(code::INTERNAL);
        }
    }
    Ok(())
}

/// How many bidirectional streams the peer may have open; doubled when half of them are, up to the session's limit.
#[derive(Debug)]
pub(super) struct Streams {
    open: u32,
    allowed: u32,
}

impl Streams {
    pub(super) const fn new(allowed: u32) -> Self {
        Self { open: 0, allowed }
    }
}

/// A bidirectional stream being served.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn new(session: &'a Shared) -> Self {
        let mut streams = session.bi.lock().unwrap_or_else(PoisonError::into_inner);
        streams.open += 1;
        if streams.open * 2 >= streams.allowed && streams.allowed < session.limits.bi {
            streams.allowed = (streams.allowed * 2).min(session.limits.bi);
            session.conn.allow_bi(streams.allowed);
        }
        drop(streams);
        Self(session)
    }
}

impl Open<'_> {
    fn is_one_too_many(&self) -> bool {
        self.0.bi.lock().unwrap_or_else(PoisonError::into_inner).open > self.0.limits.bi
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.bi.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
    }
}

/// A request that cannot be read is refused alone; everything else on the session goes on.
async fn request<T>((send, reader): &mut Bi, codec: &crate::wire::Codec<T>) -> Option<T> {
    match reader.message(codec, typed::MAX_MESSAGE).await {
        Ok(request) => Some(request),
        Err(typed::Error::Decode(error)) => {
            tracing::debug!(%error, "malformed request");
            reader.stop(code::MALFORMED);
            send.reset(code::MALFORMED);
            None
        }
        Err(_) => None,
    }
}
