//! `moq-relay token`: makes keys and tokens, and tells what a token is worth. The options are those of `moq-token`.
//!
//! ```text
//!  generate ─→ key file ─→ sign ─→ token ─→ verify
//! ```

mod file;
mod generate;
mod sign;
mod verify;

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};

use crate::auth::{KeyError, Refusal, config::OpenError};

/// Why there is no key, no token or no good one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line makes no sense; the text is clap's.
    #[error("{0}")]
    Usage(String),
    /// An option has a value that cannot be used.
    #[error("--{0}: {1}")]
    Option(&'static str, String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, String),
    /// The key is not one, or not for this.
    #[error("{0}: {1}")]
    Key(String, KeyError),
    /// A setting of the check is wrong.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The token is refused.
    #[error("{refusal}{}", story(refusal))]
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

impl Error {
    /// What the process ends with: 2 for what nobody can run, 1 for an answer that is no.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Option(..) => 2,
            _ => 1,
        }
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::Refused { refusal }
}

fn story(refusal: &Refusal) -> String {
    match refusal.story() {
        "" => String::new(),
        story => format!(" ({story})"),
    }
}

/// Runs a command line, beginning with what comes after `token`, and returns what to print.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<String, Error> {
    let args = [OsString::from("moq-relay token")].into_iter().chain(args);
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.render().to_string();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(text),
                _ => Err(Error::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned())),
            };
        }
    };
    match matches.subcommand() {
        Some(("generate", matches)) => generate::run(matches),
        Some(("sign", matches)) => sign::run(matches),
        Some(("verify", matches)) => verify::run(matches),
        _ => Err(Error::Usage("expected generate, sign or verify".to_owned())),
    }
}

fn command() -> Command {
    let key = option("key", "FILE", "The key: a JSON Web Key, as JSON or base64url of it; - is the standard input");
    Command::new("moq-relay token")
        .bin_name("moq-relay token")
        .about("Keys and tokens for auth.key and auth.key_dir")
        .subcommand_required(true)
        // Older tools had it before the command.
        .arg(key.global(true))
        .subcommands([generate::command(), sign::command(), verify::command()])
}

/// An option with a value.
fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// An option with a value that may be given several times.
fn options(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    option(name, value, help).action(ArgAction::Append)
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).unwrap_or_default().cloned().collect()
}

#[cfg(test)]
mod tests;
