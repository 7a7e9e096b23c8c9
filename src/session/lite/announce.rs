//! Announcements: what the peer publishes into the origin, and what the origin has to the peer.

mod follow;
mod incoming;
mod likeness;
mod outgoing;

use std::sync::Arc;

pub(in crate::session) use follow::follow_all;

use super::request;
use crate::{
    model::origin::{ShowsHidden, Watcher},
    session::{Bi, Shared, typed},
};
use outgoing::Outgoing;

/// Tells the peer what is announced under its prefix, from the complete set on. An answered announce stream is never
/// reset and outlives everything but the peer's interest: peers end the session otherwise.
pub(super) async fn serve(session: &Shared, bi: &mut Bi) {
    let Some(request) = request(bi, &session.dialect.announce_request).await else { return };
    let (send, reader) = bi;
    session.learn_hop(request.exclude);
    let hop = session.peer_hop();
    let mut watcher = session.view.watch(&request.prefix, hop, ShowsHidden(request.hidden));
    let mut outgoing = Outgoing::new(session.dialect, session.view.origin().hop(), session.view.is_node());
    if let Some(watcher) = &watcher {
        register(session, watcher);
    }
    // The first answer goes out at once, even when nothing is announced: peers wait for it before anything else.
    let mut out = outgoing.first(watcher.as_mut().map(Watcher::snapshot).unwrap_or_default());
    let ended = reader.ended();
    tokio::pin!(ended);
    loop {
        if !out.is_empty() {
            let written = send.write(out.take());
            tokio::select! {
                written = written => if written.is_err() { return },
                () = &mut ended => break,
            }
        }
        tokio::select! {
            changes = next(watcher.as_mut()) => {
                for change in changes {
                    outgoing.change(change, &mut out);
                }
            }
            () = &mut ended => break,
        }
    }
    send.finish();
}

fn register(session: &Shared, watcher: &Watcher) {
    let mut announcers = session.announcers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    announcers.retain(|changes| changes.strong_count() > 0);
    announcers.push(Arc::downgrade(watcher.changes()));
}

async fn next(watcher: Option<&mut Watcher>) -> Vec<crate::model::origin::Change> {
    match watcher {
        Some(watcher) => std::future::poll_fn(|cx| watcher.poll(cx)).await,
        None => std::future::pending().await,
    }
}

/// Decode errors on an announce stream leave both sides with different sets, so they end the session.
fn malformed(error: typed::Error) -> Option<crate::session::Violation> {
    match error {
        typed::Error::Decode(error) => Some(crate::session::Violation::Malformed { what: "announcement", error }),
        _ => None,
    }
}
