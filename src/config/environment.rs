//! `MOQ_*` variables become settings.

use super::{
    Error, Place,
    key::{Doors, Empty, Key, Kind, Setting},
    secret, table,
    value::{Reason, Value},
};

/// Asks for every variable of every setting.
pub(super) fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Setting>, Error> {
    let mut settings = Vec::new();
    for key in table::keys().filter(|key| key.doors == Doors::All) {
        let renamed = |old: &str| Some(format!("{old} is now called {}", key.variable()));
        let old = key.old_variables().map(|variable| (renamed(&variable), variable));
        for (renamed, variable) in [(None, key.variable())].into_iter().chain(old) {
            let text = env(&variable).filter(|text| !text.is_empty() || key.empty == Empty::Meant);
            if let Some(text) = text {
                settings.push(setting(key, Place::Variable(variable), &[text], renamed)?);
            }
        }
    }
    Ok(settings)
}

/// A setting from text: of a variable, or of a flag and its repetitions.
pub(super) fn setting(
    key: &'static Key,
    place: Place,
    texts: &[String],
    renamed: Option<String>,
) -> Result<Setting, Error> {
    let shown = secret::hide(&format!("{:?}", texts.join(",")));
    let name = key.name.to_owned();
    match value(key.kind, texts) {
        Ok(value) => Ok(Setting { key, name, place, value, shown, renamed }),
        Err(Reason(reason)) => Err(Error::Value { place, key: name, value: shown, reason }),
    }
}

fn value(kind: Kind, texts: &[String]) -> Result<Value, Reason> {
    // Only lists may be repeated.
    let text = texts.last().map_or("", String::as_str);
    Ok(match kind {
        Kind::Text => Value::Text(text.to_owned()),
        Kind::Number => Value::Number(text.trim().parse().map_err(|_| "expected a whole number")?),
        Kind::Switch => Value::Switch(switch(text).ok_or("expected true or false")?),
        Kind::Mixed => switch(text).map_or_else(|| Value::Text(text.to_owned()), Value::Switch),
        Kind::Pairs => Value::Table(texts.iter().flat_map(|text| items(text)).map(pair).collect::<Result<_, _>>()?),
        Kind::List => Value::List(texts.iter().flat_map(|text| items(text)).map(Value::Text).collect()),
    })
}

fn pair(text: String) -> Result<(String, Value), Reason> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), Value::Text(value.to_owned())))
}

/// Whether a text says yes or no.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What stands between commas. A stray comma adds nothing, since an empty prefix would open everything; an empty text
/// is meant.
fn items(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return vec![String::new()];
    }
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_comma_opens_nothing() {
        assert_eq!(items("anon, demo,"), ["anon", "demo"]);
        assert_eq!(items(","), Vec::<String>::new());
        assert_eq!(items(" "), [""]);
    }
}
