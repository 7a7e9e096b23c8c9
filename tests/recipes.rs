//! The recipes under docs/, run as they stand: each section of a page that has commands is one.

mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use common::{Peer, Publisher, dialect, upgrade};
use moq_relay::{
    auth::Reason,
    transport::{Connection, stream},
    types::HopId,
    wire::lite::setup::Setup,
};
use qmux::ws::Upgraded;
use tokio::net::TcpStream;

/// The ports that the recipes use.
const PORTS: [&str; 3] = ["4443", "4444", "4445"];

/// What a script begins with: nothing stays, and nothing is waited for in vain for ever.
const PRELUDE: &str = "set -e
trap 'kill -KILL $(jobs -p) 2>/dev/null' EXIT
until_true() {
  for _ in $(seq 600); do if \"$@\"; then return; fi; sleep 0.05; done
  echo \"in vain: $*\" >&2
  exit 1
}
is_up() { curl --silent --output /dev/null http://localhost:$1/health; }
lists() { curl --silent http://localhost:$1/announced/anon | grep --quiet --line-regexp $2; }
";

fn page(name: &str) -> String {
    fs::read_to_string(Path::new("docs").join(name)).unwrap()
}

fn pages() -> Vec<String> {
    let files = fs::read_dir("docs").unwrap().map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

fn sections(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n## ").skip(1)
}

/// The contents of a section's blocks in one language.
fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let rest = section.split(&*fence).skip(1).collect::<Vec<_>>();
    rest.into_iter().map(|rest| rest.split_once("```").expect("an end of the block").0).collect()
}

/// The configurations of a section by the names in their first lines. One without a name is `relay.toml`.
fn configurations(section: &str) -> BTreeMap<&str, &str> {
    fn name(block: &str) -> Option<&str> {
        block.lines().next()?.strip_prefix("# ").filter(|name| name.ends_with(".toml"))
    }
    blocks(section, "toml").into_iter().map(|block| (name(block).unwrap_or("relay.toml"), block)).collect()
}

/// Free ports of this machine in place of those in the recipes.
struct Ports(Vec<String>);

impl Ports {
    fn free() -> Self {
        let taken = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        Self(taken.iter().map(|listener| listener.local_addr().unwrap().port().to_string()).collect())
    }

    /// In two steps, as a free port may look like one to be replaced.
    fn replace(&self, text: &str) -> String {
        let name = |index: usize| format!("<port {index}>");
        let named =
            PORTS.iter().enumerate().fold(text.to_owned(), |text, (index, port)| text.replace(port, &name(index)));
        self.0.iter().enumerate().fold(named, |text, (index, port)| text.replace(&name(index), port))
    }
}

/// The port that a configuration serves.
fn port(configuration: &str) -> &str {
    let listen = configuration.lines().find_map(|line| line.strip_prefix("listen = ")).expect("an address");
    listen.trim_matches('"').rsplit_once(':').unwrap().1
}

/// The commands, waiting for each one that stays to be up: a relay when it answers, a publisher when every relay has heard
/// of its broadcast.
fn script(commands: &str, configurations: &BTreeMap<&str, &str>) -> String {
    let mut ports = Vec::new();
    let mut script = PRELUDE.to_owned();
    for line in commands.lines() {
        let Some(line) = line.strip_suffix(" &") else {
            script += &format!("{line}\n");
            continue;
        };
        let words: Vec<_> = line.split(' ').collect();
        script += &format!("{line} >>log 2>&1 &\n");
        if let Some(configuration) = words.last().and_then(|file| configurations.get(file)) {
            ports.push(port(configuration));
            script += &format!("until_true is_up {}\n", port(configuration));
        } else {
            let at = words.iter().position(|word| *word == "--broadcast").expect("a relay or a publisher");
            ports.iter().for_each(|port| script += &format!("until_true lists {port} {}\n", words[at + 1]));
        }
    }
    script
}

/// Runs every recipe of a page and returns how many there are.
fn run(page: &str) -> usize {
    let program = Path::new(env!("CARGO_BIN_EXE_moq-relay")).parent().unwrap().display().to_string();
    let with_commands = sections(page).filter(|section| !blocks(section, "sh").is_empty());
    with_commands
        .map(|section| {
            let name = section.lines().next().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let configurations = configurations(section);
            let ports = Ports::free();
            for (file, text) in &configurations {
                fs::write(folder.path().join(file), ports.replace(text)).unwrap();
            }
            let clock = folder.path().join("moq-clock");
            let this = env::current_exe().unwrap();
            let stand_in = format!("#!/bin/sh\nARGS=\"$*\" exec '{}' --ignored --exact {STAND_IN}\n", this.display());
            fs::write(&clock, stand_in).unwrap();
            fs::set_permissions(&clock, fs::Permissions::from_mode(0o700)).unwrap();
            let path = format!("{program}:{}:{}", folder.path().display(), env::var("PATH").unwrap());
            let output = Command::new("bash")
                .arg("-c")
                .arg(ports.replace(&script(&blocks(section, "sh").concat(), &configurations)))
                .current_dir(folder.path())
                .env("PATH", path)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            let mut rest = printed.lines();
            for expected in blocks(section, "text").concat().lines() {
                assert!(rest.any(|line| line == expected), "{name}: no {expected:?} in\n{printed}\n{said}\n{log}");
            }
        })
        .count()
}

#[test]
fn recipes_about_rights_do_what_they_say() {
    assert!(run(&page("auth.md")) >= 4);
}

#[test]
fn recipes_about_clusters_do_what_they_say() {
    assert!(run(&page("cluster.md")) >= 6);
}

const STAND_IN: &str = "stands_in_for_moq_clock";

/// In the recipes, the published client is this test of the same program.
#[tokio::test]
#[ignore = "it does nothing but what a recipe tells it to"]
async fn stands_in_for_moq_clock() {
    let Ok(arguments) = env::var("ARGS") else { return };
    let words: Vec<_> = arguments.split(' ').collect();
    let after = |flag: &str| words[words.iter().position(|word| *word == flag).unwrap() + 1];
    assert_eq!(words.last(), Some(&"publish"));
    let url = after("--url").replace("http://", "ws://");
    let host = url.split('/').nth(2).unwrap().to_owned();
    let dialect = dialect("04");
    let offered = format!("qmux-02.{}", dialect.alpn);
    let (socket, chosen) = upgrade(&url, &[&offered], TcpStream::connect(host).await.unwrap()).await.unwrap();
    assert_eq!(chosen.as_deref(), Some(&*offered));
    let session = Upgraded::new(socket).with_alpn(&offered).connect();
    let connection = Connection::Stream(stream::Connection::new(session));
    let peer = Peer::begin(connection, dialect, Setup { hop: HopId(7), ..Setup::default() }).await;
    let _publisher = Publisher::new(peer, &[after("--broadcast")]).await;
    std::future::pending().await
}

#[test]
fn configurations_are_good_ones() {
    let pages = pages();
    let every = || pages.iter().flat_map(|page| sections(page)).flat_map(configurations);
    assert!(every().count() >= 20);
    for (name, configuration) in every() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file(name, configuration);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for name in ["clients.pem", "ca.pem", "node.pem"] {
            file(name, &made.cert.pem());
        }
        file("node.key", &made.signing_key.serialize_pem());
        file("deny.txt", "");
        file("nodes.json", "[]");
        file("cluster.jwt", "e.y.j");
        fs::create_dir(folder.path().join("keys")).unwrap();
        for name in ["root.jwk", "public.jwk"] {
            file(name, r#"{"k":"c2VjcmV0"}"#);
        }
        check(folder.path(), &[name]);
    }
}

#[test]
fn examples_of_clusters_are_good_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.jwk"), r#"{"k":"c2VjcmV0"}"#).unwrap();
    fs::write(folder.path().join("cluster.jwt"), "e.y.j").unwrap();
    for shape in ["root", "chain", "mesh"] {
        let examples = fs::canonicalize(Path::new("dev/cluster").join(shape)).unwrap();
        let files: Vec<_> = fs::read_dir(examples).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "{shape}");
        files.iter().for_each(|file| check(folder.path(), &[file.to_str().unwrap()]));
    }
    let compose = fs::read_to_string("dev/cluster/compose.yaml").unwrap();
    let help = help();
    let variables: Vec<_> = compose.lines().filter_map(|line| line.trim().split_once(": ")).collect();
    let variables: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with("MOQ_")).collect();
    assert!(variables.len() >= 10);
    for (name, _) in variables {
        assert!(help.contains(&format!("[env: {name}]")), "{name}");
    }
}

