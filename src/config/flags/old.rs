//! Flags of older releases that no row can say: how loud, and one that has changed its meaning.

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{Error, Place, environment, key::Setting, names};

/// The flags.
pub(super) fn args() -> [Arg; 3] {
    let count = |name: &'static str, short| Arg::new(name).long(name).short(short).action(ArgAction::Count).hide(true);
    [Arg::new("bind").long("bind").hide(true), count("verbose", 'v').conflicts_with("quiet"), count("quiet", 'q')]
}

/// `--bind` was the address of the server until 0.7.0, when there were no files, and that of the client from 0.7.1 to
/// 0.9.4.
pub(super) fn bind(matches: &mut ArgMatches, has_file: bool) -> Result<Option<Setting>, Error> {
    let Some(address) = matches.remove_one::<String>("bind") else { return Ok(None) };
    let key = if has_file { "client.bind" } else { "server.listen" };
    flag("bind", key, address, |new| format!("--bind is now called --{new}"))
}

/// `-v` and `-q` until 0.7.0, each repeated for more of it.
pub(super) fn volume(matches: &ArgMatches) -> Result<Option<Setting>, Error> {
    let (name, level) = match (matches.get_count("verbose"), matches.get_count("quiet")) {
        (0, 0) => return Ok(None),
        (0, 1) => ("quiet", "error"),
        (0, _) => ("quiet", "off"),
        (1, _) => ("verbose", "debug"),
        _ => ("verbose", "trace"),
    };
    flag(name, "log.level", level.to_owned(), |new| format!("--{name} is now called --{new} {level}"))
}

fn flag(old: &str, name: &str, text: String, note: impl Fn(String) -> String) -> Result<Option<Setting>, Error> {
    let Some(key) = names::find(name) else { return Ok(None) };
    environment::setting(key, Place::Flag(old.to_owned()), &[text], Some(note(key.flag()))).map(Some)
}
