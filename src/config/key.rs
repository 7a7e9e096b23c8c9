//! One row of the table: a setting, all of its names, and how it is set.

use super::{
    Config, Place,
    value::{Reason, Value},
};

/// A setting. Its flag and its variable follow from its name: `server.tls.cert` is `--server-tls-cert` and
/// `MOQ_SERVER_TLS_CERT`; those of its aliases likewise.
pub(super) struct Key {
    /// The path in a file.
    pub(super) name: &'static str,
    /// How text becomes a value.
    pub(super) kind: Kind,
    /// Whether an empty variable says something; otherwise it counts as unset.
    pub(super) empty: Empty,
    /// Older paths.
    pub(super) aliases: &'static [&'static str],
    /// Older flags that follow from no path.
    pub(super) flags: &'static [&'static str],
    /// Older variables that follow from no path.
    pub(super) variables: &'static [&'static str],
    /// What to put in, for the help.
    pub(super) placeholder: &'static str,
    /// What it is for.
    pub(super) help: &'static str,
    /// What holds when it is not set.
    pub(super) default: &'static str,
    /// What becomes of it.
    pub(super) status: Status,
    /// Where it can be said.
    pub(super) doors: Doors,
    /// Puts a value in.
    pub(super) set: fn(&mut Config, &Value) -> Result<(), Reason>,
}

/// What becomes of a setting.
#[derive(Clone, Copy)]
pub(super) enum Status {
    /// The relay goes by it.
    Used,
    /// It is checked and kept, but no part of the relay goes by it yet.
    Pending,
    /// Only `legacy` knows what it says today.
    Old,
    /// It has no meaning here: whoever switches it on is told why, whoever leaves it off gets a line in the log.
    Gone {
        /// Whether a value asks for nothing.
        off: fn(&Value) -> bool,
        /// Why there is no such thing.
        why: &'static str,
    },
}

/// Where a setting can be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doors {
    /// In files, by flags and by variables.
    All,
    /// In files.
    File,
    /// By flags.
    Flag,
}

/// How the text of a flag or a variable becomes a value. A file has types of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// As it stands.
    Text,
    /// `true` or `false`; a flag alone is `true`.
    Switch,
    /// A whole number.
    Number,
    /// Texts between commas; a flag may also be repeated.
    List,
    /// `name=text` between commas; a flag may also be repeated.
    Pairs,
    /// `true` or `false`, or else text; a flag alone is `true`.
    Mixed,
}

/// What an empty variable means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Empty {
    /// The same as no variable.
    Unset,
    /// A value of its own.
    Meant,
}

/// One setting as somebody made it.
#[derive(Clone)]
pub(super) struct Setting {
    /// Which.
    pub(super) key: &'static Key,
    /// The path as written, or the canonical one when it came from a flag or a variable.
    pub(super) name: String,
    /// Where.
    pub(super) place: Place,
    /// To what.
    pub(super) value: Value,
    /// The value as written.
    pub(super) shown: String,
    /// "old is now called new", when the name is an older one.
    pub(super) renamed: Option<String>,
}

impl Key {
    /// What a row leaves out.
    pub(super) const BASE: Self = Self {
        name: "",
        kind: Kind::Text,
        empty: Empty::Unset,
        aliases: &[],
        flags: &[],
        variables: &[],
        placeholder: "VALUE",
        help: "",
        default: "",
        status: Status::Used,
        doors: Doors::All,
        set: |_, _| Ok(()),
    };

    /// The canonical flag, without its dashes.
    pub(super) fn flag(&self) -> String {
        flag(self.name)
    }

    /// The canonical variable.
    pub(super) fn variable(&self) -> String {
        variable(self.name)
    }

    /// Every older flag.
    pub(super) fn old_flags(&self) -> impl Iterator<Item = String> {
        let aliases = self.aliases.iter().map(|alias| flag(alias)).filter(|alias| *alias != self.flag());
        aliases.chain(self.flags.iter().map(ToString::to_string))
    }

    /// Every older variable.
    pub(super) fn old_variables(&self) -> impl Iterator<Item = String> {
        let aliases = self.aliases.iter().map(|alias| variable(alias)).filter(|alias| *alias != self.variable());
        aliases.chain(self.variables.iter().map(ToString::to_string))
    }

    /// Whether people are told of it: it is a setting of today.
    pub(super) const fn is_current(&self) -> bool {
        matches!(self.status, Status::Used | Status::Pending)
    }

    /// Whether whoever sets this means to run a server of their own.
    pub(super) fn configures_server(&self) -> bool {
        self.name.starts_with("server.")
    }
}

fn flag(name: &str) -> String {
    name.replace(['.', '_'], "-")
}

fn variable(name: &str) -> String {
    format!("MOQ_{}", name.replace('.', "_").to_ascii_uppercase())
}
