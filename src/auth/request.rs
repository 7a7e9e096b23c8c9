//! What somebody asks for and what it brought along, whatever door it stands at.

use std::{net::SocketAddr, sync::Arc};

use percent_encoding::percent_decode_str;

use super::grant::{Reason, Refusal, Token};
use crate::types::{Certificate, Path, PathError};

/// A session or an HTTP request that wants in. It knows secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Request {
    /// The path it wants.
    pub path: Path,
    /// What follows the `?` of the URL, as it stands.
    pub query: Option<String>,
    /// The token that it brought.
    pub token: Option<Token>,
    /// The certificate that it proved to hold, of an authority we trust.
    pub certificate: Option<Arc<Certificate>>,
    /// The door: `quic`, `websocket`, `tcp`, `unix` or `http`.
    pub transport: &'static str,
    /// Where it comes from.
    pub remote: Option<SocketAddr>,
    /// The host that it means, by TLS or by its URL.
    pub host: Option<String>,
    /// What is spoken.
    pub protocol: Option<String>,
    /// Whether the path is where a token was, so that the token's own root comes below it.
    pub(super) below_path: bool,
    /// The name of this session towards an auth service: random, 32 hex digits.
    pub(super) id: String,
}

impl Request {
    /// At the path and with the token of a URL. With `token_in_path`, a segment may be the token: the first, or the
    /// last as releases up to 0.7.5 had it.
    pub(super) fn new(path: &str, query: Option<&str>, token_in_path: bool) -> Result<Self, PathError> {
        let query = query.filter(|query| !query.is_empty());
        let in_query = query.and_then(|query| parameter(query, "jwt")).and_then(Token::new);
        let in_path = if token_in_path { cut(path) } else { None };
        let (rest, in_path, below_path) =
            in_path.map_or_else(|| (path.to_owned(), None, false), |cut| (cut.rest, Token::new(cut.token), cut.last));
        // A token of the query is one of today, wherever the path may look like another.
        let below_path = below_path && in_query.is_none();
        Ok(Self {
            path: Path::parse(&rest)?,
            query: query.map(ToOwned::to_owned),
            token: in_query.or(in_path),
            certificate: None,
            transport: "http",
            remote: None,
            host: None,
            protocol: None,
            below_path,
            id: format!("{:032x}", rand::random::<u128>()),
        })
    }

    /// Adds the token of an `Authorization: Bearer` header, which counts where the URL has none.
    pub fn with_bearer(mut self, bearer: Option<&str>) -> Self {
        self.token = self.token.or_else(|| bearer.and_then(Token::new));
        self
    }

    /// A value of the query that is not empty, percent-decoded.
    pub fn parameter(&self, key: &str) -> Option<String> {
        parameter(self.query.as_deref()?, key)
    }

    /// The path for logs.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }

    /// Puts the labels of the host before the path, where the host ends in one of these names: `a.b.example.com` with
    /// `example.com` is `b/a`.
    pub(super) fn under_domain(mut self, domains: &[String]) -> Result<Self, Refusal> {
        let Some(host) = self.host.as_deref().map(str::to_ascii_lowercase) else { return Ok(self) };
        let labels = |domain: &String| host.strip_suffix(domain.as_str())?.strip_suffix('.');
        // The longest name that fits is the one meant.
        let shortest = domains.iter().filter_map(labels).min_by_key(|labels| labels.len());
        let is_domain = domains.contains(&host);
        if let (Some(labels), false) = (shortest, is_domain) {
            let reversed: Vec<_> = labels.rsplit('.').collect();
            let path = Path::parse(&reversed.join("/")).and_then(|prefix| prefix.join(&self.path));
            self.path = path.map_err(|error| Refusal::new(Reason::NotAllowed).because(error.to_string()))?;
        }
        Ok(self)
    }
}

/// A path without the token in it.
struct Cut {
    rest: String,
    token: String,
    /// It was the last segment and said so.
    last: bool,
}

