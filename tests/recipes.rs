//! The recipes of docs/auth.md, run as they stand.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use moq_relay::auth::Reason;

fn page() -> String {
    fs::read_to_string("docs/auth.md").unwrap()
}

/// The contents of a section's blocks in one language, one after the other.
fn blocks(section: &str, language: &str) -> String {
    let fence = format!("```{language}\n");
    section.split(&fence).skip(1).map(|rest| rest.split_once("```").expect("an end of the block").0).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The commands, waiting for each one that stays to be up.
fn script(commands: &str, port: u16) -> String {
    let up = format!("until curl --silent --output /dev/null http://localhost:{port}/health; do sleep 0.05; done\n");
    let lines = commands.lines().map(|line| {
        let (line, wait) = match line.strip_suffix(" &") {
            Some(line) => (format!("{line} >log 2>&1 &"), up.as_str()),
            None => (line.to_owned(), ""),
        };
        format!("{line}\n{wait}")
    });
    format!("set -e\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{}", lines.collect::<String>())
}

#[test]
fn recipes_do_what_they_say() {
    let page = page();
    let program = Path::new(env!("CARGO_BIN_EXE_moq-relay")).parent().unwrap().display().to_string();
    let mut run = 0;
    for section in page.split("\n## ").skip(1) {
        let (name, commands) = (section.lines().next().unwrap(), blocks(section, "sh"));
        if commands.is_empty() {
            continue;
        }
        let port = free_port();
        let local = |text: String| text.replace("4443", &port.to_string());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("relay.toml"), local(blocks(section, "toml"))).unwrap();
        let output = Command::new("bash")
            .arg("-c")
            .arg(script(&local(commands), port))
            .current_dir(folder.path())
            .env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let mut rest = printed.lines();
        for expected in blocks(section, "text").lines() {
            assert!(rest.any(|line| line == expected), "{name}: no {expected:?} in\n{printed}\n{said}\n{log}");
        }
        run += 1;
    }
    assert!(run >= 4);
}

#[test]
fn configurations_are_good_ones() {
    let page = page();
    let mut checked = 0;
    for section in page.split("\n## ").skip(1) {
        let configuration = blocks(section, "toml");
        if configuration.is_empty() {
            continue;
        }
        // All is well with a relay that only misses its port.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = taken.local_addr().unwrap();
        fs::write(folder.path().join("relay.toml"), configuration.replace("127.0.0.1:4443", &address.to_string()))
            .unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("clients.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("deny.txt"), "").unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        for name in ["root.jwk", "public.jwk"] {
            fs::write(folder.path().join(name), r#"{"k":"c2VjcmV0"}"#).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_moq-relay");
        let output = Command::new(program).current_dir(folder.path()).arg("relay.toml").output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("error: cannot serve on {address}")), "{configuration}\n{error}");
        checked += 1;
    }
    assert!(checked >= 6);
}

#[test]
fn every_reason_is_explained() {
    let page = page();
    for reason in Reason::ALL {
        assert!(page.contains(&format!("| `{}` | ", reason.name())), "{}", reason.name());
    }
}
