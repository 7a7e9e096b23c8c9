//! Who may do what: a request goes in, a grant or a refusal comes out.
//!
//! Every door (QUIC, WebTransport, WebSocket, TCP, Unix, HTTP) asks here, with the path that somebody wants and what it
//! brought along, before it lets it near the model. What a grant allows is a pair of scopes, so the model needs to know
//! nothing of tokens.
//!
//! ```text
//!  request ─┬ certificate ──────────────────────────────→ everything at the path
//!           ├ token ─ keys ─ token ─ claims ─┐
//!           ├ nothing ─ anonymous ───────────┼──────────→ grant ─ deny ─→ session, until it ends
//!           └ nobody here knows: api, service┘
//! ```
//!
//! `keys` are the sources of keys, `token` checks a signature, `claims` reads what was signed; `jwk` is a key as a file
//! has it, `verifier` and `signer` what can be done with it. `ending` is how a session loses its rights.

mod anonymous;
mod api;
mod claims;
pub mod config;
mod deny;
mod ending;
mod generate;
mod grant;
mod jwk;
mod keys;
mod request;
mod service;
mod signer;
mod token;
mod verifier;

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;
use tracing::debug;

pub use anonymous::PublicError;
pub use claims::Rights;
pub use config::{Config, Public};
pub use grant::{Grant, Reason, Recheck, Refusal, Revocable, Token};
pub use jwk::{Jwk, KeyError, KeyScope};
pub use keys::is_name;
pub use request::Request;
pub use service::Farewell;
pub use signer::Signer;

use self::{
    api::Api,
    claims::Rules,
    config::OpenError,
    deny::Deny,
    keys::{Keys, Source},
    service::{Event, Service},
    token::Unverified,
    verifier::Verifier,
};
use crate::{
    http::Client,
    types::{Path, PathError, Scope},
};

/// Decides about each session and request.
#[derive(Debug)]
pub struct Auth {
    config: Config,
    /// What anybody may publish and watch.
    public: (Scope, Scope),
    rules: Rules,
    /// Where the keys of tokens are looked for, one after the other.
    keys: Vec<Keys>,
    /// Keys that count below a path, in place of all others.
    paths: Vec<(Path, Keys)>,
    public_api: Option<Api>,
    api: Option<Api>,
    service: Option<Service>,
    deny: Option<Deny>,
    /// Told when the list of the denied or the wall clock has changed.
    changes: watch::Sender<()>,
}

