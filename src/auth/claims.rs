//! What a token says: claims in the spelling of every release, and the rights they stand for.
//!
//! Pure: the time is an argument, and paths are compared as values.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{
    grant::{Grant, Reason, Refusal, Revocable},
    jwk::without_values,
    request::shown,
};
use crate::types::{Path, Scope};

/// How claims are read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Rules {
    /// A `sub` without any of the claims that name a path is a grant too, as in releases up to 0.8.7.
    pub(super) legacy: bool,
    /// Audiences of which a token must name one; with none, `aud` says nothing to us.
    pub(super) audience: Vec<String>,
}

/// What the holder of a token may do, whatever path it asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Grants lie below this path.
    pub root: Path,
    /// Absolute names it may publish.
    pub publish: Scope,
    /// Absolute names it may see and watch.
    pub subscribe: Scope,
    /// Whether it is a node of our cluster.
    pub cluster: bool,
    /// When all of this ends.
    pub expires: Option<SystemTime>,
    /// The name of this token.
    pub id: Option<String>,
    /// Whether the spelling is one that newer releases do not read.
    pub legacy: bool,
}

/// The claims that matter here. A claim of another type than it must have is an error, never a claim that is missing;
/// `null` is none, as releases up to 0.8 wrote into every token what it did not say.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    root: Option<String>,
    /// `root`, in releases up to 0.7.
    path: Option<String>,
    put: Option<Names>,
    get: Option<Names>,
    /// `put` in patterns, in releases from 0.15.
    #[serde(rename = "publish")]
    publish_patterns: Option<Names>,
    /// `get` in patterns.
    #[serde(rename = "subscribe")]
    subscribe_patterns: Option<Names>,
    /// `put`, in releases up to 0.8.7 and in the documentation of later ones.
    #[serde(rename = "pub")]
    publish: Option<Names>,
    /// Published without being announced, in releases up to 0.7.5.
    #[serde(rename = "pub!")]
    force: Option<Names>,
    /// `get`, where it is not the subject of RFC 7519 §4.1.2.
    sub: Option<serde_json::Value>,
    cluster: Option<bool>,
    exp: Option<Date>,
    nbf: Option<Date>,
    iat: Option<Date>,
    aud: Option<Names>,
    jti: Option<String>,
}

/// One text or several.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// Seconds since 1970 (RFC 7519 §2, NumericDate).
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
struct Date(f64);

/// The deepest nesting of a token's JSON. Half: an identity provider's claims may be refused; double: nothing that is
/// used looks like that.
const MAX_DEPTH: usize = 16;
/// The most names in one token. Half: a conference with many rooms needs wider grants; double: twice to compare with
/// for each announcement.
const MAX_NAMES: usize = 64;
/// How far clocks may be apart where that lets somebody in early. Half: sloppy clocks lock people out; double: a token
/// counts that much before its time.
const LEEWAY: Duration = Duration::from_secs(30);

