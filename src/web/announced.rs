//! `/announced/{prefix}`: the names of the broadcasts below a prefix that are live at this moment.

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
};

use super::{access, problem::Problem};
use crate::{
    model::origin::ShowsHidden,
    types::{HopId, Path},
};

/// One name per line, relative to the prefix, no newline at the end. A broadcast at the prefix itself is an empty name.
pub(super) async fn page(State(state): State<super::State>, uri: Uri, headers: HeaderMap) -> Result<String, Problem> {
    let prefix = Path::parse(access::below(&uri, "/announced"))?;
    let grant = state.grant(&uri, &headers, &prefix)?;
    let view = state.view(grant);
    if !view.may_subscribe() {
        return Err(Problem::NOT_ALLOWED);
    }
    let watcher = view.watch(&Path::root(), HopId::NONE, ShowsHidden(false));
    let changes = watcher.map(|mut watcher| watcher.snapshot()).unwrap_or_default();
    let live = changes.iter().filter(|change| change.advert.is_some());
    Ok(live.map(|change| change.suffix.as_str()).collect::<Vec<_>>().join("\n"))
}
