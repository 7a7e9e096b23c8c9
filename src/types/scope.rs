//! The part of the name space somebody may use: everything at or below some paths.

use super::Path;

/// Absolute prefixes, in order, none below another. A grant's two halves are scopes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Scope {
    prefixes: Vec<Path>,
}

impl Scope {
    /// Everything at or below any of these prefixes.
    pub fn new(mut prefixes: Vec<Path>) -> Self {
        // A path sorts after all of its ancestors, so whoever could cover it is already kept.
        prefixes.sort();
        let mut kept = Vec::<Path>::with_capacity(prefixes.len());
        for prefix in prefixes {
            if !kept.iter().any(|wider| prefix.has_prefix(wider)) {
                kept.push(prefix);
            }
        }
        Self { prefixes: kept }
    }

    /// Every name there is.
    pub fn everything() -> Self {
        Self { prefixes: vec![Path::root()] }
    }

    /// No name at all.
    pub const fn none() -> Self {
        Self { prefixes: Vec::new() }
    }

    /// What either allows.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.prefixes.iter().chain(&other.prefixes).cloned().collect())
    }

    /// Whether `path` is at or below a prefix.
    pub fn allows(&self, path: &Path) -> bool {
        self.prefixes.iter().any(|prefix| path.has_prefix(prefix))
    }

    /// What of this scope lies at or below `path`: `path` itself when all of it does.
    pub fn intersect(&self, path: &Path) -> Vec<Path> {
        if self.allows(path) {
            return vec![path.clone()];
        }
        self.prefixes.iter().filter(|prefix| prefix.has_prefix(path)).cloned().collect()
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The prefixes, in order.
    pub fn prefixes(&self) -> &[Path] {
        &self.prefixes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn scope(prefixes: &[&str]) -> Scope {
        Scope::new(prefixes.iter().map(|text| path(text)).collect())
    }

    #[test]
    fn covered_prefixes_vanish() {
        assert_eq!(scope(&["a/b", "a", "a-b", "a", "c/d"]), scope(&["a", "a-b", "c/d"]));
        assert_eq!(scope(&["a", ""]), Scope::everything());
        assert_eq!(scope(&[]), Scope::none());
    }

    #[test]
    fn allows_on_segment_boundaries() {
        let anon = scope(&["anon"]);
        assert!(anon.allows(&path("anon")) && anon.allows(&path("anon/x")));
        assert!(!anon.allows(&path("anonymous")) && !anon.allows(&Path::root()));
        assert!(Scope::everything().allows(&Path::root()));
        assert!(Scope::none().is_empty() && !Scope::none().allows(&Path::root()));
    }

    #[test]
    fn intersection_narrows_from_either_side() {
        let rooms = scope(&["room/a", "room/b", "lobby"]);
        assert_eq!(rooms.intersect(&path("room")), [path("room/a"), path("room/b")]);
        assert_eq!(rooms.intersect(&path("room/a/camera")), [path("room/a/camera")]);
        assert_eq!(rooms.intersect(&path("room/a")), [path("room/a")]);
        assert_eq!(rooms.intersect(&path("roo")), []);
        assert_eq!(Scope::everything().intersect(&Path::root()), [Path::root()]);
    }

    fn any_path() -> impl Strategy<Value = Path> {
        prop::collection::vec("[ab-]{1,2}", 0..4).prop_map(|segments| path(&segments.join("/")))
    }

    proptest! {
        #[test]
        fn dropping_covered_prefixes_changes_nothing(prefixes in prop::collection::vec(any_path(), 0..6), asked in any_path()) {
            let naive = prefixes.iter().any(|prefix| asked.has_prefix(prefix));
            let scope = Scope::new(prefixes);
            prop_assert_eq!(scope.allows(&asked), naive);
            for (i, a) in scope.prefixes().iter().enumerate() {
                prop_assert!(scope.prefixes().iter().enumerate().all(|(j, b)| i == j || !a.has_prefix(b)));
            }
        }

        #[test]
        fn intersection_is_what_both_allow(prefixes in prop::collection::vec(any_path(), 0..6), below in any_path(), asked in any_path()) {
            let scope = Scope::new(prefixes);
            let both = scope.allows(&asked) && asked.has_prefix(&below);
            prop_assert_eq!(Scope::new(scope.intersect(&below)).allows(&asked), both);
        }
    }
}
