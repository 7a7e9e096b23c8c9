//! What viewers want of one source's session: a queue that its session works off.

use std::collections::VecDeque;

use crate::model::track::{Interest, Producer};

/// Requests not yet taken up.
#[derive(Default, Debug)]
pub struct Demand(VecDeque<Request>);

/// Something to ask the peer for.
#[derive(Debug)]
pub enum Request {
    /// Its groups from now on; the session ends it when nobody wants it any more.
    Track(Producer),
    /// One group by number, into the cache of a track that this session feeds.
    Fetch(Fetch),
}

/// One group that somebody waits for.
#[derive(Debug)]
pub struct Fetch {
    /// Keeps the track while it is fetched.
    pub interest: Interest,
    /// The group.
    pub sequence: u64,
    /// As of the viewer's request.
    pub priority: u8,
}

impl Demand {
    pub(super) fn push(&mut self, request: Request) {
        self.0.push_back(request);
    }

    /// The next request.
    pub fn pop(&mut self) -> Option<Request> {
        self.0.pop_front()
    }
}
