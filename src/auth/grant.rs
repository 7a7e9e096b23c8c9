//! What a peer brings, and what it gets for it.

use std::time::SystemTime;

use crate::types::{Path, Scope};

/// What a peer brought to prove who it is.
#[derive(Clone, Default)]
pub struct Credentials {
    /// From `?jwt=`, `Authorization: Bearer` or SETUP.
    pub token: Option<Token>,
}

impl Credentials {
    /// The token of `jwt=` in a query, else of an `Authorization: Bearer` header. An empty one counts as none.
    pub fn new(query: &str, bearer: Option<&str>) -> Self {
        let in_query = query.split('&').find_map(|item| item.strip_prefix("jwt=")).and_then(Token::new);
        Self { token: in_query.or_else(|| bearer.and_then(Token::new)) }
    }
}

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
    /// Who it is, for logs and metrics; nothing secret.
    pub label: String,
}

/// Why somebody was turned away. The text is for people and carries nothing the peer sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing at or below the path is public, and there was no token.
    #[error("this path is not public, and no token was given")]
    NotPublic,
    /// There was a token, but this node has no key to check it with.
    #[error("a token was given, but this relay has no key to check it")]
    NoKey,
}

impl Refusal {
    /// The same for machines: metric label, log field, close reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotPublic => "auth/not-public",
            Self::NoKey => "auth/no-key",
        }
    }
}
