//! What can be set about access.

use std::{path::PathBuf, time::Duration};

use super::anonymous::{self, PublicError};
pub use super::keys::Source;
use crate::{
    http::Trust,
    types::{Path, Scope},
};

/// Who may do what. Everything that is set counts side by side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// What anybody may do without a token.
    pub public: Public,
    /// A key, or several in a JWK Set.
    pub key: Option<Source>,
    /// Keys by name: `{kid}.jwk` in a folder, or below a URL.
    pub key_dir: Option<Source>,
    /// How often a JWK Set at a URL is fetched again.
    pub refresh_interval: Duration,
    /// Keys that count below a path only, in place of the others.
    pub paths: Vec<(Path, Source)>,
    /// Whether `sub` alone is a grant.
    pub legacy_claims: bool,
    /// Audiences of which a token must name one.
    pub audience: Vec<String>,
    /// Whether a segment of the path may be a token.
    pub token_in_path: bool,
    /// Names of keys and tokens whose rights are taken back.
    pub deny: Option<PathBuf>,
    /// A service that knows keys and public paths, asked by GET.
    pub api: Option<String>,
    /// A service that decides, asked by POST: a URL, or `unix:///path`.
    pub url: Option<String>,
    /// How to connect to either, and to key servers.
    pub tls: Trust,
    /// How this node is called towards them.
    pub node: String,
    /// Host names whose labels before them are the beginning of the path.
    pub domains: Vec<String>,
}

/// What needs no token.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Public {
    /// Names that anybody may publish, see and watch.
    pub both: Scope,
    /// Names that anybody may publish.
    pub publish: Scope,
    /// Names that anybody may see and watch.
    pub subscribe: Scope,
    /// A service that is asked about other paths.
    pub api: Option<String>,
}

/// A setting with which nothing can be decided.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key} = {value:?}: {reason}")]
pub struct OpenError {
    /// The setting.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Half: key servers are asked twice as often; double: a key that was taken out of the set counts that much longer.
const REFRESH: Duration = Duration::from_secs(300);

impl Default for Config {
    fn default() -> Self {
        Self {
            public: Public::default(),
            key: None,
            key_dir: None,
            refresh_interval: REFRESH,
            paths: Vec::new(),
            legacy_claims: false,
            audience: Vec::new(),
            token_in_path: false,
            deny: None,
            api: None,
            url: None,
            tls: Trust::default(),
            node: String::new(),
            domains: Vec::new(),
        }
    }
}

impl Config {
    /// The scope that the spellings of `auth.public` describe; no text at all is no scope at all.
    pub fn public_scope<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Scope, PublicError> {
        texts.into_iter().map(anonymous::prefix).collect::<Result<_, _>>().map(Scope::new)
    }

    /// Whether anybody at all could get in.
    pub fn admits_anyone(&self) -> bool {
        self.public.is_anything() || self.has_keys() || self.api.is_some() || self.url.is_some()
    }

    /// Whether tokens can be checked here.
    pub fn has_keys(&self) -> bool {
        self.key.is_some() || self.key_dir.is_some() || !self.paths.is_empty()
    }
}

impl Public {
    /// Whether anybody may do anything.
    pub fn is_anything(&self) -> bool {
        let names = [&self.both, &self.publish, &self.subscribe];
        self.api.is_some() || names.iter().any(|scope| !scope.is_empty())
    }

    /// Names that anybody may publish, and names that anybody may watch.
    pub fn scopes(&self) -> (Scope, Scope) {
        (self.both.union(&self.publish), self.both.union(&self.subscribe))
    }
}
