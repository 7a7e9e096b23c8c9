//! Names of broadcasts: segments joined by `/`, canonical from construction.

use std::{fmt, sync::Arc};

/// A canonical path: no leading, trailing or doubled slash; may be empty. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Arc<str>);

/// Why a text is not a [`Path`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// More than [`Path::MAX_SEGMENTS`] segments.
    #[error("path has more than {} segments", Path::MAX_SEGMENTS)]
    TooDeep,
    /// More than [`Path::MAX_BYTES`] bytes, or a segment of more than [`Path::MAX_SEGMENT_BYTES`].
    #[error("path is longer than {} bytes or has a segment longer than {}", Path::MAX_BYTES, Path::MAX_SEGMENT_BYTES)]
    TooLong,
}

impl Path {
    /// moq-lite peers refuse deeper paths.
    pub const MAX_SEGMENTS: usize = 32;
    /// Longer than any real name; keeps a stranger's names small.
    pub const MAX_BYTES: usize = 1024;
    /// The same for one segment.
    pub const MAX_SEGMENT_BYTES: usize = 255;

    /// The empty path.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Normalises `text`: splits on `/` and drops empty parts. No percent-decoding, no `..`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut canonical = String::with_capacity(text.len().min(Self::MAX_BYTES));
        for (i, segment) in text.split('/').filter(|s| !s.is_empty()).enumerate() {
            if i == Self::MAX_SEGMENTS {
                return Err(PathError::TooDeep);
            }
            let separator = usize::from(i > 0);
            if segment.len() > Self::MAX_SEGMENT_BYTES || canonical.len() + separator + segment.len() > Self::MAX_BYTES
            {
                return Err(PathError::TooLong);
            }
            if i > 0 {
                canonical.push('/');
            }
            canonical.push_str(segment);
        }
        Ok(Self(canonical.into()))
    }

    /// This path followed by `suffix`.
    pub fn join(&self, suffix: &Self) -> Result<Self, PathError> {
        match (self.is_empty(), suffix.is_empty()) {
            (_, true) => Ok(self.clone()),
            (true, _) => Ok(suffix.clone()),
            _ => Self::parse(&format!("{self}/{suffix}")),
        }
    }

    /// What follows `prefix`, or `None` when this path is not at or below it.
    pub fn strip_prefix(&self, prefix: &Self) -> Option<Self> {
        if prefix.is_empty() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(&*prefix.0)? {
            "" => Some(Self::root()),
            rest => Some(Self(rest.strip_prefix('/')?.into())),
        }
    }

    /// Whether this path is `prefix` or lies below it, on a segment boundary.
    pub fn has_prefix(&self, prefix: &Self) -> bool {
        prefix.is_empty()
            || self.0.strip_prefix(&*prefix.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Everything but the last segment, and the last segment.
    pub fn split_last(&self) -> Option<(Self, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, last)) => Some((Self(parent.into()), last)),
            None if self.is_empty() => None,
            None => Some((Self::root(), &self.0)),
        }
    }

    /// The first `count` segments, or `None` when there are fewer.
    pub fn first_segments(&self, count: u64) -> Option<Self> {
        let count = usize::try_from(count).ok()?;
        let mut ends =
            self.0.match_indices('/').map(|(slash, _)| slash).chain([self.0.len()]).filter(|_| !self.is_empty());
        match count.checked_sub(1) {
            None => Some(Self::root()),
            Some(last) => ends.nth(last).map(|end| Self(self.0[..end].into())),
        }
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|s| !s.is_empty())
    }

    /// Whether a segment starts with a dot: such names are left out of listings.
    pub fn is_hidden(&self) -> bool {
        self.segments().any(|s| s.starts_with('.'))
    }

    /// Whether a segment is `*` or `**`, which newer peers read as a pattern.
    pub fn is_pattern(&self) -> bool {
        self.segments().any(|s| s == "*" || s == "**")
    }

    /// Whether this is the empty path.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn slashes_vanish() {
        assert_eq!(path("/a//b/c/").as_str(), "a/b/c");
        assert_eq!(path("///"), Path::root());
        assert_eq!(path("a/../b").as_str(), "a/../b");
    }

    #[test]
    fn prefixes_end_on_segments() {
        assert_eq!(path("foo/bar").strip_prefix(&path("foo")), Some(path("bar")));
        assert_eq!(path("foo").strip_prefix(&path("foo")), Some(Path::root()));
        assert_eq!(path("foobar").strip_prefix(&path("foo")), None);
        assert!(path("foo/bar").has_prefix(&path("foo/")) && !path("foobar").has_prefix(&path("foo")));
        assert!(path("foo").has_prefix(&Path::root()));
    }

    #[test]
    fn limits() {
        assert!(Path::parse(&"a/".repeat(32)).is_ok());
        assert_eq!(Path::parse(&"a/".repeat(33)), Err(PathError::TooDeep));
        assert_eq!(Path::parse(&"a".repeat(256)), Err(PathError::TooLong));
        assert_eq!(path(&"a/".repeat(20)).join(&path(&"b/".repeat(20))), Err(PathError::TooDeep));
    }

    #[test]
    fn first_segments_are_counted() {
        assert_eq!(path("a/b/c").first_segments(0), Some(Path::root()));
        assert_eq!(path("a/b/c").first_segments(2), Some(path("a/b")));
        assert_eq!(path("a/b/c").first_segments(3), Some(path("a/b/c")));
        assert_eq!(path("a/b/c").first_segments(4), None);
        assert_eq!(Path::root().first_segments(1), None);
    }

    #[test]
    fn last_segment_is_split_off() {
        assert_eq!(path("a/b/c").split_last(), Some((path("a/b"), "c")));
        assert_eq!(path("a").split_last(), Some((Path::root(), "a")));
        assert_eq!(Path::root().split_last(), None);
    }
}
