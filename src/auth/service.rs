//! An auth service that decides everything and is asked by POST, as releases from 0.15 on do: one question when somebody
//! comes, one now and then while they stay, and a word when they leave.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    grant::{Grant, Reason, Recheck, Refusal},
    jwk::without_values,
    request::Request,
};
use crate::{
    http::{self, Client, Trust, Unusable},
    types::{Path, Scope},
};

/// A service and the way to it.
pub(super) struct Service {
    client: Client,
    url: String,
    /// How this node is called.
    node: String,
    asking: Semaphore,
}

/// Questions at a time. Half: a crowd at the door waits longer; double: so much more that a slow service holds up.
const ASKING: usize = 64;
/// How long a question may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a session was when it ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Farewell<'a> {
    /// Why it ended, in a word.
    pub reason: &'a str,
    /// How long it lasted.
    pub duration: Duration,
    /// Bytes that went out.
    pub sent: u64,
    /// Bytes that came in.
    pub received: u64,
}

/// What happens to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// Somebody comes.
    Connect,
    /// It is still there.
    Revalidate,
}

#[derive(Serialize)]
struct Question<'a> {
    id: &'a str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    node: &'a str,
    transport: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<&'a str>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Brought>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
}

#[derive(Serialize)]
struct Bytes {
    sent: u64,
    received: u64,
}

/// A token that is not part of the query; kind 0 is a JWT.
#[derive(Serialize)]
struct Brought {
    kind: u8,
    value: String,
}

#[derive(Serialize)]
struct Tls<'a> {
    name: &'a str,
    fingerprint: &'a str,
    expires: u64,
    issuer: &'a str,
}

/// What it grants. Names are patterns relative to the root.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    publish: Vec<String>,
    subscribe: Vec<String>,
    root: Option<String>,
    expires: Option<u64>,
    revalidate: Option<u64>,
    tier: Option<String>,
    peer: bool,
}

impl Service {
    /// `https://`, `http://` to this machine, or `unix:///path`. Blocks on certificates.
    pub(super) fn new(url: &str, trust: &Trust, node: &str) -> Result<Self, Unusable> {
        let (url, unix) = match url.strip_prefix("unix://") {
            Some(path) => ("http://localhost/".to_owned(), Some(PathBuf::from(path))),
            None => (url.to_owned(), None),
        };
        Ok(Self { client: Client::new(trust, unix)?, url, node: node.to_owned(), asking: Semaphore::new(ASKING) })
    }

    /// Asks what somebody may do.
    pub(super) async fn authorize(&self, request: &Request, event: Event) -> Result<Grant, Refusal> {
        let name = match event {
            Event::Connect => "connect",
            Event::Revalidate => "revalidate",
        };
        let answer = self.post(&self.question(request, name)).await?;
        match answer.status {
            200..=299 => {}
            401 | 403 => return Err(Refusal::new(Reason::Service).because(excerpt(&answer.body))),
            status => return Err(unavailable(format!("it answers with status {status}"))),
        }
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|error| unavailable(format!("its answer: {}", without_values(&error))))?;
        answer.grant(&request.path)
    }

    /// Says that a session is over. Nothing depends on the answer.
    pub(super) async fn farewell(&self, request: &Request, how: Farewell<'_>) {
        let question = Question {
            reason: Some(how.reason),
            duration: Some(how.duration.as_secs_f64()),
            bytes: Some(Bytes { sent: how.sent, received: how.received }),
            ..self.question(request, "end")
        };
        match self.post(&question).await {
            Ok(answer) if (200..300).contains(&answer.status) => {}
            Ok(answer) => tracing::debug!(status = answer.status, "the auth service did not take the end of a session"),
            Err(refusal) => tracing::debug!(reason = refusal.story(), "the auth service was not told of an end"),
        }
    }

    async fn post(&self, question: &Question<'_>) -> Result<http::Answer, Refusal> {
        let json = serde_json::to_vec(question).map_err(|error| unavailable(error.to_string()))?;
        let turn = timeout(PATIENCE, self.asking.acquire()).await;
        let _turn = turn.map_err(|_| unavailable("too many questions at a time"))?;
        self.client.post(&self.url, json).await.map_err(|error| unavailable(error.to_string()))
    }

    fn question<'a>(&'a self, request: &'a Request, event: &'a str) -> Question<'a> {
        let in_query = request.query.as_deref().and_then(|query| super::request::parameter(query, "jwt")).is_some();
        let brought = request.token.as_ref().filter(|_| !in_query);
        Question {
            id: &request.id,
            event,
            reason: None,
            duration: None,
            bytes: None,
            node: &self.node,
            transport: request.transport,
            remote: request.remote.map(|remote| remote.to_string()),
            server_name: request.host.as_deref(),
            alpn: request.protocol.as_deref(),
            path: format!("/{}", request.path),
            query: request.query.as_deref(),
            token: brought.map(|token| Brought { kind: 0, value: URL_SAFE_NO_PAD.encode(token.secret()) }),
            tls: request.certificate.as_ref().map(|certificate| Tls {
                name: &certificate.name,
                fingerprint: &certificate.fingerprint,
                expires: seconds(certificate.expires),
                issuer: &certificate.issuer,
            }),
        }
    }
}

impl Answer {
    fn grant(self, path: &Path) -> Result<Grant, Refusal> {
        let root = match &self.root {
            Some(root) => Path::parse(root).map_err(|error| unavailable(error.to_string()))?,
            None => path.clone(),
        };
        let (publish, subscribe) = (scope(&root, &self.publish), scope(&root, &self.subscribe));
        if publish.is_empty() && subscribe.is_empty() && !self.peer {
            return Err(Refusal::new(Reason::Service).because("it grants nothing"));
        }
        let expires = match self.expires.map(|expires| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(expires)))
        {
            Some(None) => return Err(unavailable("its grant ends beyond the end of time")),
            Some(Some(expires)) if expires <= super::wall_clock() => {
                return Err(Refusal::new(Reason::Expired).because("the grant of the auth service is over already"));
            }
            expires => expires.flatten(),
        };
        let recheck = match self.revalidate {
            Some(0) => return Err(unavailable("it wants to be asked all the time")),
            Some(seconds) => {
                // Until it ends, the last answer counts.
                let every = Duration::from_secs(seconds).min(DAY);
                Some(Recheck { every, patience: DAY })
            }
            None => None,
        };
        let label = match self.tier.filter(|tier| !tier.is_empty()) {
            Some(tier) => format!("auth service ({tier})"),
            None => "auth service".to_owned(),
        };
        Ok(Grant {
            expires,
            recheck,
            cluster: self.peer,
            farewell: true,
            ..Grant::new(root, publish, subscribe, label)
        })
    }
}

/// The names below the root. A pattern that is less than everything below a name is left out: it would become more.
fn scope(root: &Path, patterns: &[String]) -> Scope {
    let subtree = |pattern: &String| {
        let below = super::claims::subtree(pattern.clone()).ok();
        let path = below.and_then(|below| root.join(&Path::parse(&below).ok()?).ok());
        if path.is_none() {
            tracing::warn!(pattern, "a pattern of the auth service is not understood and grants nothing");
        }
        path
    };
    Scope::new(patterns.iter().filter_map(subtree).collect())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The beginning of what it said, for the log.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned()
}

fn unavailable(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::ServiceUnavailable).because(story)
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}
