//! A configuration as a file of today's names, each value with the place it comes from.

use toml_edit::{Array, InlineTable, Value as Toml};

use super::{Loaded, Place, key::Key, layers::Source, secret, table, value::Value};

impl Loaded {
    /// All that a relay would go by, in TOML; what holds because nobody says otherwise is a comment.
    pub fn effective(&self) -> String {
        let mut text = String::new();
        let mut table = "";
        for key in table::keys().filter(|key| key.is_current()) {
            let (first, rest) = key.name.split_once('.').unwrap_or(("", key.name));
            if first != table {
                let gap = if table.is_empty() { "" } else { "\n" };
                text += &format!("{gap}[{first}]\n");
                table = first;
            }
            text += &match self.sources.get(key.name) {
                Some(source) => format!("{} = {}  # {}\n", self.name(rest), shown(&source.value), origin(key, source)),
                None => format!("# {rest} = {}  # default\n", key.default),
            };
        }
        if let Some(filter) = &self.config.log.filter {
            text += &format!("# level = {filter:?}  # RUST_LOG\n");
        }
        text
    }

    /// In one file `auth.public` is a value or a table; what cannot be in that table has a name beside it.
    fn name(&self, rest: &str) -> String {
        match rest.strip_prefix("public.") {
            Some(what) if self.sources.contains_key("auth.public") => format!("public_{what}"),
            _ => rest.to_owned(),
        }
    }
}

fn origin(key: &Key, source: &Source) -> String {
    match &source.place {
        Place::Line { .. } if source.name != key.name => format!("{} ({})", source.place, source.name),
        place => place.to_string(),
    }
}

/// One line, without secrets.
fn shown(value: &Value) -> String {
    secret::hide(&toml(value, Secrets::Hidden).to_string()).replace('\n', "\\n")
}

/// Whether tokens are written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// As they are.
    Shown,
    /// As `…`.
    Hidden,
}

/// A value in TOML.
pub(super) fn toml(value: &Value, secrets: Secrets) -> Toml {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Switch(on) => (*on).into(),
        Value::Number(number) => (*number).into(),
        Value::List(items) => items.iter().map(|item| toml(item, secrets)).collect::<Array>().into(),
        Value::Table(entries) => {
            let entry = |(name, value): &(String, Value)| {
                let is_hidden = secrets == Secrets::Hidden && name == "token";
                (name.clone(), if is_hidden { "…".into() } else { toml(value, secrets) })
            };
            entries.iter().map(entry).collect::<InlineTable>().into()
        }
        Value::Other(name) => (*name).into(),
    }
}
