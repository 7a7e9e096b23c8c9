//! What the lock file holds: no version that an advisory is about, nothing that was ruled out, nothing from elsewhere.

use std::fs;

use toml::{Table, Value};

/// The lowest version of a crate without a known hole that matters here, and the newest of the advisories behind it.
const MINIMUM: [(&str, &str, &str); 11] = [
    ("bytes", "1.11.1", "RUSTSEC-2026-0007"),
    ("h2", "0.4.16", "RUSTSEC-2026-0258"),
    ("jsonwebtoken", "10.3.0", "CVE-2026-25537"),
    ("lru", "0.18.2", "RUSTSEC-2026-0253"),
    ("quinn-proto", "0.11.19", "RUSTSEC-2026-0523"),
    ("rustls", "0.23.46", "RUSTSEC-2026-0285"),
    ("rustls-webpki", "0.103.13", "RUSTSEC-2026-0104"),
    ("time", "0.3.47", "RUSTSEC-2026-0009"),
    ("tracing-subscriber", "0.3.20", "RUSTSEC-2025-0055"),
    ("tungstenite", "0.20.1", "RUSTSEC-2023-0065"),
    ("web-transport-proto", "0.6.3", "its own changelog: unbounded header fields"),
];

/// What must not be there, and why.
const NEVER: [(&str, &str); 2] = [
    ("rsa", "RUSTSEC-2023-0071: leaks keys by timing, not mended; aws-lc-rs does RSA too"),
    ("rustls-pemfile", "archived by its maintainers in favour of rustls-pki-types"),
];

struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn locked() -> Vec<Package> {
    let lock: Table = fs::read_to_string("Cargo.lock").unwrap().parse().unwrap();
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let packages = lock["package"].as_array().unwrap().iter();
    let read = |package: &Value| Package {
        name: text(package, "name").unwrap(),
        version: text(package, "version").unwrap(),
        source: text(package, "source"),
    };
    packages.map(read).collect()
}

/// Major, minor and patch. A pre-release counts as the release before which it came.
fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap();
    let numbers: Vec<_> = release.split('.').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().expect("three numbers")
}

#[test]
fn no_version_with_a_known_hole_is_locked() {
    let packages = locked();
    assert!(packages.iter().any(|package| package.name == "quinn-proto"), "this reads the relay's lock file");
    for (name, minimum, reason) in MINIMUM {
        for package in packages.iter().filter(|package| package.name == name) {
            let version = &package.version;
            assert!(numbers(version) >= numbers(minimum), "{name} {version} is older than {minimum}: {reason}");
        }
    }
}

#[test]
fn nothing_that_was_ruled_out_is_locked() {
    let packages = locked();
    for (name, reason) in NEVER {
        assert!(packages.iter().all(|package| package.name != name), "{name}: {reason}");
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for Package { name, source, .. } in locked() {
        match source.as_deref() {
            None => assert_eq!(name, "moq-relay", "a path outside of this crate"),
            Some(source) => assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name}"),
        }
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(numbers("0.11.19") > numbers("0.11.9") && numbers("1.2.1+spec-1.1.0") == numbers("1.2.1-rc.1"));
}
