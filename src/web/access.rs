//! From a request to what it may see.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    http::{HeaderMap, Uri, header},
};
use tokio::time::Instant;
use tracing::info;

use super::{State, problem::Problem, server::Remote};
use crate::{
    auth::{self, Auth, Farewell, Grant},
    model::origin::View,
    types::Scope,
};

/// A request that was let in. Dropped when it has been answered.
pub(super) struct Visit {
    auth: Arc<Auth>,
    request: auth::Request,
    pub(super) grant: Grant,
    since: Instant,
}

impl State {
    /// Lets a request in, at `path` as its URL has it.
    pub(super) async fn enter(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        remote: Option<Extension<Remote>>,
        path: &str,
    ) -> Result<Visit, Problem> {
        let request = self.request(uri, headers, remote.map(|remote| remote.0).as_ref(), path)?;
        let grant = self.authorize(&request).await?;
        Ok(Visit { auth: self.auth.clone(), request, grant, since: Instant::now() })
    }

    /// Lets somebody in who wants a session at the path of the URL.
    pub(super) async fn knock(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        remote: &Remote,
    ) -> Result<(auth::Request, Grant), Problem> {
        let mut request = self.request(uri, headers, Some(remote), uri.path())?;
        request.transport = "websocket";
        let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.host().or_else(|| named.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name)));
        request.host = host.map(str::to_ascii_lowercase);
        let grant = self.authorize(&request).await?;
        Ok((request, grant))
    }

    /// Tells whoever granted something that it is not used any more.
    pub(super) fn leave(&self, request: auth::Request, grant: Grant, reason: &'static str) {
        farewell(self.auth.clone(), request, grant, reason, Duration::ZERO);
    }

    fn request(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        remote: Option<&Remote>,
        path: &str,
    ) -> Result<auth::Request, Problem> {
        let mut request = self.auth.request(path, uri.query())?.with_bearer(bearer(headers));
        request.remote = remote.map(|remote| remote.address);
        request.certificate = remote.and_then(|remote| remote.certificate.clone());
        Ok(request)
    }

    async fn authorize(&self, request: &auth::Request) -> Result<Grant, Problem> {
        self.auth.authorize(request).await.map_err(|refusal| {
            let (reason, story) = (refusal.reason.name(), refusal.story());
            info!(transport = request.transport, remote = ?request.remote, path = ?request.shown(), reason, story, "refused");
            Problem::Refused(refusal.reason)
        })
    }

    /// What there is, as far as the grant goes. A request publishes nothing.
    pub(super) fn view(&self, grant: &Grant) -> View {
        let session = self.origin.session();
        View::new(self.origin.clone(), session, grant.root.clone(), Scope::none(), grant.subscribe.clone(), false)
    }
}

impl Visit {
    /// Waits until it has to end.
    pub(super) async fn ended(&self) -> auth::Reason {
        self.auth.ended(&self.request, &self.grant).await
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let (auth, request, grant) = (self.auth.clone(), self.request.clone(), self.grant.clone());
        farewell(auth, request, grant, "done", self.since.elapsed());
    }
}

fn farewell(auth: Arc<Auth>, request: auth::Request, grant: Grant, reason: &'static str, duration: Duration) {
    if grant.farewell {
        tokio::spawn(async move {
            auth.farewell(&request, &grant, Farewell { reason, duration, sent: 0, received: 0 }).await;
        });
    }
}

/// The path of a request after the first part of its route, as it stands.
pub(super) fn below<'a>(uri: &'a Uri, route: &str) -> &'a str {
    uri.path().strip_prefix(route).unwrap_or_default()
}

/// The first value of a key in the query.
pub(super) fn parameter<'a>(uri: &'a Uri, key: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

// RFC 9110 §11.1: the name of the scheme is case-insensitive.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_token_is_bearer() {
        for (value, expected) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c ", Some("a.b.c")),
            ("Basic a.b.c", None),
            ("Bearer", None),
        ] {
            let headers = [(header::AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
            assert_eq!(bearer(&headers), expected, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn paths_stay_as_they_are() {
        let uri = "/announced/a%2fb/../c?x".parse().unwrap();
        assert_eq!(below(&uri, "/announced"), "/a%2fb/../c");
    }
}
