use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::auth::{Jwk, Reason};

/// Runs a command line in which `@` is a folder.
fn token(folder: &Path, line: &[&str]) -> Result<String, Error> {
    run(line.iter().map(|arg| arg.replace('@', &folder.display().to_string()).into()))
}

fn ok(folder: &Path, line: &[&str]) -> String {
    token(folder, line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

#[test]
fn every_algorithm_from_key_to_rights() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for algorithm in Jwk::ALGORITHMS {
        assert_eq!(ok(at, &["generate", "--algorithm", algorithm, "--out", "@/key", "--id", "k"]), "");
        let signed = ok(
            at,
            &["sign", "--key", "@/key", "--root", "demo", "--publish", "bbb", "--subscribe", "", "--expires", "1h"],
        );
        fs::write(at.join("token"), signed).unwrap();
        let told = ok(at, &["verify", "--key", "@/key", "--in", "@/token"]);
        assert!(told.contains("root       /demo\npublish    /demo/bbb\nsubscribe  /demo\ncluster    no\n"), "{told}");
    }
}

#[test]
fn the_public_half_verifies_and_does_not_sign() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &["generate", "--algorithm", "ES256", "--out-dir", "@", "--public", "@/public", "--id", "k", "--json"]);
    assert!(fs::read_to_string(at.join("public")).unwrap().starts_with('{'));
    fs::write(at.join("token"), ok(at, &["sign", "--key", "@/k.jwk", "--subscribe", "a"])).unwrap();
    assert!(ok(at, &["verify", "--key", "@/public", "--in", "@/token"]).contains("subscribe  /a"));
    assert!(ok(at, &["verify", "--key-dir", "@", "--in", "@/token"]).contains("subscribe  /a"));
    assert!(matches!(token(at, &["sign", "--key", "@/public", "--subscribe", "a"]), Err(Error::Key(..))));
    let refused = token(at, &["generate", "--out", "@/x", "--public", "@/y"]).unwrap_err();
    assert_eq!((refused.to_string().contains("no public half"), at.join("x").exists()), (true, false));
}

#[test]
fn private_keys_are_for_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("key"), "").unwrap();
    fs::set_permissions(at.join("key"), fs::Permissions::from_mode(0o666)).unwrap();
    ok(at, &["generate", "--algorithm", "EdDSA", "--out", "@/key", "--public-dir", "@", "--id", "half"]);
    let mode = |name: &str| fs::metadata(at.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key"), mode("half.jwk") & 0o600), (0o600, 0o600));
    assert!(mode("half.jwk") & 0o044 != 0, "others may read a public key");
}

#[test]
fn older_command_lines_still_work() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &["--key", "@/root.jwk", "generate"]);
    let signed = ok(at, &["--key", "@/root.jwk", "sign", "--root", "demo", "--publish", "bbb", "--cluster"]);
    fs::write(at.join("token"), signed).unwrap();
    assert!(ok(at, &["--key", "@/root.jwk", "verify", "--in", "@/token"]).contains("cluster    yes"));
}

#[test]
fn a_refusal_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &["generate", "--out", "@/key"]);
    ok(at, &["generate", "--out", "@/other"]);
    fs::write(at.join("token"), ok(at, &["sign", "--key", "@/key", "--root", "demo", "--publish", ""])).unwrap();
    let refused = |line: &[&str]| match token(at, line) {
        Err(Error::Refused { refusal }) => refusal.reason,
        other => panic!("{line:?}: {other:?}"),
    };
    assert_eq!(refused(&["verify", "--key", "@/other", "--in", "@/token"]), Reason::Signature);
    assert_eq!(refused(&["verify", "--key", "@/key", "--in", "@/token", "--path", "/x"]), Reason::RootMismatch);
    assert_eq!(refused(&["verify", "--key", "@/key", "--in", "@/token", "--audience", "x"]), Reason::Audience);
    assert_eq!(refused(&["sign", "--key", "@/key", "--root", "demo"]), Reason::NoGrant);
    assert_eq!(refused(&["sign", "--key", "@/key", "--publish", "a", "--expires", "5"]), Reason::Expired);
    let error = token(at, &["sign", "--key", "@/key", "--publish", "a", "--expires", "5"]).unwrap_err();
    assert!(error.to_string().starts_with("auth/expired: the token has expired (it expired "), "{error}");
}

#[test]
fn a_scoped_key_signs_no_more_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &["generate", "--out", "@/key", "--root", "project", "--publish", "live", "--subscribe", "watch"]);
    let sign = |root: &str, what: &str, name: &str| token(at, &["sign", "--key", "@/key", "--root", root, what, name]);
    assert!(sign("project/live/room", "--publish", "").is_ok());
    assert!(sign("project", "--subscribe", "watch/x").is_ok());
    for (root, what, name) in [
        ("project/lively", "--publish", ""),
        ("project", "--publish", ""),
        ("project/live", "--subscribe", ""),
        ("", "--publish", "project"),
    ] {
        let error = sign(root, what, name).unwrap_err();
        assert!(error.to_string().starts_with("auth/scope"), "{root} {what} {name}: {error}");
    }
}

#[test]
fn what_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(at, &["generate", "--out", "@/key"]);
    for (line, expected) in [
        (&["sign"][..], "--key: a key is needed to sign"),
        (&["verify"], "--key: "),
        (&["generate", "--id", "../x"], "--id: expected"),
        (&["generate", "--algorithm", "none"], "invalid value 'none'"),
        (
            &["generate", "--algorithm", "ES256", "--out", "-", "--public", "-"],
            "--public: one of the keys needs a file",
        ),
        (&["sign", "--key", "@/key", "--publish", "a", "--expires", "soon"], "--expires: expected a time"),
        (&["verify", "--key", "-", "--in", "-"], "--in: the key and the token"),
        (&["sign", "--key", "@/none", "--publish", "a"], "@/none: No such file"),
        (&["frobnicate"], "unrecognized subcommand"),
    ] {
        let error = token(at, line).expect_err("an error").to_string().replace(&at.display().to_string(), "@");
        assert!(error.starts_with(expected), "{line:?}: {error}");
    }
}
