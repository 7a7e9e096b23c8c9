//! Sessions without a token: the public prefixes and their spellings.

use super::grant::{Grant, Reason, Refusal};
use crate::types::{Path, PathError, Scope};

/// Why a text is not a public prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PublicError {
    /// Not a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A wildcard anywhere but at the end.
    #[error("the only wildcard understood is ** at the end, as in \"anon/**\"")]
    Pattern,
}

/// One prefix in any spelling: `anon`, `/anon/`, `anon/**`; `""` and `**` are everything.
pub(super) fn prefix(text: &str) -> Result<Path, PublicError> {
    let path = Path::parse(text)?;
    let path = match path.split_last() {
        Some((parent, "**")) => parent,
        _ => path,
    };
    if path.is_pattern() { Err(PublicError::Pattern) } else { Ok(path) }
}

/// What is public at or below `path`.
pub(super) fn authorize((publish, subscribe): &(Scope, Scope), path: &Path) -> Result<Grant, Refusal> {
    let below = |scope: &Scope| Scope::new(scope.intersect(path));
    let (publish, subscribe) = (below(publish), below(subscribe));
    if publish.is_empty() && subscribe.is_empty() {
        return Err(Refusal::new(Reason::NotPublic));
    }
    Ok(Grant::new(path.clone(), publish, subscribe, "anonymous"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_prefix() {
        for (text, expected) in [
            ("anon", "anon"),
            ("/anon/", "anon"),
            ("anon/**", "anon"),
            ("a/b/**", "a/b"),
            ("", ""),
            ("/", ""),
            ("**", ""),
        ] {
            assert_eq!(prefix(text).unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn other_wildcards_are_not_names() {
        for text in ["*", "anon/*", "**/anon", "a/*/b", "anon/*/**"] {
            assert_eq!(prefix(text), Err(PublicError::Pattern), "{text}");
        }
        assert_eq!(prefix(&"a/".repeat(33)), Err(PublicError::Path(PathError::TooDeep)));
    }
}
