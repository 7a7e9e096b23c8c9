//! From a request to what it may see.

use axum::http::{HeaderMap, Uri, header};
use tracing::debug;

use super::{State, problem::Problem};
use crate::{
    auth::{Credentials, Grant},
    model::origin::View,
    types::{Path, Scope},
};

impl State {
    /// What the request may do at `path`.
    pub(super) fn grant(&self, uri: &Uri, headers: &HeaderMap, path: &Path) -> Result<Grant, Problem> {
        self.auth.authorize(&credentials(uri, headers), path).map_err(|refusal| {
            debug!(%path, reason = refusal.reason(), "request refused");
            Problem::Refused(refusal)
        })
    }

    /// What there is, as far as the grant goes. A request publishes nothing.
    pub(super) fn view(&self, grant: Grant) -> View {
        let session = self.origin.session();
        View::new(self.origin.clone(), session, grant.root, Scope::none(), grant.subscribe, false)
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

/// The token of `?jwt=`, else of `Authorization: Bearer`.
fn credentials(uri: &Uri, headers: &HeaderMap) -> Credentials {
    Credentials::new(uri.query().unwrap_or_default(), bearer(headers))
}

// RFC 9110 §11.1: the name of the scheme is case-insensitive.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(uri: &str, authorization: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        credentials(&uri.parse().unwrap(), &headers).token.map(|token| token.secret().to_owned())
    }

    #[test]
    fn tokens_come_in_the_query_or_a_header() {
        for (uri, authorization, expected) in [
            ("/announced", None, None),
            ("/announced?jwt=a.b.c", None, Some("a.b.c")),
            ("/announced?x=1&jwt=a.b.c&jwt=d", None, Some("a.b.c")),
            ("/announced?jwt=", None, None),
            ("/announced?jwt=", Some("Bearer a.b.c"), Some("a.b.c")),
            ("/announced", Some("bearer  a.b.c "), Some("a.b.c")),
            ("/announced?jwt=a", Some("Bearer b"), Some("a")),
            ("/announced", Some("Basic a.b.c"), None),
            ("/announced?xjwt=a", Some("Bearer"), None),
        ] {
            assert_eq!(token(uri, authorization).as_deref(), expected, "{uri} {authorization:?}");
        }
    }

    #[test]
    fn paths_stay_as_they_are() {
        let uri = "/announced/a%2fb/../c?x".parse().unwrap();
        assert_eq!(below(&uri, "/announced"), "/a%2fb/../c");
    }
}
