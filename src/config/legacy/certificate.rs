//! Certificates whose key was said in the same breath, or apart.

use super::{News, has, refuse, replace, say, take, texts};
use crate::config::{
    Error, Place,
    key::Setting,
    value::{Reason, Value},
};

/// Until 0.8.9 a certificate was a table of `chain` and `key`, or `chain:key` on the command line; in 0.10.20 both were
/// in one file.
pub(super) fn pairs(settings: &mut Vec<Setting>) -> Result<(), Error> {
    // A file never had the short form, and whoever names the keys does not use it.
    let is_file = settings.iter().any(|setting| matches!(setting.place, Place::Line { .. }));
    let is_short = !is_file && !has(settings, "server.tls.key");
    replace(settings, "server.tls.cert", |value| match value {
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Table(_))) => {
            items.iter().map(described).collect::<Result<Vec<_>, _>>().map(|pairs| Some(apart(pairs)))
        }
        Value::List(items) if is_short => {
            let joined = |item: &Value| {
                let (chain, key) = item.text().ok()?.split_once(':')?;
                Some((chain.to_owned(), key.to_owned()))
            };
            let pairs: Option<Vec<_>> = items.iter().map(joined).collect();
            Ok(pairs.filter(|pairs| !pairs.is_empty()).map(apart))
        }
        _ => Ok(None),
    })?;
    replace(settings, "server.tls.identity", |value| {
        let files = texts(value.texts()?.into_iter().map(str::to_owned).collect());
        Ok(Some(vec![("server.tls.cert", files.clone()), ("server.tls.key", files)]))
    })
}

fn described(item: &Value) -> Result<(String, String), Reason> {
    let entries = item.table()?;
    let text = |name: &str| {
        let found = entries.iter().find(|(key, _)| key == name).ok_or_else(|| Reason(format!("{name} is missing")))?;
        found.1.text().map(str::to_owned)
    };
    match entries.iter().find(|(key, _)| !["chain", "key"].contains(&&**key)) {
        Some((unknown, _)) => Err(format!("unknown key {unknown}: expected chain and key").into()),
        None => Ok((text("chain")?, text("key")?)),
    }
}

fn apart(pairs: Vec<(String, String)>) -> News {
    let (chains, keys) = pairs.into_iter().unzip();
    vec![("server.tls.cert", texts(chains)), ("server.tls.key", texts(keys))]
}

/// What is shown to others was a certificate and a key by name.
pub(super) fn identities(settings: &mut Vec<Setting>) -> Result<(), Error> {
    for (cert, key, identity) in [
        ("auth.tls.cert", "auth.tls.key", "auth.tls.identity"),
        ("client.tls.cert", "client.tls.key", "client.tls.identity"),
    ] {
        let halves: Vec<_> = [cert, key].into_iter().flat_map(|name| take(settings, name)).collect();
        let mut files = Vec::new();
        for half in &halves {
            let file = half.value.text().map_err(|reason| refuse(half, reason))?.to_owned();
            if !files.contains(&file) {
                files.push(file);
            }
        }
        for half in halves {
            settings.extend(say(&half, vec![(identity, texts(files.clone()))]));
        }
    }
    Ok(())
}
