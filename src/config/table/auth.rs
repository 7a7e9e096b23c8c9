//! `[auth]`: who may do what.

use crate::{
    auth::{self, config::Source},
    config::{
        key::{Empty, Key, Kind, Status},
        value::{Reason, Value},
    },
    types::Path,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "auth.public",
        kind: Kind::List,
        empty: Empty::Meant,
        placeholder: "PREFIX",
        help: "Names below this prefix are anybody's to publish and watch; \"\" opens everything",
        default: "none",
        set: |config, value| {
            config.auth.public.both = auth::Config::public_scope(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.public.subscribe",
        kind: Kind::List,
        empty: Empty::Meant,
        aliases: &["auth.public_subscribe"],
        placeholder: "PREFIX",
        help: "Names below this prefix are anybody's to watch",
        default: "none",
        set: |config, value| {
            config.auth.public.subscribe = auth::Config::public_scope(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.public.publish",
        kind: Kind::List,
        empty: Empty::Meant,
        aliases: &["auth.public_publish"],
        placeholder: "PREFIX",
        help: "Names below this prefix are anybody's to publish",
        default: "none",
        set: |config, value| {
            config.auth.public.publish = auth::Config::public_scope(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.public.api",
        aliases: &["auth.public_api"],
        placeholder: "URL",
        help: "Service that is asked what is public on any other path: GET URL/path",
        default: "none",
        set: |config, value| {
            config.auth.public.api = url(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.key",
        placeholder: "FILE or URL",
        help: "Key that tokens are signed with: a JSON Web Key, or the URL of a JWK Set",
        default: "none",
        set: |config, value| {
            config.auth.key = source(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.key_dir",
        placeholder: "FOLDER or URL",
        help: "Keys by name: the token of key K is checked with K.jwk",
        default: "none",
        set: |config, value| {
            config.auth.key_dir = source(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.paths",
        kind: Kind::Pairs,
        placeholder: "PATH=FILE",
        help: "Keys that count below a path, in place of the others",
        default: "none",
        set: |config, value| {
            let rule = |(path, source): &(String, Value)| match source.text()? {
                "" => Err(Reason(format!("{path:?} has no key: list it in auth.public, if it is meant to be public"))),
                text => Ok((Path::parse(path)?, Source::parse(text))),
            };
            config.auth.paths = value.table()?.iter().map(rule).collect::<Result<_, _>>()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.refresh_interval",
        placeholder: "TIME",
        help: "How often a JWK Set is fetched again, such as 5m or a number of seconds; at least 30s",
        default: "5m",
        set: |config, value| {
            config.auth.refresh_interval = value.seconds()?;
            if config.auth.refresh_interval.as_secs() < 30 {
                return Err("must be at least 30 seconds".into());
            }
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.audience",
        kind: Kind::List,
        placeholder: "NAME",
        help: "Audience that a token must be for; without one, the aud of a token says nothing",
        default: "any",
        set: |config, value| {
            config.auth.audience = value.texts()?.into_iter().map(ToOwned::to_owned).collect();
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.legacy_claims",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Read sub as a grant even where no other claim names a path",
        default: "false",
        set: |config, value| {
            config.auth.legacy_claims = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.token_in_path",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Take a token that is the first segment of the path, or the last one with .jwt behind it",
        default: "false",
        set: |config, value| {
            config.auth.token_in_path = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.deny",
        placeholder: "FILE",
        help: "List of keys (kid NAME) and tokens (jti NAME) that count no more; sessions end when it changes",
        default: "none",
        set: |config, value| {
            let path = value.text()?;
            config.auth.deny = (!path.is_empty()).then(|| path.into());
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.domains",
        kind: Kind::List,
        flags: &["auth-domain"],
        variables: &["MOQ_AUTH_DOMAIN"],
        placeholder: "HOST",
        help: "Host whose subdomains are the beginning of the path: a.HOST/b is HOST/a/b",
        default: "none",
        set: |config, value| {
            let trimmed = value.texts()?.into_iter().map(|host| host.trim_matches('.').to_ascii_lowercase());
            config.auth.domains = trimmed.collect();
            if config.auth.domains.iter().any(String::is_empty) { Err("expected a host name".into()) } else { Ok(()) }
        },
        ..Key::BASE
    },
    Key {
        name: "auth.api",
        aliases: &["auth.auth_api"],
        placeholder: "URL",
        help: "Service that knows keys and public paths: GET URL?root=PATH&kid=KEY",
        default: "none",
        set: |config, value| {
            config.auth.api = url(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.mtls_tier",
        placeholder: "NAME",
        help: "What sessions with a client certificate are counted under",
        default: "none",
        status: Status::Pending,
        set: |config, value| {
            value.text()?.clone_into(&mut config.stats.certificate_tier);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.url",
        placeholder: "URL",
        help: "Service that decides about whoever nothing else lets in: POST to https://, http:// on this machine, or unix:///path",
        default: "none",
        set: |config, value| {
            config.auth.url = service(value.text()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.tls.root",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Root certificates to believe key servers and auth services by, a PEM file",
        default: "those of the system",
        set: |config, value| {
            config.auth.tls.root = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.tls.identity",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Certificate and key to show them, PEM files",
        default: "none",
        set: |config, value| {
            config.auth.tls.identity = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "auth.tls.disable_verify",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Believe any certificate of theirs; only for trying things out",
        default: "false",
        set: |config, value| {
            config.auth.tls.disable_verify = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
];

/// A file or a URL; nothing when it is empty.
fn source(value: &Value) -> Result<Option<Source>, Reason> {
    let text = value.text()?;
    Ok((!text.is_empty()).then(|| Source::parse(text)))
}

fn url(value: &Value) -> Result<Option<String>, Reason> {
    match Source::parse(value.text()?) {
        Source::Url(url) => Ok(Some(url)),
        Source::File(path) if path.as_os_str().is_empty() => Ok(None),
        Source::File(_) => Err("expected a URL, http:// or https://".into()),
    }
}

/// What an auth service is told is worth stealing, so that plain HTTP may go to this machine only.
fn service(text: &str) -> Result<Option<String>, Reason> {
    let local = text.strip_prefix("http://").map(|rest| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = host.map_or(authority, |(host, _)| host);
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    });
    match local {
        _ if text.is_empty() => Ok(None),
        None if !text.starts_with("https://") && !text.starts_with("unix:///") => {
            Err("expected https://, http:// on this machine, or unix:///path".into())
        }
        Some(false) => Err("plain http:// is for this machine only: use https://".into()),
        _ => Ok(Some(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_near_or_encrypted() {
        for text in ["https://a/b", "http://127.0.0.1:4440/", "http://localhost", "http://[::1]:1/x", "unix:///run/a"] {
            assert_eq!(service(text).unwrap().as_deref(), Some(text));
        }
        assert_eq!(service(""), Ok(None));
        for text in ["http://a/", "http://127.0.0.1.evil.com/", "http://localhost.evil/", "ftp://a", "unix:run/a", "a"]
        {
            assert!(service(text).is_err(), "{text}");
        }
    }
}
