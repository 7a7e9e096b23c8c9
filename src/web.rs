//! HTTP: what is live, one group of a track, the certificate to pin, whether this process is well, and WebSockets.
//!
//! A small file per page. Pages see the model through a view with the scope of what the request may do; nothing here
//! is known to a session. Paths are names as they stand: nobody percent-decodes them.

mod access;
mod announced;
mod certificate;
pub mod config;
mod fetch;
mod health;
mod nodes;
mod problem;
mod server;
mod upgrade;

use std::sync::Arc;

use axum::{
    Router,
    http::{Method, header},
    middleware,
    routing::get,
};
use tower_http::cors::{Any, CorsLayer};

pub use config::Config;
pub use server::serve;
pub use upgrade::{Door, Knock};

use problem::Problem;

use crate::{auth::Auth, cluster::Cluster, model::origin::Origin, transport::tls::Identity};

/// What the pages are about. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    /// The certificates that this process shows.
    pub identity: Arc<Identity>,
    /// Who may see what.
    pub auth: Arc<Auth>,
    /// What there is to see.
    pub origin: Arc<Origin>,
    /// The other nodes.
    pub cluster: Arc<Cluster>,
    /// Where WebSockets go; `None` refuses them.
    pub door: Option<Door>,
}

/// Every page. A page on any site may read them.
pub fn router(state: State) -> Router {
    // A page that sends a token in a header asks first whether it may.
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).allow_headers([header::AUTHORIZATION]);
    Router::new()
        .route("/certificate.sha256", get(certificate::page))
        .route("/announced", get(announced::page))
        .route("/announced/", get(announced::page))
        .route("/announced/{*prefix}", get(announced::page))
        .route("/fetch", get(fetch::page))
        .route("/fetch/", get(fetch::page))
        .route("/fetch/{*track}", get(fetch::page))
        .route("/health", get(health::page))
        .route("/nodes", get(nodes::page))
        .fallback(async || Problem::NotFound("no such page"))
        .layer(middleware::from_fn_with_state(state.clone(), upgrade::intercept))
        .layer(cors)
        .with_state(state)
}

/// The pages for whoever runs this node, where nobody is asked who they are.
pub fn internal(state: State) -> Router {
    Router::new()
        .route("/health", get(health::page))
        .route("/nodes", get(nodes::internal))
        .fallback(async || Problem::NotFound("no such page"))
        .with_state(state)
}

#[cfg(test)]
mod tests;
