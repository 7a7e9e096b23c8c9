//! What somebody may do, or why nothing.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::types::{Certificate, Path, Scope};

/// A secret. It has neither `Debug` nor `Display`, so that it cannot end up in a log or an error by accident.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// A token of this text; an empty one, as clients without a token like to send, is none.
    pub fn new(text: impl Into<Box<str>>) -> Option<Self> {
        Some(Self(text.into())).filter(|token| !token.0.is_empty())
    }

    /// The text, for whoever checks it. Not for printing.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

/// What one session or request may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The path asked for: the session's names are relative to it.
    pub root: Path,
    /// Absolute names it may publish.
    pub publish: Scope,
    /// Absolute names it may see and watch.
    pub subscribe: Scope,
    /// When the session must end.
    pub expires: Option<SystemTime>,
    /// Whether the peer is a node of our cluster.
    pub cluster: bool,
    /// What an operator can take these rights back by.
    pub revocable: Revocable,
    /// Whether whoever granted this wants to be asked again.
    pub recheck: Option<Recheck>,
    /// Whether whoever granted this wants to hear of the end.
    pub farewell: bool,
    /// Who it is, for logs and metrics; nothing secret.
    pub label: String,
}

/// How rights are confirmed while a session lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recheck {
    /// After how long to ask.
    pub every: Duration,
    /// How much longer the last answer counts when nobody answers.
    pub patience: Duration,
}

impl Grant {
    /// These names, for as long as the session lasts.
    pub fn new(root: Path, publish: Scope, subscribe: Scope, label: impl Into<String>) -> Self {
        Self {
            root,
            publish,
            subscribe,
            expires: None,
            cluster: false,
            revocable: Revocable::default(),
            recheck: None,
            farewell: false,
            label: label.into(),
        }
    }

    /// Everything at or below a path, and the rights of a node, for the holder of a certificate.
    pub fn of_certificate(root: Path, certificate: &Certificate) -> Self {
        let all = Scope::new(vec![root.clone()]);
        let label = format!("certificate {:?}", certificate.name);
        Self { expires: Some(certificate.expires), cluster: true, ..Self::new(root, all.clone(), all, label) }
    }

    /// The same at another path of as many segments.
    pub(super) fn moved(self, to: &str) -> Result<Self, Refusal> {
        let wrong = |story: &str| Refusal::new(Reason::RootMismatch).because(format!("alias {to:?}: {story}"));
        let root = Path::parse(to).map_err(|error| wrong(&error.to_string()))?;
        if root.segments().count() != self.root.segments().count() {
            return Err(wrong("it has another number of segments"));
        }
        let moved = |scope: &Scope| {
            let paths = scope.prefixes().iter().map(|path| root.join(&path.strip_prefix(&self.root)?).ok());
            paths.collect::<Option<Vec<_>>>().map(Scope::new)
        };
        match (moved(&self.publish), moved(&self.subscribe)) {
            (Some(publish), Some(subscribe)) => Ok(Self { publish, subscribe, root, ..self }),
            _ => Err(wrong("it is too long")),
        }
    }

    /// Whether somebody with `other` may do all that somebody with this may.
    pub fn is_within(&self, other: &Self) -> bool {
        let within = |ours: &Scope, theirs: &Scope| ours.prefixes().iter().all(|prefix| theirs.allows(prefix));
        self.root == other.root
            && self.cluster <= other.cluster
            && within(&self.publish, &other.publish)
            && within(&self.subscribe, &other.subscribe)
    }
}

/// The names under which rights can be revoked; those that are missing cannot be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Revocable {
    /// The key of the token (`kid`), as the token and the key itself call it.
    pub keys: Vec<String>,
    /// The token (`jti`).
    pub token: Option<String>,
}

/// Why somebody was turned away: the reason for the peer, the whole story for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the peer is told. Carries nothing that it sent.
    pub reason: Reason,
    story: Option<String>,
}

impl Refusal {
    /// For this reason, with nothing to add.
    pub const fn new(reason: Reason) -> Self {
        Self { reason, story: None }
    }

