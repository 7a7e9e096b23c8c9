//! Asking other programs by HTTP: key servers, auth services, lists of nodes. The only file that knows the HTTP library.

use std::{fmt, path::PathBuf, time::Duration};

use reqwest::{Certificate, Identity, Method, StatusCode, header};

/// The most bytes of an answer. Half: a set of many RSA keys may not fit; double: twice to hold for whoever answers.
const MAX_BODY: usize = 64 << 10;
/// How long an answer may take, from looking up the name to the last byte. Half: a service on another continent may
/// be too slow; double: people wait at the door for a service that is down.
const DEADLINE: Duration = Duration::from_secs(5);

/// How to connect to such programs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Trust {
    /// PEM files with root certificates, in place of the system's.
    pub root: Vec<PathBuf>,
    /// PEM files with a certificate and its key, to prove who asks.
    pub identity: Vec<PathBuf>,
    /// Believe any certificate. Only for trying things out.
    pub disable_verify: bool,
}

/// A way to ask. Cheap to clone.
#[derive(Clone)]
pub struct Client(reqwest::Client);

/// What somebody answered.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// At most 64 KiB.
    pub body: Vec<u8>,
    /// How long the answer may be used again (RFC 9111 §5.2.2); `None` when it does not say.
    pub max_age: Option<Duration>,
}

/// Why there is no answer. Names neither the query of the URL nor anything that was sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

/// Why no connection can ever be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

impl Client {
    /// Reads the certificates. Blocks. With `unix`, connections go to that socket whatever the URL says.
    pub fn new(trust: &Trust, unix: Option<PathBuf>) -> Result<Self, Unusable> {
        let mut builder = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::limited(3))
            .tls_danger_accept_invalid_certs(trust.disable_verify);
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| Unusable(format!("cannot read {}: {error}", path.display())))
        };
        let unusable = |error: reqwest::Error| Unusable(reason(&error));
        if !trust.root.is_empty() {
            let mut roots = Vec::new();
            for path in &trust.root {
                roots.extend(Certificate::from_pem_bundle(&read(path)?).map_err(unusable)?);
            }
            builder = builder.tls_certs_only(roots);
        }
        if !trust.identity.is_empty() {
            let mut pem = Vec::new();
            for path in &trust.identity {
                pem.extend(read(path)?);
                pem.push(b'\n');
            }
            builder = builder.identity(Identity::from_pem(&pem).map_err(unusable)?);
        }
        if let Some(path) = unix {
            builder = builder.unix_socket(path);
        }
        builder.build().map(Self).map_err(unusable)
    }

    /// A GET.
    pub async fn get(&self, url: &str) -> Result<Answer, Failure> {
        self.ask(Method::GET, url, None).await
    }

    /// A POST of JSON.
    pub async fn post(&self, url: &str, json: Vec<u8>) -> Result<Answer, Failure> {
        self.ask(Method::POST, url, Some(json)).await
    }

    async fn ask(&self, method: Method, url: &str, json: Option<Vec<u8>>) -> Result<Answer, Failure> {
        let mut request = self.0.request(method, url).header(header::ACCEPT, "application/json");
        if let Some(json) = json {
            request = request.header(header::CONTENT_TYPE, "application/json").body(json);
        }
        let failed = |error: reqwest::Error| Failure(reason(&error));
        let mut response = request.send().await.map_err(failed)?;
        let (status, max_age) = (response.status(), max_age(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Failure(format!("the answer is longer than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: status.as_u16(), body, max_age })
    }
}

impl Answer {
    /// The body, of an answer that says it is fine.
    pub fn success(self) -> Result<Self, Failure> {
        match StatusCode::from_u16(self.status) {
            Ok(status) if status.is_success() => Ok(self),
            _ => Err(Failure(format!("the answer has status {}", self.status))),
        }
    }
}

// A client knows keys; none of it is for logs.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// The innermost error, which is the one that tells, and no URL.
fn reason(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    if error.is_timeout() { format!("no answer within {DEADLINE:?}") } else { source.to_string() }
}

fn max_age(headers: &header::HeaderMap) -> Option<Duration> {
    let mut found = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',').map(str::trim) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Some(Duration::ZERO),
                "max-age" => found = value.trim_matches('"').parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_how_long_they_are_good() {
        let age = |value: &str| {
            let headers = [(header::CACHE_CONTROL, value.parse().unwrap())].into_iter().collect();
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(age("max-age=60"), Some(60));
        assert_eq!(age("public, Max-Age=\"5\""), Some(5));
        assert_eq!(age("max-age=60, no-cache"), Some(0));
        assert_eq!(age("no-store"), Some(0));
        assert_eq!(age("private"), None);
        assert_eq!(age("max-age=soon"), None);
        assert_eq!(max_age(&header::HeaderMap::new()), None);
    }
}
