//! Files of keys, and `-` for the standard input or output.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::Error;
use crate::auth::Jwk;

/// Reads a file.
pub(super) fn read(path: &str) -> Result<String, Error> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => fs::read_to_string(path).map(|read| text = read),
    };
    read.map(|()| text).map_err(|error| Error::File(path.to_owned(), error.to_string()))
}

/// Reads a key.
pub(super) fn key(path: &str) -> Result<Jwk, Error> {
    Jwk::parse(&read(path)?).map_err(|error| Error::Key(path.to_owned(), error))
}

/// Writes a key. What can sign is for the eyes of its owner only, also when the file was there before.
pub(super) fn write(path: &Path, key: &Jwk, text: &str) -> Result<(), Error> {
    let mode = if key.is_private() { 0o600 } else { 0o644 };
    let written =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path).and_then(|mut file| {
            if key.is_private() {
                file.set_permissions(fs::Permissions::from_mode(mode))?;
            }
            file.write_all(text.as_bytes())
        });
    written.map_err(|error| Error::File(path.display().to_string(), error.to_string()))
}
