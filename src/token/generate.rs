//! `generate`: a new key, and its public half.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Error, file, option, options, text, texts};
use crate::auth::{self, Jwk, KeyScope};

pub(super) fn command() -> Command {
    Command::new("generate").about("Make a key").args([
        option("algorithm", "NAME", "What it signs with").default_value("HS256").value_parser(Jwk::ALGORITHMS),
        option("id", "KID", "Its name, 1 to 128 letters, digits, - and _ [default: random]"),
        option("out", "FILE", "Where the key goes; without it, to the standard output").conflicts_with("out-dir"),
        option("out-dir", "FOLDER", "Folder where the key goes as KID.jwk"),
        option("public", "FILE", "Where its public half goes; HS keys have none").conflicts_with("public-dir"),
        option("public-dir", "FOLDER", "Folder where the public half goes as KID.jwk"),
        option("root", "PATH", "With --publish or --subscribe: the path that those are below"),
        options("publish", "NAME", "The most that its tokens may let people publish; may be repeated"),
        options("subscribe", "NAME", "The most that its tokens may let people watch; may be repeated"),
        flag("json", "Write JSON").conflicts_with("base64"),
        flag("base64", "Write base64url of JSON, which every release reads [default]"),
    ])
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

pub(super) fn run(matches: &ArgMatches) -> Result<String, Error> {
    let kid = match text(matches, "id") {
        Some(kid) => name(kid)?,
        None => format!("{:016x}", rand::random::<u64>()),
    };
    let algorithm = text(matches, "algorithm").unwrap_or("HS256");
    let refused = |error| Error::Key(algorithm.to_owned(), error);
    let mut key = Jwk::generate(algorithm, Some(kid.clone())).map_err(refused)?;
    key.scope = scope(matches);
    let write_json = matches.get_flag("json");
    let written = |key: &Jwk| if write_json { key.to_json() } else { key.to_base64() };

    let place = |one: &str, folder: &str| match (text(matches, one), text(matches, folder)) {
        (Some("-"), _) => Some(Place::Output),
        (Some(path), _) => Some(Place::File(path.into())),
        (None, Some(folder)) => Some(Place::File(Path::new(folder).join(format!("{kid}.jwk")))),
        (None, None) => None,
    };
    // Where older tools wrote it to.
    let older = text(matches, "key").map(|path| Place::File(path.into()));
    let private = place("out", "out-dir").or(older).unwrap_or(Place::Output);
    let public = place("public", "public-dir");
    if private == Place::Output && public == Some(Place::Output) {
        return Err(Error::Option("public", "one of the keys needs a file: use --out or --out-dir".to_owned()));
    }
    let mut output = String::new();
    let mut put = |place: Place, key: &Jwk| match place {
        Place::Output => {
            output = format!("{}\n", written(key));
            Ok(())
        }
        Place::File(path) => file::write(&path, key, &written(key)),
    };
    if let Some(place) = public {
        let half = key.public().map_err(|_| {
            Error::Option("public", format!("{algorithm} keys have no public half: use ES256 or EdDSA"))
        })?;
        put(place, &half)?;
    }
    put(private, &key)?;
    Ok(output)
}

#[derive(PartialEq, Eq)]
enum Place {
    Output,
    File(PathBuf),
}

/// A name that can be a file's.
fn name(kid: &str) -> Result<String, Error> {
    if auth::is_name(kid) {
        Ok(kid.to_owned())
    } else {
        Err(Error::Option("id", "expected 1 to 128 letters, digits, - and _".to_owned()))
    }
}

fn scope(matches: &ArgMatches) -> Option<KeyScope> {
    let (put, get) = (texts(matches, "publish"), texts(matches, "subscribe"));
    let root = text(matches, "root").unwrap_or_default().to_owned();
    (!put.is_empty() || !get.is_empty()).then_some(KeyScope { root, put, get })
}
