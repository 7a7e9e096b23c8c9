//! `/announced/{prefix}`: the names of the broadcasts below a prefix that are live at this moment.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, Uri},
};

use super::{access, problem::Problem, server::Remote};
use crate::{
    auth::Reason,
    model::origin::ShowsHidden,
    types::{HopId, Path},
};

/// One name per line, relative to the prefix, no newline at the end. A broadcast at the prefix itself is an empty name.
pub(super) async fn page(
    State(state): State<super::State>,
    remote: Option<Extension<Remote>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<String, Problem> {
    let prefix = access::below(&uri, "/announced");
    let visit = state.enter(&uri, &headers, remote, prefix).await?;
    let view = state.view(&visit.grant);
    if !view.may_subscribe() {
        return Err(Problem::Refused(Reason::NotAllowed));
    }
    let watcher = view.watch(&Path::root(), HopId::NONE, ShowsHidden(false));
    let changes = watcher.map(|mut watcher| watcher.snapshot()).unwrap_or_default();
    let live = changes.iter().filter(|change| change.advert.is_some());
    Ok(live.map(|change| change.suffix.as_str()).collect::<Vec<_>>().join("\n"))
}
