//! `/fetch/{broadcast}/{track}`: one group, or one frame of it, sent on as it arrives.
//!
//! ```text
//!  request ─ Ask ─ grant ─ track ─┬─ latest: subscribe ──────────┬─ first bytes ─ 200 ─ body: the rest as it comes
//!                                 └─ by number: cached or asked ─┘     └ none in time: 504, none to come: 404
//! ```
//!
//! The status is decided by the first bytes. What goes wrong after them can only break the body off, which a client
//! sees, as a body sent in chunks has a last one.

mod ask;
mod body;

use std::time::Duration;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use self::{
    ask::{Ask, Which},
    body::GroupBody,
};
use super::{access::Visit, problem::Problem, server::Remote};
use crate::{
    auth::Reason,
    model::{
        group::{Group, State as Progress},
        origin::View,
        track::{Closed, Interest, Subscription},
    },
    types::{HopId, Path, Preferences, code},
};

/// How long a request waits for the first bytes. Half: a group asked for across three nodes may come too late. Double:
/// a person with `curl` takes it for broken.
const PATIENCE: Duration = Duration::from_secs(5);

const LATE: Problem = Problem::TimedOut("nothing came in time");
const NO_BROADCAST: Problem = Problem::NotFound("no such broadcast");
const NO_TRACK: Problem = Problem::NotFound("no such track");
const NO_GROUP: Problem = Problem::NotFound("no such group");
const NO_FRAME: Problem = Problem::NotFound("no such frame");

/// Payloads one after the other, without anything between them.
pub(super) async fn page(
    State(state): State<super::State>,
    remote: Option<Extension<Remote>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ask = Ask::parse(&uri)?;
    let visit = state.enter(&uri, &headers, remote, &ask.broadcast).await?;
    if !visit.grant.subscribe.allows(&visit.grant.root) {
        return Err(Problem::Refused(Reason::NotAllowed));
    }
    let view = state.view(&visit.grant);
    let interest = view.track(&Path::root(), &ask.track, HopId::NONE).map_err(|_| NO_BROADCAST)?;
    let body = match ask.which {
        Which::Latest => latest(interest, ask.frame, visit).await,
        Which::Number(sequence) => numbered(&view, interest, sequence, ask.frame, visit).await,
    }?;
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, axum::body::Body::new(body)).into_response())
}

/// What keeps the source sending while a body is read.
type Hold = (Interest, Option<Subscription>);

/// The newest group whose first bytes come in time. One that was already cut short is as good as none.
async fn latest(interest: Interest, frame: Option<u64>, visit: Visit) -> Result<GroupBody, Problem> {
    let subscription = interest.subscribe(Preferences::default());
    let mut reader = interest.reader();
    let started = timeout(
        PATIENCE,
        reader.wait(|log| {
            let newest = log.latest().and_then(|latest| log.find(latest));
            match newest.filter(|(_, group)| !is_cut(group)) {
                Some((ordinal, group)) => body::start(ordinal, group, frame),
                None => log.closed().map(|how| Err(ended(how, NO_TRACK))),
            }
        }),
    );
    let start = started.await.map_err(|_| LATE)??;
    Ok(GroupBody::new(reader, start, (interest, Some(subscription)), visit))
}

/// A group from the cache, or from its source.
async fn numbered(
    view: &View,
    interest: Interest,
    sequence: u64,
    frame: Option<u64>,
    visit: Visit,
) -> Result<GroupBody, Problem> {
    let fetched = timeout(PATIENCE, view.fetch(&interest, sequence, Preferences::default().priority));
    let ordinal = fetched.await.map_err(|_| LATE)?.map_err(|code| failed(code, NO_GROUP))?;
    let mut reader = interest.reader();
    let started = timeout(
        PATIENCE,
        reader.wait(|log| match log.group(ordinal) {
            Some(group) => body::start(ordinal, group, frame),
            None => Some(Err(NO_GROUP)),
        }),
    );
    let start = started.await.map_err(|_| LATE)??;
    Ok(GroupBody::new(reader, start, (interest, None), visit))
}

const fn is_cut(group: &Group) -> bool {
    matches!(group.state(), Progress::Aborted(_))
}

fn ended(how: Closed, what: Problem) -> Problem {
    match how {
        Closed::Ended => what,
        Closed::Failed(code) => failed(code, what),
    }
}

/// The source's answer was a stream code.
fn failed(code: u32, what: Problem) -> Problem {
    if code == code::TIMEOUT { LATE } else { what }
}