impl Auth {
    /// Access as configured. Blocks on the files of keys; what is asked for by HTTP is asked for when it is needed.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let wrong = |key, value: &str, reason: String| OpenError { key, value: value.to_owned(), reason };
        let client = Client::new(&config.tls, None).map_err(|error| wrong("auth.tls", "", error.to_string()))?;
        let keys = |key, source: &Source| {
            Keys::open(source, config.refresh_interval, &client)
                .map_err(|reason| wrong(key, &source.to_string(), reason))
        };
        let single = config.key.as_ref().map(|source| keys("auth.key", source)).transpose()?;
        let named = config.key_dir.as_ref().map(|source| Keys::directory(source, &client));
        let mut paths = Vec::new();
        for (path, source) in &config.paths {
            paths.push((path.clone(), keys("auth.paths", source)?));
        }
        let deny = config.deny.as_ref().map(|path| {
            Deny::open(path).map_err(|error| wrong("auth.deny", &path.display().to_string(), error.reason))
        });
        let service = config.url.as_ref().map(|url| {
            Service::new(url, &config.tls, &config.node).map_err(|error| wrong("auth.url", url, error.to_string()))
        });
        let api = |base: &String| Api::new(base.clone(), client.clone());
        Ok(Self {
            public: config.public.scopes(),
            rules: Rules { legacy: config.legacy_claims, audience: config.audience.clone() },
            keys: named.into_iter().chain(single).collect(),
            paths,
            public_api: config.public.api.as_ref().map(api),
            api: config.api.as_ref().map(api),
            service: service.transpose()?,
            deny: deny.transpose()?,
            changes: watch::Sender::new(()),
            config: config.clone(),
        })
    }

    /// A request for the path of a URL, with the token that is in it.
    pub fn request(&self, path: &str, query: Option<&str>) -> Result<Request, PathError> {
        Request::new(path, query, self.config.token_in_path)
    }

    /// What somebody may do. All names of the session are relative to the root of the grant.
    pub async fn authorize(&self, request: &Request) -> Result<Grant, Refusal> {
        self.decide(request, Event::Connect).await
    }

    /// What a token is worth, whatever the path.
    pub async fn verify(&self, token: &Token) -> Result<Rights, Refusal> {
        self.verify_at(token, &Path::root()).await.map(|verified| verified.rights)
    }

    /// Tells whoever granted its rights that a session is over, if it wants to know.
    pub async fn farewell(&self, request: &Request, grant: &Grant, how: Farewell<'_>) {
        if let Some(service) = self.service.as_ref().filter(|_| grant.farewell) {
            Box::pin(service.farewell(request, how)).await;
        }
    }

    /// Fetches keys again, and looks for what changes the rights of those who are in. Until dropped.
    pub async fn maintain(&self) {
        let all = self.keys.iter().chain(self.paths.iter().map(|(_, keys)| keys));
        let keys = futures::future::join_all(all.map(Keys::maintain));
        tokio::join!(keys, self.watch_changes());
    }

    async fn list(&self) -> Option<Arc<deny::List>> {
        self.deny.as_ref()?.list().await
    }

    async fn decide(&self, request: &Request, event: Event) -> Result<Grant, Refusal> {
        let request = &request.clone().under_domain(&self.config.domains)?;
        let here = self.decide_here(request).await;
        let grant = match here {
            Err(refusal) if refusal.reason.is_for_others() => {
                let grant = self.ask_others(request, event, refusal).await?;
                let certificate = request.certificate.as_ref().map(|certificate| certificate.expires);
                Grant { expires: grant.expires.into_iter().chain(certificate).min(), ..grant }
            }
            other => other?,
        };
        // A certificate was checked when its connection began, which may be long ago.
        if grant.expires.is_some_and(|expires| expires <= wall_clock()) {
            return Err(Refusal::new(Reason::Expired).because(grant.label));
        }
        if self.is_denied(&grant.revocable).await {
            return Err(Refusal::new(Reason::Revoked).because(format!("{:?}", grant.revocable)));
        }
        Ok(grant)
    }

    /// By what is known here.
    async fn decide_here(&self, request: &Request) -> Result<Grant, Refusal> {
        if let Some(certificate) = &request.certificate {
            if self.api.is_some() || self.service.is_some() {
                return Err(Refusal::new(Reason::NoKey));
            }
            return Ok(Grant::of_certificate(request.path.clone(), certificate));
        }
        match &request.token {
            Some(token) => self.check(token, request).await,
            None => anonymous::authorize(&self.public, &request.path),
        }
    }

    async fn check(&self, token: &Token, request: &Request) -> Result<Grant, Refusal> {
        let Verified { mut rights, key, names } = self.verify_at(token, &request.path).await?;
        if rights.legacy {
            debug!("the token has old claims: newer tools write put and get for pub and sub");
        }
        let mut path = request.path.clone();
        if request.below_path && self.begins_here(&path) {
            path = rights.move_below(&path)?;
            key.covers(&rights)?;
        }
        for (prefix, _) in self.paths.iter().filter(|(prefix, _)| !path.has_prefix(prefix)) {
            rights.leave_out(prefix);
        }
        rights.grant(&path, names)
    }

    /// Whether tokens that are found here say what comes below: at the root, and where keys of its own begin.
    fn begins_here(&self, path: &Path) -> bool {
        path.is_empty() || self.paths.iter().any(|(prefix, _)| prefix == path)
    }

    /// What a token grants, and its key.
    async fn verify_at(&self, token: &Token, path: &Path) -> Result<Verified, Refusal> {
        // A token must not be worth less than none at all by accident: say that nobody here can read it.
        let mut refusal = Refusal::new(Reason::NoKey);
        let sources = self.sources(path);
        if sources.is_empty() {
            return Err(refusal);
        }
        let token = Unverified::parse(token)?;
        for keys in sources {
            let found = match keys.find(token.kid.as_deref()).await {
                Ok(found) => found,
                Err(unknown) => {
                    refusal = unknown;
                    continue;
                }
            };
            for key in found {
                match token.verify(&key, &self.rules, wall_clock()) {
                    Ok(rights) => return Ok(Verified { rights, names: key.names(token.kid), key }),
                    // Another key may be the right one; any other refusal is the holder's.
                    Err(wrong) if matches!(wrong.reason, Reason::Signature | Reason::Algorithm) => refusal = wrong,
                    Err(wrong) => return Err(wrong),
                }
            }
            if keys.is_by_name() {
                return Err(refusal);
            }
        }
        Err(refusal)
    }

    /// The keys that count at a path.
    fn sources(&self, path: &Path) -> Vec<&Keys> {
        let here = self.paths.iter().filter(|(prefix, _)| path.has_prefix(prefix));
        match here.max_by_key(|(prefix, _)| prefix.segments().count()) {
            Some((_, keys)) => vec![keys],
            None => self.keys.iter().collect(),
        }
    }

    /// By the services that know more. Boxed, like all that waits for somebody else: what a question takes while it is
    /// asked would otherwise be part of every session.
    async fn ask_others(&self, request: &Request, event: Event, refusal: Refusal) -> Result<Grant, Refusal> {
        if let Some(api) = &self.api {
            return Box::pin(api.authorize(request, &self.rules, wall_clock())).await;
        }
        if let Some(service) = &self.service {
            return Box::pin(service.authorize(request, event)).await;
        }
        match &self.public_api {
            Some(api) if refusal.reason == Reason::NotPublic => Box::pin(api.public(&request.path)).await,
            _ => Err(refusal),
        }
    }

    async fn is_denied(&self, names: &Revocable) -> bool {
        if self.deny.is_none() || (names.keys.is_empty() && names.token.is_none()) {
            return false;
        }
        self.list().await.is_none_or(|list| list.has(names))
    }
}

/// A token whose signature is good.
struct Verified {
    rights: Rights,
    key: Arc<Verifier>,
    /// What the key is called.
    names: Vec<String>,
}

/// What a token is worth if this is its key.
pub fn check(token: &Token, key: &Jwk) -> Result<Rights, Refusal> {
    let unusable = |error: KeyError| Refusal::new(Reason::UnknownKey).because(error.to_string());
    Unverified::parse(token)?.verify(&Verifier::new(key).map_err(unusable)?, &Rules::default(), wall_clock())
}

/// The time by which tokens and certificates live.
#[expect(clippy::disallowed_methods, reason = "the dates in tokens are those of the wall clock")]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests;
