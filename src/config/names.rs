//! Finding a setting by any of its names, and the nearest one to a name nobody knows.

use super::{
    key::{Doors, Key},
    table,
};

/// The setting that a path in a file means, under its own name or an older one.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let named = |key: &&Key| key.name == path || key.aliases.contains(&path);
    table::keys().filter(|key| key.doors != Doors::Flag).find(named)
}

/// Whether settings lie below `path`.
pub(super) fn is_table(path: &str) -> bool {
    spellings().any(|(spelling, _)| spelling.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The canonical name, of a setting or a table, that somebody who wrote `path` most likely meant.
pub(super) fn closest(path: &str) -> Option<&'static str> {
    let tables = table::keys().filter(|key| key.is_current()).flat_map(|key| parents(key.name));
    let tables = tables.map(|table| (table, table));
    spellings()
        .filter(|(_, key)| key.is_current())
        .map(|(spelling, key)| (spelling, key.name))
        .chain(tables)
        .filter_map(|(spelling, name)| Some((similarity(path, spelling)?, name)))
        // The first of equals wins, so that canonical names go before aliases of another key.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, name)| name)
}

/// How alike two paths are. The last segment decides, the table it stands in only between equals: a right name in the
/// wrong table is found too.
fn similarity(written: &str, known: &str) -> Option<f64> {
    /// Below this, a suggestion is a riddle.
    const SIMILAR: f64 = 0.6;

    let ((table, name), (known_table, known_name)) = (split(written), split(known));
    let names = strsim::normalized_damerau_levenshtein(name, known_name);
    let tables = strsim::normalized_damerau_levenshtein(table, known_table);
    (names >= SIMILAR).then_some(names + tables)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// Every path a file may use, canonical ones first.
fn spellings() -> impl Iterator<Item = (&'static str, &'static Key)> {
    let names = table::keys().map(|key| (key.name, key));
    names.chain(table::keys().flat_map(|key| key.aliases.iter().map(move |alias| (*alias, key))))
}

/// The tables a path lies in, outermost first.
fn parents(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.match_indices('.').map(move |(dot, _)| &path[..dot])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_means_two_things() {
        let mut paths = HashSet::new();
        let mut flags = HashSet::from(["config".to_owned(), "help".to_owned(), "version".to_owned()]);
        let mut variables = HashSet::new();
        for key in table::keys() {
            for path in [key.name].iter().chain(key.aliases) {
                assert!(paths.insert(*path), "{path}");
            }
            for flag in [key.flag()].into_iter().chain(key.old_flags()) {
                assert!(flags.insert(flag.clone()), "--{flag}");
            }
            for variable in [key.variable()].into_iter().chain(key.old_variables()) {
                assert!(variables.insert(variable.clone()), "{variable}");
            }
        }
    }

    #[test]
    fn every_row_is_complete() {
        for key in table::keys().filter(|key| key.is_current()) {
            assert!(!key.help.is_empty() && !key.default.is_empty() && !key.placeholder.is_empty(), "{}", key.name);
        }
    }

    #[test]
    fn old_names_find_the_setting() {
        assert_eq!(find("server.bind").map(|key| key.name), Some("server.listen"));
        assert_eq!(find("listen.tls.cert").map(|key| key.name), Some("server.tls.cert"));
        assert!(find("server").is_none() && is_table("server") && is_table("listen.tls") && !is_table("serv"));
    }

    #[test]
    fn typos_find_the_nearest_name() {
        for (written, meant) in [
            ("servr", Some("server")),
            ("publc", Some("auth.public")),
            ("server.tsl", Some("server.tls")),
            ("server.lisen", Some("server.listen")),
            ("server.bnd", Some("server.listen")),
            ("server.tls.certs", Some("server.tls.cert")),
            ("server.public", Some("auth.public")),
            ("cache.capasity", Some("cache.capacity")),
            ("chache", Some("cache")),
            ("web.http.lisen", Some("web.http.listen")),
            ("colour", None),
            ("server.colour", None),
        ] {
            assert_eq!(closest(written), meant, "{written}");
        }
    }
}
