//! The keys that tokens may be signed with: one, several, or one per name.

mod directory;
mod remote;
mod set;

use std::{path::PathBuf, sync::Arc, time::Duration};

use self::{
    directory::{Directory, Names},
    remote::RemoteSet,
    set::Set,
};
use super::{
    grant::{Reason, Refusal},
    verifier::Verifier,
};
use crate::{
    files::{Missing, Watched},
    http::Client,
};

/// Where keys are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A file, or a folder of files.
    File(PathBuf),
    /// Somewhere that is asked by HTTP.
    Url(String),
}

impl Source {
    /// A URL when it has the scheme of one.
    pub fn parse(text: &str) -> Self {
        let is_url = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        if is_url { Self::Url(text.to_owned()) } else { Self::File(text.into()) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Finds the key of a token.
#[derive(Debug)]
pub(super) enum Keys {
    /// A file with a key or several.
    File(Arc<Watched<Set>>),
    /// A JWK Set somewhere else.
    Remote(Arc<RemoteSet>),
    /// `{kid}.jwk` in a folder or below a URL.
    Directory(Directory),
}

impl Keys {
    /// A key, or a set of keys. Blocks on files.
    pub(super) fn open(source: &Source, refresh: Duration, client: &Client) -> Result<Self, String> {
        Ok(match source {
            Source::File(path) => Self::File(Arc::new(
                Watched::open(path, Set::parse, Missing::Keep).map_err(|unavailable| unavailable.reason)?,
            )),
            Source::Url(url) => Self::Remote(RemoteSet::new(url.clone(), refresh, client.clone())),
        })
    }

    /// A key per name.
    pub(super) fn directory(source: &Source, client: &Client) -> Self {
        Self::Directory(match source {
            Source::File(path) => Directory::Folder(Names::new(path.clone())),
            Source::Url(url) => Directory::Url(directory::Remote::new(url.clone(), client.clone())),
        })
    }

    /// The keys that may have signed a token which names `kid`; at least one.
    pub(super) async fn find(&self, kid: Option<&str>) -> Result<Vec<Arc<Verifier>>, Refusal> {
        match self {
            Self::File(file) => file.get().await.map_err(|error| unavailable(error.to_string()))?.find(kid),
            Self::Remote(remote) => Box::pin(remote.find(kid)).await,
            Self::Directory(directory) => {
                let kid = kid.ok_or_else(|| unknown("it names no key"))?;
                if !is_name(kid) {
                    return Err(unknown(format!("{kid:?} is no name of a key file")));
                }
                Ok(vec![Box::pin(directory.find(kid)).await?])
            }
        }
    }

    /// Whether what it finds has the name that was asked for, so that no other key can be meant.
    pub(super) const fn is_by_name(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// Keeps what was fetched young, until dropped.
    pub(super) async fn maintain(&self) {
        if let Self::Remote(remote) = self {
            remote.maintain().await;
        }
    }
}

/// Whether a key of this name can be a file: nothing that means something in a path or URL.
pub fn is_name(kid: &str) -> bool {
    /// More than any tool makes up; keeps a stranger's names small.
    const MAX_BYTES: usize = 128;

    let fits = (1..=MAX_BYTES).contains(&kid.len());
    fits && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn unknown(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::UnknownKey).because(story)
}

fn unavailable(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::KeysUnavailable).because(story)
}
