//! The import table of the layout, executed: who may name whom, and which room a heavy crate lives in.

use std::{fs, path::Path};

/// Each module of the crate and what it may import of the crate; everybody may import `types`.
const MAY_IMPORT: [(&str, &[&str]); 16] = [
    ("main", &["config", "relay", "token"]),
    ("token", &["auth"]),
    ("relay", &["config", "web", "cluster", "session", "wire", "model", "transport", "auth", "stats", "http"]),
    ("config", &["web", "auth", "model", "transport", "cluster", "session", "stats"]),
    ("web", &["cluster", "auth", "model", "transport", "stats"]),
    ("cluster", &["session", "wire", "transport", "model", "stats", "files", "http"]),
    ("session", &["wire", "model", "transport", "stats"]),
    ("wire", &[]),
    ("model", &[]),
    ("transport", &["files"]),
    ("auth", &["files", "http"]),
    ("files", &[]),
    ("http", &[]),
    ("stats", &[]),
    ("types", &[]),
    ("lib", &[]),
];

/// Of the modules below it, `config` names the settings and nothing else.
const SETTINGS: [&str; 2] = ["config", "Config"];

/// Crates that stay in their room: the files, or folders, that may name them.
const ROOMS: [(&[&str], &[&str]); 10] = [
    (&["quinn", "quinn_proto", "web_transport_quinn", "web_transport_trait", "qmux"], &["transport"]),
    (&["axum", "hyper", "hyper_util", "tower_http"], &["web"]),
    (&["rcgen"], &["transport/tls"]),
    (&["aws_lc_rs"], &["transport/tls", "auth"]),
    (&["jsonwebtoken"], &["auth"]),
    (&["reqwest"], &["http.rs"]),
    (&["x509_parser"], &["transport/tls"]),
    (&["rustls", "tokio_rustls"], &["transport", "main.rs"]),
    (&["nix"], &["transport/port", "transport/socket.rs", "relay/workers.rs"]),
    (&["anyhow"], &["main.rs", "config", "relay"]),
];

#[test]
fn imports_point_downward() {
    let wrong: Vec<_> = sources().iter().flat_map(|source| source.forbidden_imports()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_stay_in_their_room() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (crates, rooms) in ROOMS {
            let inside = rooms.iter().any(|room| {
                source.name == *room
                    || source.name == format!("{room}.rs")
                    || source.name.starts_with(&format!("{room}/"))
            });
            for (number, line) in source.code() {
                let named =
                    crates.iter().find(|name| names(line).any(|path| path.first() == Some(*name) && path.len() > 1));
                if let (Some(name), false) = (named, inside) {
                    wrong.push(format!("src/{}:{number}: {name} belongs in {rooms:?}", source.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_knows_every_module() {
    for source in sources() {
        assert!(MAY_IMPORT.iter().any(|(module, _)| *module == source.module()), "src/{} is in no row", source.name);
    }
}

#[test]
fn violations_are_seen() {
    let bad = |name: &str, text: &str| Source { name: name.into(), text: text.into() }.forbidden_imports().len();
    assert_eq!(bad("wire/a.rs", "use crate::model::Log;"), 1);
    assert_eq!(bad("wire/a.rs", "use crate::{\n    model::Log,\n    types::{Path, code},\n    wire::X,\n};"), 1);
    assert_eq!(bad("model/a.rs", "fn f() { crate::session::start() }"), 1);
    assert_eq!(bad("model/a.rs", "// crate::session\n//! crate::session"), 0);
    assert_eq!(bad("config.rs", "use crate::{auth, web};\nfn f(_: auth::Config) {}"), 0);
    assert_eq!(bad("config/a.rs", "use crate::auth::Grant;"), 1);
    assert_eq!(bad("config/a.rs", "use crate::web::config::Listen;"), 0);
    assert_eq!(bad("main.rs", "use moq_relay::{config::{self, Loaded}, relay::Relay};"), 0);
    assert_eq!(bad("main.rs", "use moq_relay::session::start;"), 1);
}

/// One file below `src`.
struct Source {
    name: String,
    text: String,
}

impl Source {
    /// The top module it belongs to.
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap_or_default()
    }

    /// Lines without comments, numbered.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let strip = |line| str::split(line, "//").next().unwrap_or_default();
        self.text.lines().map(strip).enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Everything it names of the crate, `{}` unfolded, as paths behind `crate::`.
    fn imports(&self) -> Vec<Vec<String>> {
        let code = self.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let roots = ["crate::", "moq_relay::"];
        let starts = roots.iter().flat_map(|root| code.match_indices(root).map(|(at, root)| &code[at + root.len()..]));
        starts.flat_map(|rest| unfold(rest, &mut Vec::new()).0).collect()
    }

    fn forbidden_imports(&self) -> Vec<String> {
        let allowed = MAY_IMPORT.iter().find(|(module, _)| *module == self.module()).map_or(&[][..], |(_, list)| list);
        let is_allowed = |path: &[String]| match path.first().map(String::as_str) {
            Some("types") | None => true,
            Some(first) if first == self.module() => true,
            Some(first) if self.module() == "config" => {
                allowed.contains(&first) && path.get(1).is_none_or(|name| name == "self" || SETTINGS.contains(&&**name))
            }
            Some(first) => allowed.contains(&first),
        };
        let forbidden = self.imports().into_iter().filter(|path| !is_allowed(path));
        forbidden.map(|path| format!("src/{} may not import crate::{}", self.name, path.join("::"))).collect()
    }
}

/// The paths at the start of `text`, such as `a::{b, c::d}`, and what follows them.
fn unfold<'a>(mut text: &'a str, prefix: &mut Vec<String>) -> (Vec<Vec<String>>, &'a str) {
    let depth = prefix.len();
    let mut paths = Vec::new();
    loop {
        if let Some(list) = text.strip_prefix('{') {
            text = list.trim_start();
            while !text.is_empty() && !text.starts_with('}') {
                let (more, rest) = unfold(text, prefix);
                paths.extend(more);
                // On to the next name, past `as other` and `::*`.
                let next = rest.find([',', '}']).unwrap_or(rest.len());
                text = rest[next..].trim_start_matches(',').trim_start();
            }
            text = text.strip_prefix('}').unwrap_or(text);
            break;
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        prefix.extend((end > 0).then(|| text[..end].to_owned()));
        text = &text[end..];
        let Some(rest) = text.strip_prefix("::") else {
            paths.push(prefix.clone());
            break;
        };
        text = rest;
    }
    prefix.truncate(depth);
    (paths, text)
}

/// Every path in a line, in segments.
fn names(line: &str) -> impl Iterator<Item = Vec<&str>> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .map(|path| path.split("::").filter(|segment| !segment.is_empty()).collect())
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found
}