#[test]
fn settings_are_those_of_the_readme() {
    let (help, readme) = (help(), fs::read_to_string("README.md").unwrap());
    for page in pages() {
        for word in page.split('`').skip(1).step_by(2).filter(|word| is_setting(word)) {
            let variable = word.replace('.', "_").to_uppercase();
            // A group of settings may be named as one.
            let known = [format!("[env: MOQ_{variable}]"), format!("[env: MOQ_{variable}_")];
            assert!(known.iter().any(|known| help.contains(known)), "{word}");
        }
        // What is said about one in a table is what the README says, so that both grow old together.
        let rows = page
            .lines()
            .filter(|line| line.strip_prefix("| `").and_then(|it| it.split('`').next()).is_some_and(is_setting));
        rows.for_each(|row| assert!(readme.lines().any(|line| line == row), "not in the README: {row}"));
    }
}

fn is_setting(word: &str) -> bool {
    let tables = ["server", "client", "cluster", "auth", "quic", "web", "cache"];
    let is_key = |rest: &str| rest.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
    word.split_once('.').is_some_and(|(table, rest)| tables.contains(&table) && is_key(rest) && !rest.is_empty())
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there =
                if file.is_empty() { page.clone() } else { fs::read_to_string(Path::new("docs").join(file)).unwrap() };
            let headings = there.lines().filter_map(|line| line.strip_prefix("## "));
            let anchors: Vec<_> = headings.map(|it| it.to_lowercase().replace(' ', "-").replace('?', "")).collect();
            assert!(anchor.is_empty() || anchors.iter().any(|known| known == anchor), "{link}");
        }
    }
}

#[test]
fn every_reason_is_explained() {
    let page = page("auth.md");
    for reason in Reason::ALL {
        assert!(page.contains(&format!("| `{}` | ", reason.name())), "{}", reason.name());
    }
}

#[test]
fn the_log_says_what_the_page_says() {
    let page = page("cluster.md");
    let section = sections(&page).find(|section| section.starts_with("Who is linked")).unwrap();
    let files = ["discovery", "dial", "list"].map(|name| format!("src/cluster/{name}.rs"));
    let sources =
        files.iter().map(|file| &**file).chain(["src/cluster.rs"]).map(|file| fs::read_to_string(file).unwrap());
    let sources = sources.collect::<String>();
    let phrases = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let missing: Vec<_> = phrases.clone().filter(|phrase| !sources.contains(phrase)).collect();
    assert!(phrases.count() >= 10 && missing.is_empty(), "{missing:?}");
}

/// Whether a relay could start with this.
fn check(folder: &Path, args: &[&str]) {
    let program = env!("CARGO_BIN_EXE_moq-relay");
    let output = Command::new(program).current_dir(folder).arg("check").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_moq-relay")).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