impl Rights {
    /// Reads the payload of a token whose signature is good.
    pub(super) fn read(json: &[u8], rules: &Rules, now: SystemTime) -> Result<Self, Refusal> {
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(malformed("its payload is not a JSON object"));
        }
        if !is_shallow(json, MAX_DEPTH) {
            return Err(malformed("its JSON is nested too deep"));
        }
        let claims: Claims = serde_json::from_slice(json).map_err(|error| malformed(without_values(&error)))?;
        claims.in_time(now)?;
        claims.is_for(&rules.audience)?;
        claims.rights(rules)
    }

    /// The same for a token that was found at the end of this path: its own root comes below it, and becomes the path of
    /// the session.
    pub(super) fn move_below(&mut self, path: &Path) -> Result<Path, Refusal> {
        let below = |own: &Path| path.join(own).map_err(|error| malformed(error.to_string()));
        let scope = |scope: &Scope| scope.prefixes().iter().map(below).collect::<Result<_, _>>().map(Scope::new);
        (self.publish, self.subscribe, self.root) =
            (scope(&self.publish)?, scope(&self.subscribe)?, below(&self.root)?);
        Ok(self.root.clone())
    }

    /// The same without what lies at or below this path.
    pub(super) fn leave_out(&mut self, path: &Path) {
        for scope in [&mut self.publish, &mut self.subscribe] {
            *scope = Scope::new(scope.prefixes().iter().filter(|prefix| !prefix.has_prefix(path)).cloned().collect());
        }
    }

    /// What they grant at `path`, to somebody whose token was signed by a key of these names.
    pub(super) fn grant(self, path: &Path, keys: Vec<String>) -> Result<Grant, Refusal> {
        let (publish, subscribe) = self.below(path)?;
        let label = match (&self.id, keys.first()) {
            (Some(id), _) => format!("token {id:?}"),
            (None, Some(key)) => format!("token of key {key:?}"),
            (None, None) => "token".to_owned(),
        };
        Ok(Grant {
            expires: self.expires,
            cluster: self.cluster,
            revocable: Revocable { keys, token: self.id },
            ..Grant::new(path.clone(), publish, subscribe, label)
        })
    }

    /// What of these rights lies at or below `path`, which somebody has dialed: to publish, to watch.
    ///
    /// The path may be below the root of the token, which narrows the grants, or above it, which leaves them where
    /// they are.
    pub fn below(&self, path: &Path) -> Result<(Scope, Scope), Refusal> {
        if !path.has_prefix(&self.root) && !self.root.has_prefix(path) {
            let story = format!("the token is for {:?}, the path is {:?}", self.root, shown(path));
            return Err(Refusal::new(Reason::RootMismatch).because(story));
        }
        let below = |scope: &Scope| Scope::new(scope.intersect(path));
        let (publish, subscribe) = (below(&self.publish), below(&self.subscribe));
        if publish.is_empty() && subscribe.is_empty() && !self.cluster {
            let story = format!("publish {:?}, subscribe {:?}, path {:?}", self.publish, self.subscribe, shown(path));
            return Err(Refusal::new(Reason::NotAllowed).because(story));
        }
        Ok((publish, subscribe))
    }
}

impl Claims {
    /// `exp` to the second, `nbf` and `iat` with some leeway: clocks differ, and both are there to catch mistakes.
    fn in_time(&self, now: SystemTime) -> Result<(), Refusal> {
        if let Some(exp) = self.exp.map(Date::time).transpose()?.filter(|exp| *exp <= now) {
            return Err(Refusal::new(Reason::Expired).because(format!("it expired {}", ago(now, exp))));
        }
        for (name, date) in [("nbf", self.nbf), ("iat", self.iat)] {
            let later = date.map(Date::time).transpose()?.filter(|date| *date > now + LEEWAY);
            if let Some(date) = later {
                let story = format!("its {name} is in {}", humantime::format_duration(seconds(now, date)));
                return Err(Refusal::new(Reason::NotYetValid).because(story));
            }
        }
        Ok(())
    }

    fn is_for(&self, audience: &[String]) -> Result<(), Refusal> {
        let named = self.aud.as_ref().map_or(&[][..], Names::as_slice);
        if audience.is_empty() || named.iter().any(|name| audience.contains(name)) {
            return Ok(());
        }
        Err(Refusal::new(Reason::Audience).because(format!("it is for {named:?}")))
    }

    fn rights(self, rules: &Rules) -> Result<Rights, Refusal> {
        let root = parse(self.root.as_deref().or(self.path.as_deref()).unwrap_or_default())?;
        let cluster = self.cluster.unwrap_or_default();
        let expires = self.exp.map(Date::time).transpose()?;
        let id = self.jti.clone();
        let Granted { put, get, legacy } = self.granted(rules)?;
        if put.is_empty() && get.is_empty() && !cluster {
            return Err(Refusal::new(Reason::NoGrant));
        }
        if put.len() + get.len() > MAX_NAMES {
            return Err(malformed(format!("it grants more than {MAX_NAMES} names")));
        }
        Ok(Rights { publish: scope(&root, &put)?, subscribe: scope(&root, &get)?, root, cluster, expires, id, legacy })
    }

