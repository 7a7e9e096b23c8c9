//! Configurations as people have them: a file, some flags, some variables.

// Each test uses its own part.
#![allow(dead_code, unreachable_pub)]

use std::{collections::HashMap, ffi::OsString, fs, path::PathBuf};

use moq_relay::config::{Config, Error, Loaded, Migration, Request, read};

/// What a file of this text says, called `relay.toml` in messages.
pub fn file(text: &str) -> Result<Loaded, Error> {
    load(Some(text), &[], &[])
}

/// What a file, flags and variables say together.
pub fn load(text: Option<&str>, flags: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    let mut args = vec![OsString::from("moq-relay")];
    if let Some(text) = text {
        fs::write(&path, text).unwrap();
        args.push(path.into());
    }
    args.extend(flags.iter().map(OsString::from));
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    match read(args, &|name| variables.get(name).map(ToString::to_string))? {
        Request::Run(loaded) => Ok(*loaded),
        other => panic!("{other:?}"),
    }
}

/// The configuration that a file of this text makes.
pub fn config(text: &str) -> Config {
    file(text).unwrap_or_else(|error| panic!("{error}\n{text}")).config
}

/// Every file of every era, by name.
pub fn samples() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir("tests/configs").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

/// The file of today's names that one of older names becomes, if it changes.
pub fn migrated(text: &str) -> Option<String> {
    migrate(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The same, where it may be too much for a program.
pub fn migrate(text: &str) -> Result<Option<String>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    fs::write(&path, text).unwrap();
    Ok(Migration::of(&path)?.map(|migration| migration.text))
}
