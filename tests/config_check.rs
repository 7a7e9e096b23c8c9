//! `moq-relay check`: what it says of a configuration, and how it rewrites an older one.

#[path = "common/config.rs"]
mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use common::{config, load, migrated, samples};
use tempfile::TempDir;

fn effective(text: &str, flags: &[&str], variables: &[(&str, &str)]) -> String {
    let effective = load(Some(text), flags, variables).unwrap().effective();
    let line = |line: &str| match line.split_once("  # /") {
        Some((value, place)) => format!("{value}  # {}", place.rsplit('/').next().unwrap()),
        None => line.to_owned(),
    };
    effective.lines().map(|text| line(text) + "\n").collect()
}

/// The lines that are no comments, in their tables.
fn set(effective: &str) -> Vec<&str> {
    effective.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])).collect()
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let text = "[server]\nbind = '[::]:1'\ntls.generate = ['a', 'b']\n\n[listen]\ntcp.bind = 'localhost:2'\n[cluster]\nconnect = ['https://a/?jwt=SECRET&cost=1', { url = 'b', token = 'SECRET' }]";
    let effective = effective(text, &["--log-level=debug", "--tls-root", "ca.pem"], &[("MOQ_CACHE_GROUPS", "3")]);
    assert_eq!(
        set(&effective),
        [
            r#"listen = "[::]:1"  # relay.toml:2 (server.bind)"#,
            r#"tls.generate = ["a", "b"]  # relay.toml:3"#,
            r#"tcp.listen = "localhost:2"  # relay.toml:6 (listen.tcp.bind)"#,
            r#"tls.root = ["ca.pem"]  # --tls-root"#,
            r#"connect = ["https://a/?jwt=…&cost=1", { token = "…", url = "b" }]  # relay.toml:8"#,
            r#"groups = 3  # MOQ_CACHE_GROUPS"#,
            r#"level = "debug"  # --log-level"#,
        ]
    );
    assert!(effective.starts_with("[server]\n") && effective.contains("\n# drain = 10s  # default\n"), "{effective}");
}

#[test]
fn what_is_shown_loads_as_the_same() {
    for (name, text) in samples() {
        let loaded = common::file(&text).unwrap();
        let shown = loaded.effective();
        if shown.contains('…') {
            continue;
        }
        assert_eq!(config(&shown), loaded.config, "{name}\n{shown}");
    }
}

#[test]
fn every_file_of_every_era_is_rewritten_to_the_same_and_needs_it_once() {
    let mut rewritten = 0;
    for (name, text) in samples() {
        let Some(new) = migrated(&text) else { continue };
        rewritten += 1;
        assert_eq!(config(&new), config(&text), "{name}\n{new}");
        assert!(common::file(&new).unwrap().notes.iter().all(|note| note.contains("auth.public_")), "{name}\n{new}");
        assert_eq!(migrated(&new), None, "{name}\n{new}");
    }
    assert!(rewritten >= 8, "{rewritten}");
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let old = "\
# Of the file.

# The door.
[listen]
# Where.
bind = '[::]:443' # all of them
tls.cert = 'cert.pem'

# Others.
[connect]
tls = { insecure = true } # trying
[log]
level = 'info' # quiet
";
    let new = "\
# Of the file.

# The door.
[server]
# Where.
listen = '[::]:443' # all of them
tls.cert = 'cert.pem'

# Others.
[client]
tls.disable_verify = true # trying
[log]
level = 'info' # quiet
";
    assert_eq!(migrated(old).as_deref(), Some(new));
}

#[test]
fn what_is_said_otherwise_today_is_written_that_way() {
    for (old, new) in [
        ("drain_timeout = '1s'\n", "[server]\ndrain = '1s'\n"),
        ("[server]\nlisten = '[::]:1'\n[iroh]\nenabled = false\n", "[server]\nlisten = '[::]:1'\n"),
        (
            "# one\n[[server.tls.cert]]\nchain = 'a'\nkey = 'b'\n",
            "[server]\n# one\ntls.cert = [\"a\"]\ntls.key = [\"b\"]\n",
        ),
        (
            "[auth]\npath = { demo = 'demo.jwk', anon = '' }\n",
            "[auth]\ntoken_in_path = true\npublic = [\"anon\"]\npaths = { demo = \"demo.jwk\" }\n",
        ),
        ("[server]\nbind = '[::]:1'\nlisten = '[::]:1'\n", "[server]\nlisten = '[::]:1'\n"),
        (
            "drain_timeout = '1s'\n\n[listen]\nbind = '[::]:1'\n\n[log]\nlevel = 'info'\n",
            "[server]\ndrain = '1s'\nlisten = '[::]:1'\n\n[log]\nlevel = 'info'\n",
        ),
        ("[server]\nmax_streams = 5\nlisten = '[::]:1'\n", "[server]\nlisten = '[::]:1'\n\n[quic]\nmax_streams = 5\n"),
        ("server.version = ['moq-lite-05-wip']\n", "[server]\nversion = [\"moq-lite-05\"]\n"),
    ] {
        assert_eq!(migrated(old).as_deref(), Some(new));
    }
}