    /// The names in whichever spelling they are. One spelling at a time: the newest that is there.
    fn granted(self, rules: &Rules) -> Result<Granted, Refusal> {
        let list = |names: Option<Names>| names.map(Names::into_vec).unwrap_or_default();
        if self.put.is_some() || self.get.is_some() {
            return Ok(Granted { put: list(self.put), get: list(self.get), legacy: false });
        }
        if self.publish_patterns.is_some() || self.subscribe_patterns.is_some() {
            let subtrees = |names| list(names).into_iter().map(subtree).collect::<Result<_, _>>();
            let (put, get) = (subtrees(self.publish_patterns)?, subtrees(self.subscribe_patterns)?);
            return Ok(Granted { put, get, legacy: false });
        }
        let names_a_path = self.root.is_some() || self.path.is_some() || self.publish.is_some() || self.force.is_some();
        if !names_a_path && !rules.legacy {
            return Ok(Granted::default());
        }
        let sub = self.sub.map(serde_json::from_value::<Names>).transpose();
        let get = list(sub.map_err(|_| malformed("its sub is neither text nor a list of texts"))?);
        let put = [list(self.publish), list(self.force)].concat();
        let legacy = !put.is_empty() || !get.is_empty();
        Ok(Granted { put, get, legacy })
    }
}

/// What a token grants, relative to its root.
#[derive(Default)]
struct Granted {
    put: Vec<String>,
    get: Vec<String>,
    legacy: bool,
}

/// A pattern that is everything below a name: the only kind understood. Without the wildcard it would be that name
/// alone, which is less than our scopes can say.
pub(super) fn subtree(pattern: String) -> Result<String, Refusal> {
    match pattern.strip_suffix("**") {
        Some(prefix) if prefix.is_empty() || prefix.ends_with('/') => Ok(prefix.to_owned()),
        _ => Err(malformed("the only patterns understood are ** and those that end in /**")),
    }
}

impl Names {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }

    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

impl Date {
    /// Dates before 1970 are 1970, long past either way.
    fn time(self) -> Result<SystemTime, Refusal> {
        let since = Duration::try_from_secs_f64(self.0.max(0.0));
        let time = since.ok().and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        time.ok_or_else(|| malformed("it has a date beyond the end of time"))
    }
}

/// The names below `root`, with the one wildcard that newer releases write at the end of each.
fn scope(root: &Path, names: &[String]) -> Result<Scope, Refusal> {
    let absolute = |name: &String| {
        let name = super::anonymous::prefix(name).map_err(|error| malformed(error.to_string()))?;
        root.join(&name).map_err(|error| malformed(error.to_string()))
    };
    names.iter().map(absolute).collect::<Result<_, _>>().map(Scope::new)
}

fn parse(text: &str) -> Result<Path, Refusal> {
    Path::parse(text).map_err(|error| malformed(error.to_string()))
}

fn malformed(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Malformed).because(story)
}

/// Whether no bracket of some JSON stands inside more than `depth - 1` others.
fn is_shallow(json: &[u8], depth: usize) -> bool {
    let (mut open, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => open += 1,
            b'}' | b']' if !in_text => open = open.saturating_sub(1),
            _ => {}
        }
        if open > depth {
            return false;
        }
    }
    true
}

/// Whole seconds from one time to a later one.
fn seconds(from: SystemTime, to: SystemTime) -> Duration {
    Duration::from_secs(to.duration_since(from).unwrap_or_default().as_secs())
}

fn ago(now: SystemTime, then: SystemTime) -> String {
    match seconds(then, now) {
        Duration::ZERO => "just now".to_owned(),
        past => format!("{} ago", humantime::format_duration(past)),
    }
}

#[cfg(test)]
mod tests;
