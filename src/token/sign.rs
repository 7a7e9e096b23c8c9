//! `sign`: a token of a key.

use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value};

use super::{Error, file, option, options, refused, text, texts};
use crate::auth::{self, Signer, Token};

pub(super) fn command() -> Command {
    Command::new("sign").about("Make a token and print it").args([
        option("root", "PATH", "Path that it is for; the names below are relative to it").visible_alias("path"),
        options(
            "publish",
            "NAME",
            "Names at or below this one may be published; \"\" is all of --root; may be repeated",
        ),
        options("subscribe", "NAME", "Names at or below this one may be watched; may be repeated"),
        Arg::new("cluster").long("cluster").help("Its holder is a node of the cluster").action(ArgAction::SetTrue),
        option("expires", "WHEN", "When it ends: in 1h, at 2030-01-01T00:00:00Z, or at so many seconds since 1970"),
        option("issued", "WHEN", "When it was made: seconds since 1970, or a date"),
        option("not-before", "WHEN", "When it begins to count, as in --expires"),
        option("id", "JTI", "Its name, by which it can be revoked"),
        option("audience", "NAME", "Whom it is for"),
    ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<String, Error> {
    let path = text(matches, "key").ok_or_else(|| Error::Option("key", "a key is needed to sign".to_owned()))?;
    let jwk = file::key(path)?;
    let wrong = |error| Error::Key(path.to_owned(), error);
    let signer = Signer::new(&jwk).map_err(wrong)?;
    let claims = claims(matches, auth::wall_clock())?;
    let token = signer.sign(Value::Object(claims).to_string().as_bytes()).map_err(wrong)?;
    // A token that nobody would take is told of here, where somebody can do something about it.
    if let Some(made) = Token::new(token.as_str()) {
        auth::check(&made, &jwk).map_err(refused)?;
    }
    Ok(format!("{token}\n"))
}

fn claims(matches: &ArgMatches, now: SystemTime) -> Result<Map<String, Value>, Error> {
    let mut claims = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    let one = |name: &str| text(matches, name).filter(|text| !text.is_empty()).map(Value::from);
    let list = |name: &str| Some(texts(matches, name)).filter(|list| !list.is_empty()).map(Value::from);
    let time = |name: &'static str| {
        let parsed = text(matches, name).map(|text| when(text, now).map_err(|reason| Error::Option(name, reason)));
        parsed.transpose().map(|time| time.map(Value::from))
    };
    add("root", one("root"));
    add("put", list("publish"));
    add("cluster", matches.get_flag("cluster").then_some(true.into()));
    add("get", list("subscribe"));
    add("exp", time("expires")?);
    add("iat", time("issued")?);
    add("nbf", time("not-before")?);
    add("jti", one("id"));
    add("aud", one("audience"));
    Ok(claims)
}

/// Seconds since 1970.
fn when(text: &str, now: SystemTime) -> Result<u64, String> {
    const EXPECTED: &str = "expected a time such as 1h, a date such as 2030-01-01T00:00:00Z, or seconds since 1970";

    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs());
    let later = |wait: Duration| now.checked_add(wait);
    let time = humantime::parse_rfc3339_weak(text).ok();
    let time = time.or_else(|| humantime::parse_duration(text).ok().and_then(later));
    time.and_then(|time| seconds(time).ok()).ok_or_else(|| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_spelling() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        for (text, expected) in [
            ("1900000000", Some(1_900_000_000)),
            ("1h", Some(4600)),
            ("1h 30m", Some(6400)),
            ("2030-01-01T00:00:00Z", Some(1_893_456_000)),
            ("2030-01-01", None),
            ("-5", None),
            ("soon", None),
            ("1960-01-01T00:00:00Z", None),
        ] {
            assert_eq!(when(text, now).ok(), expected, "{text}");
        }
    }
}