    /// Adds what only the operator learns. No token and no key is ever part of it.
    pub fn because(mut self, story: impl Into<String>) -> Self {
        self.story = Some(story.into());
        self
    }

    /// What only the operator learns.
    pub fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }
}

/// For the peer: the reason's name and a sentence.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.reason)
    }
}

/// What can be wrong with what somebody brought.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Reason {
    /// Nothing at or below the path is public, and there was no token.
    #[error("this path is not public, and no token was given")]
    NotPublic,
    /// There was a token, but this node has no key to check it with.
    #[error("a token was given, but this relay has no key to check it")]
    NoKey,
    /// Longer than any token has to be.
    #[error("the token is too long")]
    TooLong,
    /// Not a JWT, or a claim is not what it must be.
    #[error("the token is not a valid JWT")]
    Malformed,
    /// An algorithm that is not the key's, such as `none`.
    #[error("the token is signed with an algorithm that its key is not for")]
    Algorithm,
    /// No key of the name that it gives.
    #[error("the token names a key that this relay does not know")]
    UnknownKey,
    /// Not signed by the key.
    #[error("the signature of the token is wrong")]
    Signature,
    /// `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `aud` is somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// The claims that grant something are missing.
    #[error("the token grants nothing: it needs put or get, or pub or sub beside a root")]
    NoGrant,
    /// More than its key may sign.
    #[error("the token grants more than its key may")]
    Scope,
    /// The path and the root of the token have nothing to do with each other.
    #[error("the token is for another path")]
    RootMismatch,
    /// The path and the grants have nothing to do with each other.
    #[error("nothing that was granted lies on this path")]
    NotAllowed,
    /// On the list of those whose rights were taken back.
    #[error("the token or its key was revoked")]
    Revoked,
    /// It wants to be a node of the cluster, or one of this name, and has not the right.
    #[error("only a node of the cluster may register: with the claim cluster, or under the name of its certificate")]
    NotANode,
    /// The keys could not be had.
    #[error("the key of the token cannot be had at the moment")]
    KeysUnavailable,
    /// The auth service said no.
    #[error("the auth service refused")]
    Service,
    /// The auth service gave no usable answer.
    #[error("the auth service cannot be asked at the moment")]
    ServiceUnavailable,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::NotPublic,
        Self::NoKey,
        Self::TooLong,
        Self::Malformed,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Expired,
        Self::NotYetValid,
        Self::Audience,
        Self::NoGrant,
        Self::Scope,
        Self::RootMismatch,
        Self::NotAllowed,
        Self::Revoked,
        Self::NotANode,
        Self::KeysUnavailable,
        Self::Service,
        Self::ServiceUnavailable,
    ];

    /// The same for machines: metric label, log field, the start of a close reason.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotPublic => "auth/not-public",
            Self::NoKey => "auth/no-key",
            Self::TooLong => "auth/too-long",
            Self::Malformed => "auth/malformed",
            Self::Algorithm => "auth/algorithm",
            Self::UnknownKey => "auth/unknown-key",
            Self::Signature => "auth/signature",
            Self::Expired => "auth/expired",
            Self::NotYetValid => "auth/not-yet-valid",
            Self::Audience => "auth/audience",
            Self::NoGrant => "auth/no-grant",
            Self::Scope => "auth/scope",
            Self::RootMismatch => "auth/root-mismatch",
            Self::NotAllowed => "auth/not-allowed",
            Self::Revoked => "auth/revoked",
            Self::NotANode => "auth/not-a-node",
            Self::KeysUnavailable => "auth/keys-unavailable",
            Self::Service => "auth/service",
            Self::ServiceUnavailable => "auth/service-unavailable",
        }
    }

    /// Whether a service that knows more may still grant something.
    pub(super) const fn is_for_others(self) -> bool {
        matches!(
            self,
            Self::NotPublic | Self::NoKey | Self::UnknownKey | Self::Signature | Self::Algorithm | Self::Malformed
        )
    }

    /// Whether the same request may succeed a little later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::ServiceUnavailable)
    }
}
