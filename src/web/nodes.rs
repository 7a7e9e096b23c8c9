//! `/nodes`: the other nodes of the cluster, the links with them, and what is wrong with those that are missing.

use std::time::SystemTime;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, Uri},
};
use serde::Serialize;

use super::{problem::Problem, server::Remote};
use crate::{
    auth::Reason,
    cluster::{Attempt, Direction, Link, Node, Status},
    types::{Cost, HopId},
};

/// For whoever may see everything.
pub(super) async fn page(
    State(state): State<super::State>,
    remote: Option<Extension<Remote>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Page>, Problem> {
    let visit = state.enter(&uri, &headers, remote, "").await?;
    let grant = &visit.grant;
    if !(grant.root.is_empty() && grant.subscribe.allows(&grant.root)) {
        return Err(Problem::Refused(Reason::NotAllowed));
    }
    Ok(Json(Page::new(state.cluster.status())))
}

/// The same where whoever can connect may see everything.
pub(super) async fn internal(State(state): State<super::State>) -> Json<Page> {
    Json(Page::new(state.cluster.status()))
}

#[derive(Serialize)]
pub(super) struct Page {
    /// What this node is called.
    node: Option<String>,
    /// Identities are texts: JavaScript reads numbers as doubles.
    origin_id: String,
    nodes: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    node: Option<String>,
    origin_id: Option<String>,
    /// Whether there is a link with it.
    linked: bool,
    since: Option<String>,
    announced: Option<Announced>,
    connections: Vec<Connection>,
    dials: Vec<Dial>,
}

#[derive(Serialize)]
struct Announced {
    hops: Vec<String>,
    hop_count: usize,
    cost: u64,
}

#[derive(Serialize)]
struct Connection {
    /// As in the log.
    id: u64,
    direction: &'static str,
    since: String,
    remote: Option<String>,
    dialect: &'static str,
    /// What the link was said to cost.
    cost: Option<u64>,
    /// Broadcasts that can be had over it.
    routes: usize,
    /// The other side has asked to move.
    leaving: bool,
}

#[derive(Serialize)]
struct Dial {
    address: Option<String>,
    /// How often in a row it did not work.
    failures: u32,
    last_error: Option<String>,
    last_error_at: Option<String>,
}

impl Page {
    fn new(status: Status) -> Self {
        let nodes = status.nodes.into_iter().map(Entry::new).collect();
        Self { node: status.node, origin_id: status.hop.0.to_string(), nodes }
    }
}

impl Entry {
    fn new(node: Node) -> Self {
        let hop = node.links.iter().map(|(_, link, _)| link.hop).find(|hop| !hop.is_none());
        let since = node.since().map(time);
        let announced = node.announced.map(|(hops, Cost { warm, .. })| Announced {
            hop_count: hops.len(),
            hops: hops.iter().map(|HopId(hop)| hop.to_string()).collect(),
            cost: warm,
        });
        let connection = |(id, link, routes): (crate::model::origin::SessionId, Link, usize)| Connection {
            id: id.0,
            direction: match link.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            since: time(link.since),
            remote: link.remote.map(|remote| remote.to_string()),
            dialect: link.dialect,
            cost: link.price,
            routes,
            leaving: link.leaving,
        };
        let dial = |(address, attempt): (Option<std::net::SocketAddr>, Attempt)| {
            let (last_error, last_error_at) = attempt.last_error.unzip();
            Dial {
                address: address.map(|address| address.to_string()),
                failures: attempt.failures,
                last_error,
                last_error_at: last_error_at.map(time),
            }
        };
        Self {
            node: node.name.map(|name| name.to_string()),
            origin_id: hop.map(|hop| hop.0.to_string()),
            linked: !node.links.is_empty(),
            since,
            announced,
            connections: node.links.into_iter().map(connection).collect(),
            dials: node.dials.into_iter().map(dial).collect(),
        }
    }
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