fn cut(path: &str) -> Option<Cut> {
    let path = path.trim_start_matches('/');
    let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(token) = last.strip_suffix(".jwt") {
        return Some(Cut { rest: before.to_owned(), token: token.to_owned(), last: true });
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    looks_like_a_token(first).then(|| Cut { rest: rest.to_owned(), token: first.to_owned(), last: false })
}

/// A path for logs: a segment that looks like a token, which somebody meant to be one, is not shown.
pub(super) fn shown(path: &Path) -> String {
    let shown = |segment| if looks_like_a_token(segment) { "…" } else { segment };
    path.segments().map(shown).collect::<Vec<_>>().join("/")
}

/// Whether a text begins as JSON in base64url does and has as many parts as a JWT.
fn looks_like_a_token(text: &str) -> bool {
    text.starts_with("ey") && text.trim_end_matches(".jwt").matches('.').count() == 2
}

/// The last value of a key in a query that is not empty, percent-decoded: clients that come back add to their URL.
pub(super) fn parameter(query: &str, key: &str) -> Option<String> {
    let mut values = query.rsplit('&').filter_map(|pair| pair.split_once('='));
    let found = values.find(|(name, value)| *name == key && !value.is_empty());
    found.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, query: &str) -> Request {
        Request::new(path, Some(query), true).unwrap()
    }

    fn secret(request: &Request) -> Option<&str> {
        request.token.as_ref().map(Token::secret)
    }

    #[test]
    fn tokens_come_in_the_query_or_a_header() {
        for (query, bearer, expected) in [
            ("", None, None),
            ("jwt=a.b.c", None, Some("a.b.c")),
            ("x=1&jwt=a.b.c&jwt=d", None, Some("d")),
            ("jwt=a&jwt=", None, Some("a")),
            ("jwt=", None, None),
            ("jwt=", Some("a.b.c"), Some("a.b.c")),
            ("jwt=a", Some("b"), Some("a")),
            ("xjwt=a", Some(""), None),
            ("jwt=a%2Eb", None, Some("a.b")),
        ] {
            assert_eq!(secret(&request("/", query).with_bearer(bearer)), expected, "{query} {bearer:?}");
        }
    }

    #[test]
    fn a_segment_of_the_path_may_be_the_token() {
        for (path, rest, token, below) in [
            ("/eyA.eyB.c/room/a", "room/a", Some("eyA.eyB.c"), false),
            ("/eyA.eyB.c", "", Some("eyA.eyB.c"), false),
            ("/room/eyA.eyB.c.jwt", "room", Some("eyA.eyB.c"), true),
            ("/eyA.eyB.c.jwt", "", Some("eyA.eyB.c"), true),
            ("/room/eyA.eyB.c", "room/eyA.eyB.c", None, false),
            ("/eyes/a.b.c", "eyes/a.b.c", None, false),
            ("/a.b.c/room", "a.b.c/room", None, false),
        ] {
            let found = request(path, "");
            assert_eq!((found.path.as_str(), secret(&found), found.below_path), (rest, token, below), "{path}");
        }
        let long = format!("/ey{}.b.c/room", "A".repeat(300));
        assert_eq!(request(&long, "").path.as_str(), "room");
        assert!(Request::new(&long, None, false).is_err());
        assert!(Request::new("/eyA.eyB.c/room", None, false).unwrap().token.is_none());
    }

    #[test]
    fn logs_show_no_token() {
        let path = "/room/eyA.eyB.c/x/eyD.eyE.f.jwt/a.b.c";
        assert_eq!(Request::new(path, None, false).unwrap().shown(), "room/…/x/…/a.b.c");
    }

    #[test]
    fn labels_of_the_host_come_before_the_path() {
        let domains = ["cdn.moq.dev".to_owned(), "usw.cdn.moq.dev".to_owned()];
        for (host, path, expected) in [
            ("customer.cdn.moq.dev", "/foo", "customer/foo"),
            ("cdn.moq.dev", "/foo", "foo"),
            ("usw.cdn.moq.dev", "/foo", "foo"),
            ("something.else.com", "/foo", "foo"),
            ("team.customer.cdn.moq.dev", "/foo", "customer/team/foo"),
            ("CUSTOMER.CDN.moq.dev", "/Foo", "customer/Foo"),
            ("customer.usw.cdn.moq.dev", "/foo", "customer/foo"),
            ("evilcdn.moq.dev", "/foo", "foo"),
        ] {
            let asked = Request { host: Some(host.to_owned()), ..request(path, "") };
            assert_eq!(asked.under_domain(&domains).ok().unwrap().path.as_str(), expected, "{host}");
        }
    }
}
