//! What the peer announces, into the origin: one announce stream for each prefix it may publish under.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::incoming::Incoming;
use crate::{
    model::{
        origin::{Demand, Publisher, Tracks},
        watch::Reader,
    },
    session::{Outcome, Shared, typed},
    wire::lite::{announce::Request, setup::Role, stream},
};

/// The session as a source of broadcasts. Dropping it withdraws them all, whoever still holds a share of it.
#[derive(Debug)]
pub(in crate::session) struct Source(Arc<Mutex<Option<Publisher>>>, Tracks);

impl Source {
    /// What viewers want of the peer.
    pub(in crate::session) fn demand(&self) -> Option<Reader<Demand>> {
        lock(&self.0).as_ref().map(Publisher::demand)
    }

    /// The peer is about to end the session.
    pub(in crate::session) fn leave(&self) {
        if let Some(publisher) = lock(&self.0).as_mut() {
            publisher.leave();
        }
    }

    /// Nobody waits for the peer to come back.
    pub(in crate::session) fn goodbye(&self) {
        if let Some(publisher) = lock(&self.0).as_mut() {
            publisher.goodbye();
        }
    }

    /// For the tasks that feed tracks.
    pub(in crate::session) fn tracks(&self) -> Tracks {
        self.1.clone()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let publisher = lock(&self.0).take();
        drop(publisher);
    }
}

/// Asks the peer for its announcements. `None` when it may not publish, or does not want to.
pub(in crate::session) fn follow_all(session: &Arc<Shared>, tasks: &mut JoinSet<Outcome>) -> Option<Source> {
    let prefixes = session.view.publishable();
    if prefixes.is_empty() || session.peer.role == Role::Subscriber {
        return None;
    }
    let publisher = session.view.publisher().limited(session.limits.announcements);
    let tracks = publisher.tracks();
    let publisher = Arc::new(Mutex::new(Some(publisher)));
    for prefix in prefixes {
        tasks.spawn(follow(Incoming::new(session.clone(), prefix, publisher.clone())));
    }
    Some(Source(publisher, tracks))
}

#[expect(clippy::manual_async_fn, reason = "an `async fn` keeps a second place for the book")]
fn follow(mut book: Incoming) -> impl Future<Output = Outcome> {
    async move {
        let session = &book.session;
        // In a box, as it is soon over.
        let Ok((mut send, recv)) = Box::pin(session.conn.open_bi()).await else { return Ok(()) };
        let mut reader = typed::Reader::new(recv, session.form());
        {
            // Nothing of it is kept for as long as the peer has something to tell.
            let request = Request { prefix: book.prefix.clone(), exclude: session.view.origin().hop(), hidden: true };
            let codec = &session.dialect.announce_request;
            if typed::send(&mut send, session.form(), Some(stream::ANNOUNCE), codec, &request).await.is_err() {
                return Ok(());
            }
        }
        let result = book.run(&mut reader).await;
        book.clear();
        result
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
