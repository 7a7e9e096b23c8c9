//! Access as releases 0.7.1 to 0.7.8 said it: a key for each path, and no key for what is public.

use super::{News, has, refuse, say, take, texts};
use crate::config::{
    Error,
    key::Setting,
    value::{Reason, Value},
};

/// What the rules of one source say together.
#[derive(Default)]
struct Rules {
    /// Keys of paths.
    keys: Vec<(String, Value)>,
    /// Paths anybody may watch.
    subscribe: Vec<String>,
    /// Paths anybody may publish.
    publish: Vec<String>,
    /// A path has nothing but the name of a file: tokens then were in the path.
    short: bool,
}

/// Reads `auth.path`, `auth.public.read` and `auth.public.write`.
pub(super) fn rules(settings: &mut Vec<Setting>) -> Result<(), Error> {
    let mut said = Vec::new();
    let mut rules = Rules::default();
    for name in ["auth.public.read", "auth.public.write", "auth.path"] {
        for setting in take(settings, name) {
            let read = match name {
                "auth.path" => setting.value.table().and_then(|entries| rules.paths(entries)),
                "auth.public.read" => setting.value.switch().map(|on| rules.subscribe.extend(on.then(String::new))),
                _ => setting.value.switch().map(|on| rules.publish.extend(on.then(String::new))),
            };
            read.map_err(|reason| refuse(&setting, reason))?;
            said.push(setting);
        }
    }
    let tells_where_tokens_are = has(settings, "auth.token_in_path");
    let news = rules.news(tells_where_tokens_are);
    for setting in said {
        settings.extend(say(&setting, news.clone()));
    }
    Ok(())
}

impl Rules {
    fn paths(&mut self, entries: &[(String, Value)]) -> Result<(), Reason> {
        for (path, rule) in entries {
            let within = |Reason(reason)| Reason(format!("{path}: {reason}"));
            match rule {
                Value::Table(rule) => self.rule(path, rule).map_err(within)?,
                file => {
                    let file = file.text().map_err(within)?;
                    self.short = true;
                    self.key(path, file);
                    self.public(path, file.is_empty(), file.is_empty());
                }
            }
        }
        Ok(())
    }

    /// A table of `key` and `public`. Without a key everything is public unless it says otherwise, with one nothing is.
    fn rule(&mut self, path: &str, rule: &[(String, Value)]) -> Result<(), Reason> {
        let (mut file, mut read, mut write) = (None, None, None);
        for (name, value) in rule {
            match &**name {
                "key" => file = Some(value.text()?),
                "public" => {
                    for (name, value) in value.table()? {
                        match &**name {
                            "read" => read = Some(value.switch()?),
                            "write" => write = Some(value.switch()?),
                            _ => return Err(format!("unknown key public.{name}: expected read or write").into()),
                        }
                    }
                }
                _ => return Err(format!("unknown key {name}: expected key or public").into()),
            }
        }
        let open = file == Some("");
        self.key(path, file.unwrap_or_default());
        self.public(path, read.unwrap_or(open), write.unwrap_or(open));
        Ok(())
    }

    fn key(&mut self, path: &str, file: &str) {
        if !file.is_empty() {
            self.keys.push((path.to_owned(), Value::Text(file.to_owned())));
        }
    }

    fn public(&mut self, path: &str, read: bool, write: bool) {
        self.subscribe.extend(read.then(|| path.to_owned()));
        self.publish.extend(write.then(|| path.to_owned()));
    }

    fn news(self, tells_where_tokens_are: bool) -> News {
        let mut news = Vec::new();
        if self.short && !tells_where_tokens_are {
            news.push(("auth.token_in_path", Value::Switch(true)));
        }
        if self.subscribe == self.publish {
            if !self.publish.is_empty() {
                news.push(("auth.public", texts(self.publish)));
            }
        } else {
            news.push(("auth.public.subscribe", texts(self.subscribe)));
            news.push(("auth.public.publish", texts(self.publish)));
        }
        if !self.keys.is_empty() || news.is_empty() {
            news.push(("auth.paths", Value::Table(self.keys)));
        }
        news
    }
}
