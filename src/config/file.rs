//! A TOML file becomes settings, each with its line.

use std::{fs, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Error, Place, key::Setting, names, secret, value::Value};

/// Reads the file at `path`.
pub(super) fn open(path: &Path) -> Result<Vec<Setting>, Error> {
    parse(&path.display().to_string(), &read(path)?)
}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::Unreadable { path: path.to_owned(), error })
}

/// Reads `text`, called `file` in messages.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Setting>, Error> {
    let source = Source { file, text: text.strip_prefix('\u{feff}').unwrap_or(text) };
    let document = DeTable::parse(source.text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let reason = error.message().trim_end().replace('\n', ", ");
        Error::Syntax { place: source.place(offset), line: source.line(offset), reason }
    })?;
    let mut leaves = Vec::new();
    flatten("", document.get_ref(), &mut leaves);
    // Tables come sorted by name; people read from the top.
    leaves.sort_by_key(|leaf| leaf.offset);
    leaves.into_iter().map(|leaf| source.setting(leaf)).collect()
}

/// The text of a file and its name.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

/// A path that is not a known table, and what stands there.
struct Leaf<'a> {
    path: String,
    /// Where the key starts, in bytes.
    offset: usize,
    value: &'a Spanned<DeValue<'a>>,
}

/// Collects what lies below `prefix`, descending only where settings are known to be.
fn flatten<'a>(prefix: &str, table: &'a DeTable<'a>, leaves: &mut Vec<Leaf<'a>>) {
    for (key, value) in table {
        let separator = if prefix.is_empty() { "" } else { "." };
        let path = format!("{prefix}{separator}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if names::is_table(&path) => flatten(&path, inner, leaves),
            _ => leaves.push(Leaf { path, offset: key.span().start, value }),
        }
    }
}

impl Source<'_> {
    fn setting(&self, leaf: Leaf<'_>) -> Result<Setting, Error> {
        let place = self.place(leaf.offset);
        let shown = self.excerpt(leaf.value);
        let Some(key) = names::find(&leaf.path) else {
            let closest = names::closest(&leaf.path);
            return Err(if names::is_table(&leaf.path) {
                let reason = "this is a table: set one of its keys".into();
                Error::Value { place, key: leaf.path, value: shown, reason }
            } else {
                Error::UnknownKey { place, key: leaf.path, closest }
            });
        };
        let renamed = (leaf.path != key.name).then(|| format!("{place}: {} is now called {}", leaf.path, key.name));
        Ok(Setting { key, name: leaf.path, place, value: value(leaf.value.get_ref()), shown, renamed })
    }

    fn place(&self, offset: usize) -> Place {
        let line = 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        Place::Line { file: self.file.to_owned(), line }
    }

    /// The line around `offset`.
    fn line(&self, offset: usize) -> String {
        let (before, after) = self.text.split_at_checked(offset).unwrap_or((self.text, ""));
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        excerpt(&format!("{}{}", &before[start..], after.lines().next().unwrap_or_default()))
    }

    /// A value as it was written.
    fn excerpt(&self, value: &Spanned<DeValue<'_>>) -> String {
        excerpt(&secret::hide(self.text.get(value.span()).unwrap_or_default()))
    }
}

/// A text that fits in a message: its first line, or the beginning of it.
fn excerpt(text: &str) -> String {
    /// Enough to recognise it.
    const CHARS: usize = 80;

    let line = text.lines().next().unwrap_or_default();
    let mut excerpt: String = line.trim().chars().take(CHARS).collect();
    if excerpt.len() < text.trim().len() {
        excerpt.push('…');
    }
    excerpt
}

fn value(toml: &DeValue<'_>) -> Value {
    match toml {
        DeValue::String(text) => Value::Text(text.as_ref().to_owned()),
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number that is too large"),
        },
        DeValue::Array(list) => Value::List(list.iter().map(|item| value(item.get_ref())).collect()),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(table) => {
            Value::Table(table.iter().map(|(key, item)| (key.get_ref().to_string(), value(item.get_ref()))).collect())
        }
    }
}
