//! Paths and the scopes made of them.

use moq_relay::types::{Path, Scope};

use crate::memory::bounded;

/// Texts, one after the other, between line ends.
pub fn body(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parse = |text: &str| bounded(text.as_bytes(), || Path::parse(text)).ok();
    let paths: Vec<_> = text.split('\n').take(8).filter_map(parse).collect();
    for path in &paths {
        alone(path);
        for other in &paths {
            together(path, other);
        }
    }
    let scope = Scope::new(paths.clone());
    for path in &paths {
        assert!(scope.allows(path));
        assert_eq!(scope.intersect(path), std::slice::from_ref(path));
        assert!(scope.prefixes().iter().filter(|prefix| path.has_prefix(prefix)).count() == 1);
    }
}

fn alone(path: &Path) {
    assert_eq!(Path::parse(path.as_str()).as_ref(), Ok(path), "canonical");
    assert!(path.as_str().len() <= Path::MAX_BYTES);
    let segments: Vec<_> = path.segments().collect();
    assert!(segments.len() <= Path::MAX_SEGMENTS);
    assert!(segments.iter().all(|segment| !segment.is_empty() && segment.len() <= Path::MAX_SEGMENT_BYTES));
    assert_eq!(segments.join("/"), path.as_str());
    assert_eq!(path.is_empty(), segments.is_empty());
    for count in 0..segments.len() + 2 {
        let first = path.first_segments(count as u64);
        assert_eq!(first.is_some(), count <= segments.len());
        assert!(first.is_none_or(|first| path.has_prefix(&first) && first.segments().count() == count));
    }
    match path.split_last() {
        Some((parent, last)) => {
            assert_eq!(segments.last(), Some(&last));
            assert_eq!(Path::parse(last).and_then(|last| parent.join(&last)).as_ref(), Ok(path));
        }
        None => assert!(path.is_empty()),
    }
    let _ = (path.is_hidden(), path.is_pattern(), format!("{path} {path:?}"));
}

fn together(path: &Path, other: &Path) {
    let rest = path.strip_prefix(other);
    assert_eq!(rest.is_some(), path.has_prefix(other));
    assert!(rest.is_none_or(|rest| other.join(&rest).as_ref() == Ok(path)));
    if let Ok(both) = path.join(other) {
        assert_eq!(both.strip_prefix(path).as_ref(), Some(other));
        assert_eq!(both.segments().count(), path.segments().count() + other.segments().count());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let long = format!("{}/{}", "a".repeat(255), "b".repeat(255));
    let deep = "x/".repeat(32);
    let texts = ["", "room/a\nroom\nroomy\n/room//b/", ".hidden/x\nx/.y", "a/*/b\n**\n..", "ü/日本\nü", &long, &deep];
    texts.into_iter().map(Into::into).collect()
}
