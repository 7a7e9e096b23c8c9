//! The command line: one flag per row of the table, built with clap.

mod old;

use std::{ffi::OsString, iter::Peekable, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};

use super::{
    Error, Place, environment,
    key::{Doors, Key, Kind, Setting},
    table,
};

/// What a command line asks for.
pub(super) enum Invocation {
    /// Help or the version.
    Print(String),
    /// A relay.
    Run { file: Option<PathBuf>, settings: Vec<Setting> },
    /// Only to look whether one could run.
    Check { file: Option<PathBuf>, settings: Vec<Setting>, write: bool },
}

const ABOUT: &str = "A relay for Media over QUIC: routes live broadcasts between publishers and viewers.

Without a file and without any --server flag it serves this machine only, on port 4443, open to everybody on it.
What a flag says goes before its variable, a variable before the file.

  moq-relay check FILE          says whether a relay could start, and all that it would go by
  moq-relay check --write FILE  rewrites a file of an older release in the names of this one";

/// The first argument of a relay that only looks.
const CHECK: &str = "check";

/// Reads a command line, program name first.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Error> {
    let mut args: Vec<_> = args.into_iter().collect();
    let check = args.get(1).is_some_and(|arg| arg == CHECK);
    if check {
        args.remove(1);
    }
    let mut matches = match command(check).try_get_matches_from(complete_switches(args)) {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.render().to_string();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Invocation::Print(text)),
                _ => Err(Error::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned())),
            };
        }
    };
    let file: Option<PathBuf> = matches.remove_one("FILE").or_else(|| matches.remove_one("config"));
    let mut settings = Vec::new();
    settings.extend(old::bind(&mut matches, file.is_some())?);
    settings.extend(old::volume(&matches)?);
    for key in table::keys() {
        for (flag, renamed) in flags(key) {
            if let Some(texts) = texts(&mut matches, &flag) {
                settings.push(environment::setting(key, Place::Flag(flag), &texts, renamed)?);
            }
        }
    }
    Ok(if check {
        Invocation::Check { file, settings, write: matches.get_flag("write") }
    } else {
        Invocation::Run { file, settings }
    })
}

fn command(check: bool) -> Command {
    let file = Arg::new("FILE").value_name("FILE").help("Configuration, a TOML file");
    let config =
        Arg::new("config").long("config").alias("file").value_name("FILE").help("The same").conflicts_with("FILE");
    let write = Arg::new("write").long("write").help("Rewrite the file in the names of today").requires("FILE");
    Command::new("moq-relay")
        .args(check.then(|| write.action(ArgAction::SetTrue)))
        .args(old::args())
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .args([file, config].map(|arg| arg.value_parser(clap::value_parser!(PathBuf))))
        .args(table::keys().flat_map(|key| flags(key).map(move |(flag, renamed)| arg(key, flag, renamed.is_some()))))
}

/// Every flag of a setting; with the older ones, what to say of them.
fn flags(key: &Key) -> impl Iterator<Item = (String, Option<String>)> {
    let renamed = |old: String| {
        let note = format!("--{old} is now called --{}", key.flag());
        (old, Some(note))
    };
    let all = [(key.flag(), None)].into_iter().chain(key.old_flags().map(renamed));
    all.filter(|_| key.doors != Doors::File)
}

fn arg(key: &'static Key, flag: String, is_old: bool) -> Arg {
    let help = format!("{} [default: {}] [env: {}]", key.help, key.default, key.variable());
    let is_old = is_old || !key.is_current();
    let heading = key.name.split_once('.').map_or("general", |(table, _)| table);
    Arg::new(&flag)
        .long(flag)
        .value_name(key.placeholder)
        .help(help)
        .help_heading(heading)
        .hide(is_old)
        .action(if matches!(key.kind, Kind::List | Kind::Pairs) { ArgAction::Append } else { ArgAction::Set })
}

fn texts(matches: &mut ArgMatches, flag: &str) -> Option<Vec<String>> {
    Some(matches.remove_many::<String>(flag)?.collect())
}

/// Gives a switch without a value, as releases up to 0.6.24 wrote it, the value it means. A value may also follow
/// after a space; anything else there is the next argument.
fn complete_switches(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter().peekable();
    let mut complete = Vec::new();
    while let Some(arg) = args.next() {
        let is_last = arg == "--";
        let on = switch(&arg).is_some_and(|key| !has_value(key, &mut args));
        complete.push(arg);
        if on {
            complete.push("true".into());
        }
        if is_last {
            complete.extend(args.by_ref());
        }
    }
    complete
}

fn switch(arg: &OsString) -> Option<&'static Key> {
    let flag = arg.to_str()?.strip_prefix("--")?;
    let named = |key: &&Key| flags(key).any(|(name, _)| name == flag);
    table::keys().filter(|key| matches!(key.kind, Kind::Switch | Kind::Mixed)).find(named)
}

/// Whether the next argument is the value of a switch.
fn has_value(key: &Key, args: &mut Peekable<impl Iterator<Item = OsString>>) -> bool {
    let Some(next) = args.peek().and_then(|next| next.to_str()) else { return false };
    environment::switch(next).is_some() || (key.kind == Kind::Mixed && next.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_makes_a_sound_command() {
        command(false).debug_assert();
        command(true).debug_assert();
    }

    #[test]
    fn switches_need_no_value() {
        let complete = |line: &str| complete_switches(line.split(' ').map(OsString::from)).join(" ".as_ref());
        assert_eq!(complete("r --tls-disable-verify relay.toml"), "r --tls-disable-verify true relay.toml");
        assert_eq!(complete("r --tls-disable-verify false a"), "r --tls-disable-verify false a");
        assert_eq!(complete("r --tls-disable-verify=false"), "r --tls-disable-verify=false");
        assert_eq!(complete("r -- --tls-disable-verify"), "r -- --tls-disable-verify");
    }
}
