//! Auth services that know keys and public paths and are asked by GET, as releases from 0.10.16 to 0.14 did.
//!
//! One is asked about a path without a token (`auth.public.api`); the other about everything (`auth.api`): which key a
//! token of this path has, what is public there, and what the path is really called.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    claims::Rules,
    grant::{Grant, Reason, Recheck, Refusal},
    jwk::{Jwk, without_values},
    request::Request,
    token::Unverified,
    verifier::Verifier,
};
use crate::{
    http::Client,
    types::{Path, Scope},
};

/// The most answers remembered. Half: a service with more paths is asked more often; double: so much more to hold.
const MAX_ANSWERS: usize = 1024;
/// Questions at a time.
const ASKING: usize = 64;
/// How long a question may wait for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// How long an answer counts beyond its time when the service does not answer any more.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Asks one service, and remembers what it said for as long as it said.
#[derive(Debug)]
pub(super) struct Api {
    base: String,
    client: Client,
    asking: Semaphore,
    answers: Mutex<HashMap<String, Remembered>>,
}

#[derive(Clone, Debug)]
struct Remembered {
    body: Arc<[u8]>,
    until: Instant,
}

/// What is public at a path.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(default)]
struct PublicHere {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

/// All that the service of 0.12 to 0.14 has to say about a path.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Known {
    /// What the path is really called; as many segments.
    alias: Option<String>,
    public: PublicHere,
    /// The key of the token.
    key: Option<Jwk>,
    /// For the statistics.
    tier: Option<String>,
}

/// A body, and how long it counts from now on, when the service says.
struct Said {
    body: Arc<[u8]>,
    max_age: Option<Duration>,
}

impl Api {
    pub(super) fn new(base: String, client: Client) -> Self {
        Self { base, client, asking: Semaphore::new(ASKING), answers: Mutex::default() }
    }

    /// What `auth.public.api` says is public at a path: `{base}/{path}` is asked for `{"publish": [], "subscribe": []}`.
    pub(super) async fn public(&self, path: &Path) -> Result<Grant, Refusal> {
        // A URL that goes up would ask the service something else.
        if path.segments().any(|segment| matches!(segment, "." | "..")) {
            return Err(Refusal::new(Reason::NotPublic).because("no service is asked about a path that goes up"));
        }
        let segments: Vec<_> =
            path.segments().map(|segment| utf8_percent_encode(segment, ENCODED).to_string()).collect();
        let said = self.ask(&format!("{}/{}", self.base.trim_end_matches('/'), segments.join("/"))).await?;
        let public: PublicHere = parse(&said.body)?;
        public.grant(path.clone(), &said)
    }

    /// What `auth.api` says of a request.
    pub(super) async fn authorize(&self, request: &Request, rules: &Rules, now: SystemTime) -> Result<Grant, Refusal> {
        let token = request.token.as_ref().map(Unverified::parse).transpose()?;
        let kid = token.as_ref().and_then(|token| token.kid.as_deref());
        let said = self.ask(&self.question(request, kid)).await?;
        let known: Known = parse(&said.body)?;
        let mut grant = if let Some(certificate) = &request.certificate {
            Grant::of_certificate(request.path.clone(), certificate)
        } else if let Some(token) = token {
            let jwk = known
                .key
                .as_ref()
                .ok_or_else(|| Refusal::new(Reason::UnknownKey).because("the auth service has no key for this path"))?;
            let key = Verifier::new(jwk).map_err(|error| unavailable(error.to_string()))?;
            let rights = token.verify(&key, rules, now)?;
            Grant { recheck: said.recheck(), ..rights.grant(&request.path, key.names(token.kid))? }
        } else {
            known.public.grant(request.path.clone(), &said)?
        };
        if let Some(tier) = known.tier.filter(|tier| !tier.is_empty()) {
            grant.label = format!("{} ({tier})", grant.label);
        }
        match known.alias {
            Some(alias) => grant.moved(&alias),
            None => Ok(grant),
        }
    }

    fn question(&self, request: &Request, kid: Option<&str>) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let separator = if self.base.contains('?') { '&' } else { '?' };
        let mut url = format!("{}{separator}root={}", self.base, encode(request.path.as_str()));
        if let Some(kid) = kid.filter(|_| request.certificate.is_none()) {
            url += &format!("&kid={}", encode(kid));
        }
        if request.certificate.is_some() {
            url += "&mtls=true";
        }
        if request.transport != "http" {
            url += &format!("&transport={}", request.transport);
        }
        url
    }

    async fn ask(&self, url: &str) -> Result<Said, Refusal> {
        let remembered = self.answers().get(url).cloned().filter(|remembered| remembered.until > Instant::now());
        if let Some(Remembered { body, until }) = remembered {
            return Ok(Said { body, max_age: Some(until.duration_since(Instant::now())) });
        }
        let turn = timeout(WAIT, self.asking.acquire()).await;
        let _turn = turn.map_err(|_| unavailable("too many questions at a time"))?;
        let answer = self.client.get(url).await.map_err(|error| unavailable(error.to_string()))?;
        if matches!(answer.status, 401 | 403 | 404 | 410) {
            return Err(Refusal::new(Reason::Service).because(format!("it answers with status {}", answer.status)));
        }
        let answer = answer.success().map_err(|error| unavailable(error.to_string()))?;
        let said = Said { body: answer.body.into(), max_age: answer.max_age.filter(|age| !age.is_zero()) };
        if let Some(until) = said.max_age.and_then(|age| Instant::now().checked_add(age)) {
            let mut answers = self.answers();
            if answers.len() >= MAX_ANSWERS {
                answers.clear();
            }
            answers.insert(url.to_owned(), Remembered { body: said.body.clone(), until });
        }
        Ok(said)
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Remembered>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PublicHere {
    /// These names are relative to the path.
    fn grant(&self, path: Path, said: &Said) -> Result<Grant, Refusal> {
        let scope = |names: &[String]| {
            let absolute = names.iter().map(|name| path.join(&super::anonymous::prefix(name).ok()?).ok());
            absolute.collect::<Option<Vec<_>>>().map(Scope::new)
        };
        let (Some(publish), Some(subscribe)) = (scope(&self.publish), scope(&self.subscribe)) else {
            return Err(unavailable("a name in the answer of the auth service is no path"));
        };
        if publish.is_empty() && subscribe.is_empty() {
            return Err(Refusal::new(Reason::NotPublic));
        }
        Ok(Grant { recheck: said.recheck(), ..Grant::new(path, publish, subscribe, "anonymous") })
    }
}

impl Said {
    /// An answer that counts for a while is asked for again when that is over.
    fn recheck(&self) -> Option<Recheck> {
        let every = self.max_age?.clamp(Duration::from_secs(1), Duration::from_secs(24 * 3600));
        Some(Recheck { every, patience: PATIENCE })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| unavailable(format!("its answer: {}", without_values(&error))))
}

fn unavailable(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::ServiceUnavailable).because(story)
}

/// All but what RFC 3986 §2.3 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
