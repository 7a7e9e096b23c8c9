//! `verify`: what a token is worth, by the rules of the relay.

use std::fmt::Write;

use clap::{ArgMatches, Command};

use super::{Error, file, option, options, refused, text, texts};
use crate::{
    auth::{self, Auth, Rights, Token, config::Source},
    types::{Path, Scope},
};

pub(super) fn command() -> Command {
    Command::new("verify").about("Tell what a token is worth, or why nothing").args([
        option("in", "FILE", "Where the token is; - is the standard input").default_value("-"),
        option("key-dir", "FOLDER", "Keys by name, in place of --key, as auth.key_dir"),
        option("path", "PATH", "Tell what it is worth at this path"),
        options("audience", "NAME", "As auth.audience; may be repeated"),
    ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<String, Error> {
    let (key, folder) = (text(matches, "key"), text(matches, "key-dir"));
    if key.is_none() && folder.is_none() {
        return Err(Error::Option("key", "a key or --key-dir is needed".to_owned()));
    }
    let input = text(matches, "in").unwrap_or("-");
    if key == Some("-") && input == "-" {
        return Err(Error::Option("in", "the key and the token cannot both come from the standard input".to_owned()));
    }
    // The key of the standard input has no file that could be watched.
    let piped = key.filter(|key| *key == "-").map(file::key).transpose()?;
    let token = Token::new(file::read(input)?.trim()).ok_or_else(|| {
        let name = if input == "-" { "the standard input" } else { input };
        Error::File(name.to_owned(), "there is no token in it".to_owned())
    })?;
    let rights = match (piped, key, folder) {
        (Some(key), ..) => auth::check(&token, &key).map_err(refused)?,
        (None, key, folder) => {
            let auth = Auth::open(&auth::Config {
                key: key.map(Source::parse),
                key_dir: folder.map(Source::parse),
                audience: texts(matches, "audience"),
                ..auth::Config::default()
            })?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Error::File("a runtime".to_owned(), error.to_string()))?;
            runtime.block_on(auth.verify(&token)).map_err(refused)?
        }
    };
    let path = text(matches, "path").map(Path::parse).transpose();
    let path = path.map_err(|error| Error::Option("path", error.to_string()))?;
    describe(&rights, path.as_ref()).map_err(refused)
}

/// A line per right.
fn describe(rights: &Rights, path: Option<&Path>) -> Result<String, auth::Refusal> {
    let (publish, subscribe) = match path {
        Some(path) => rights.below(path)?,
        None => (rights.publish.clone(), rights.subscribe.clone()),
    };
    let expires = rights.expires.map_or_else(|| "never".to_owned(), |time| humantime::format_rfc3339(time).to_string());
    let mut text = String::new();
    for (name, value) in [
        ("root", format!("/{}", rights.root)),
        ("publish", names(&publish)),
        ("subscribe", names(&subscribe)),
        ("cluster", if rights.cluster { "yes" } else { "no" }.to_owned()),
        ("expires", expires),
        ("id", rights.id.clone().unwrap_or_else(|| "none".to_owned())),
    ] {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    if rights.legacy {
        text +=
            "The claims are spelled as old releases did: newer ones read put and get, where this has pub and sub.\n";
    }
    Ok(text)
}

fn names(scope: &Scope) -> String {
    let names: Vec<_> = scope.prefixes().iter().map(|path| format!("/{path}")).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
}
