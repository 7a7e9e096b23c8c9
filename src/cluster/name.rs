//! What a node is called: the place it is reached at, spelled one way.

use std::fmt;

use crate::{
    transport::{Target, target::TargetError},
    types::Path,
};

/// A node's place in its one spelling, by which nodes are told apart and ordered. Holds nothing secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// The name of whoever is at a place.
    pub(super) fn of(target: &Target) -> Self {
        Self(target.place().into())
    }

    /// The name of a host or a URL.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Target::parse(text).map(|target| Self::of(&target))
    }

    /// As shown to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a node says it is, out of the path of its announcement: paths know no double slash.
pub(super) fn announced(path: &Path) -> String {
    match path.as_str().split_once('/') {
        Some((scheme, rest)) if scheme.ends_with(':') => format!("{scheme}//{rest}"),
        _ => path.to_string(),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_has_one_name() {
        let name = |text: &str| Name::parse(text).unwrap();
        for spelling in ["https://a.example/", "https://A.example:443", "a.example", "https://a.example/?jwt=x&cost=3"]
        {
            assert_eq!(name(spelling).as_str(), "https://a.example/", "{spelling}");
        }
        assert_eq!(name("localhost:4443").as_str(), "https://localhost:4443/");
        assert!(name("a:1") < name("b:1"));
    }

    #[test]
    fn a_url_survives_as_a_path() {
        let path = Path::parse(".internal/origins/https://eu.example.com:4443/").unwrap();
        let suffix = path.strip_prefix(&Path::parse(".internal/origins").unwrap()).unwrap();
        assert_eq!(announced(&suffix), "https://eu.example.com:4443");
        assert_eq!(announced(&Path::parse("fra1.example.com:4443").unwrap()), "fra1.example.com:4443");
    }
}
