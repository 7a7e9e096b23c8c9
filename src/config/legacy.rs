//! What older releases said in another way: not by another name only, but with other values or in another place.
//!
//! A source is translated as a whole, since some of its words mean something together only.

mod access;
mod certificate;

use super::{
    Error, Place,
    key::Setting,
    names,
    value::{Reason, Value},
};

/// Settings of today, by name.
type News = Vec<(&'static str, Value)>;

/// Says the settings of one source in today's words.
pub(super) fn translate(mut settings: Vec<Setting>) -> Result<Vec<Setting>, Error> {
    certificate::pairs(&mut settings)?;
    certificate::identities(&mut settings)?;
    access::rules(&mut settings)?;
    replace(&mut settings, "cluster.mesh", |value| match value {
        Value::Text(text) if crate::cluster::config::is_url(text) => {
            Ok(Some(vec![("cluster.node", value.clone()), ("cluster.mesh", Value::Switch(true))]))
        }
        Value::Text(text) => match text.as_str() {
            "true" | "false" => Ok(Some(vec![("cluster.mesh", Value::Switch(text == "true"))])),
            _ => Err("expected true or false".into()),
        },
        _ => Ok(None),
    })?;
    replace(&mut settings, "client.reconnect", |value| {
        Ok(Some(vec![("client.once", Value::Switch(!value.switch()?))]))
    })?;
    for name in ["server.version", "client.version"] {
        replace(&mut settings, name, |value| Ok(finished(value)?.map(|names| vec![(name, names)])))?;
    }
    // The first level was everything together, which is no depth at all.
    replace(&mut settings, "stats.levels", |value| {
        let depth = i64::try_from(value.number()?.saturating_sub(1)).unwrap_or(i64::MAX);
        Ok(Some(vec![("stats.depth", Value::Number(depth))]))
    })?;
    Ok(settings)
}

/// Versions that were still unfinished, as releases up to 0.14 called them, by their names of today.
fn finished(names: &Value) -> Result<Option<Value>, Reason> {
    const UNFINISHED: [&str; 2] = ["moq-lite-05-wip", "moq-lite-06-wip"];

    let names = names.texts()?;
    let is_unfinished = |name: &str| UNFINISHED.contains(&name);
    let finish = |name: &&str| name.strip_suffix("-wip").filter(|_| is_unfinished(name)).unwrap_or(name).to_owned();
    Ok(names.iter().any(|name| is_unfinished(name)).then(|| texts(names.iter().map(finish).collect())))
}

/// Puts what `news` makes of a setting in its place.
fn replace(
    settings: &mut Vec<Setting>,
    name: &str,
    news: impl Fn(&Value) -> Result<Option<News>, Reason>,
) -> Result<(), Error> {
    while let Some(index) = settings.iter().position(|setting| setting.key.name == name) {
        let old = &settings[index];
        let Some(news) = news(&old.value).map_err(|reason| refuse(old, reason))? else { return Ok(()) };
        let is_over = news.iter().any(|(new, _)| *new == name);
        let news = say(old, news);
        settings.splice(index..=index, news);
        if is_over {
            break;
        }
    }
    Ok(())
}

/// Settings of today in the name of an older one, the first with a note that tells of all.
fn say(old: &Setting, news: News) -> Vec<Setting> {
    let names: Vec<_> = news.iter().map(|(name, _)| *name).collect();
    let old_name = match &old.place {
        Place::Line { .. } => format!("{}: {}", old.place, old.name),
        place => place.to_string(),
    };
    let mut note = Some(format!("{old_name} is now said with {}", names.join(", ")));
    news.into_iter()
        .filter_map(|(name, value)| {
            let key = names::find(name)?;
            Some(Setting { key, value, renamed: note.take(), ..old.clone() })
        })
        .collect()
}

fn refuse(setting: &Setting, Reason(reason): Reason) -> Error {
    let Setting { name, place, shown, .. } = setting.clone();
    Error::Value { place, key: name, value: shown, reason }
}

/// Takes out every setting of this name.
fn take(settings: &mut Vec<Setting>, name: &str) -> Vec<Setting> {
    let (taken, left) = settings.drain(..).partition(|setting| setting.key.name == name);
    *settings = left;
    taken
}

fn has(settings: &[Setting], name: &str) -> bool {
    settings.iter().any(|setting| setting.key.name == name)
}

fn texts(list: Vec<String>) -> Value {
    Value::List(list.into_iter().map(Value::Text).collect())
}
