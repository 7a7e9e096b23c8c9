//! Rights that were taken back: names of keys and tokens, from a file that may change at any time.

use std::{collections::HashSet, path::Path, sync::Arc};

use tracing::warn;

use super::grant::Revocable;
use crate::files::{Missing, Unavailable, Watched};

/// A line of the file is the name of a key (`kid NAME`), of a token (`jti NAME`), or of either; `#` begins a comment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct List {
    keys: HashSet<String>,
    tokens: HashSet<String>,
}

/// The list as the file has it.
#[derive(Debug)]
pub(super) struct Deny(Arc<Watched<List>>);

impl Deny {
    /// Reads the file. Blocks.
    pub(super) fn open(path: &Path) -> Result<Self, Unavailable> {
        Watched::open(path, |text| Ok(List::parse(text)), Missing::Keep).map(|file| Self(Arc::new(file)))
    }

    /// What it says at this moment.
    pub(super) async fn look(&self) -> Option<Arc<List>> {
        self.0.look().await.ok()
    }

    /// What it says now. Whoever cannot be looked up counts as denied.
    pub(super) async fn list(&self) -> Option<Arc<List>> {
        self.0.get().await.ok()
    }
}

impl List {
    fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            match words[..] {
                [] => {}
                ["kid", name] => drop(list.keys.insert(name.to_owned())),
                ["jti", name] => drop(list.tokens.insert(name.to_owned())),
                [name] => {
                    list.keys.insert(name.to_owned());
                    list.tokens.insert(name.to_owned());
                }
                _ => warn!(line, "a line of auth.deny is not understood: expected kid NAME, jti NAME or NAME"),
            }
        }
        list
    }

    /// Whether these rights are on it.
    pub(super) fn has(&self, names: &Revocable) -> bool {
        names.keys.iter().any(|key| self.keys.contains(key))
            || names.token.as_ref().is_some_and(|token| self.tokens.contains(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_keys_and_tokens() {
        let list = List::parse("# who left\nkid k1\njti t1 # on Monday\n\n  both\nuser#1\nthree words here\n");
        let has = |key: &str, token: &str| {
            let name = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            list.has(&Revocable { keys: name(key).into_iter().collect(), token: name(token) })
        };
        assert!(
            has("k1", "") && has("", "t1") && has("both", "") && has("", "both") && has("x", "t1") && has("", "user#1")
        );
        assert!(!has("t1", "k1") && !has("", "") && !has("x", "y") && !has("who", "Monday") && !has("user", "three"));
    }
}