/// A folder with a certificate and a configuration.
fn world(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.path().join("relay.toml"), text).unwrap();
    folder
}

fn check(folder: &Path, args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_moq-relay");
    Command::new(program).current_dir(folder).env_clear().arg("check").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const OLD: &str = "[listen]\nbind = '127.0.0.1:1'\ntls.cert = 'cert.pem'\ntls.key = 'key.pem'\n[auth]\npublic = ''\n";

#[test]
fn check_prints_what_a_relay_would_go_by_and_binds_nothing() {
    let world = world(OLD);
    // A port that nobody may bind but root, at an address that nobody has.
    let output = check(world.path(), &["relay.toml", "--listen", "192.0.2.1:1", "--stats-prefix", "a"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.contains("listen = [\"192.0.2.1:1\"]  # --listen\n"), "{stdout}");
    assert!(stdout.contains("tls.cert = \"cert.pem\"  # relay.toml:3 (listen.tls.cert)\n"), "{stdout}");
    assert!(stderr.contains("relay.toml:3: listen.tls.cert is now called server.tls.cert\n"), "{stderr}");
    assert!(stderr.contains("stats.prefix is set, but this build does not use it yet\n"), "{stderr}");
    assert_eq!(fs::read_to_string(world.path().join("relay.toml")).unwrap(), OLD);
}

#[test]
fn check_finds_what_would_keep_a_relay_from_starting() {
    for (file, expected) in [
        ("[server]\nlisen = ''\n", "relay.toml:2: unknown key server.lisen"),
        ("[server]\ntls.generate = 'localhost'\n", "no auth configured"),
        ("auth.key = 'no.jwk'\nserver.tls.generate = 'localhost'\n", "relay.toml:1: auth.key = \"no.jwk\": "),
        (
            "server.tls.generate = 'localhost'\nauth.path = { a = 'cert.pem' }\n",
            "relay.toml:2: auth.path = \"cert.pem\": ",
        ),
        (
            "auth.public = ''\nserver.tls.generate = 'localhost'\ncluster.token = 'no.jwt'\n",
            "relay.toml:3: cluster.token = \"no.jwt\": No such file",
        ),
        ("auth.public = ''\nserver.tls.cert = 'key.pem'\nserver.tls.key = 'key.pem'\n", "key.pem"),
    ] {
        let output = check(world(file).path(), &["relay.toml"]);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{file}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_relay_warns_of_what_it_does_not_use_and_refuses_what_cannot_be() {
    let world = world(OLD);
    let start = |flag: &str| {
        let program = env!("CARGO_BIN_EXE_moq-relay");
        // It ends at once: nobody has that address.
        let args = ["relay.toml", "--listen", "192.0.2.1:1", flag];
        text(&Command::new(program).current_dir(world.path()).env_clear().args(args).output().unwrap().stderr)
    };
    let log = start("--stats-prefix=a");
    assert!(log.contains("WARN") && log.contains("stats.prefix is set, but this build does not use it yet"), "{log}");
    assert!(
        start("--iroh-enabled").starts_with("error: --iroh-enabled: iroh.enabled = \"true\": this relay has no iroh")
    );
    let log = start("--iroh-enabled=false");
    assert!(log.contains("INFO") && log.contains("--iroh-enabled changes nothing: this relay has no iroh"), "{log}");
}

#[test]
fn write_rewrites_a_file_once_and_keeps_the_old_one() {
    let world = world(OLD);
    let read = |name: &str| fs::read_to_string(world.path().join(name)).unwrap();
    let output = check(world.path(), &["--write", "relay.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "relay.toml:2: listen.bind is now called server.listen\n\
         relay.toml:3: listen.tls.cert is now called server.tls.cert\n\
         relay.toml:4: listen.tls.key is now called server.tls.key\n\
         relay.toml is rewritten, and kept as it was in relay.toml.bak\n"
    );
    assert_eq!(read("relay.toml.bak"), OLD);
    assert_eq!(read("relay.toml"), OLD.replace("[listen]\nbind", "[server]\nlisten"));

    let output = check(world.path(), &["--write", "relay.toml"]);
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), "relay.toml needs no change\n"));

    // What an earlier rewriting has kept is not lost to a later one.
    fs::write(world.path().join("relay.toml"), OLD).unwrap();
    let output = check(world.path(), &["--write", "relay.toml"]);
    assert_eq!((output.status.code(), &*read("relay.toml")), (Some(2), OLD));
}
