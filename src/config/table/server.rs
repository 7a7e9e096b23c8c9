//! `[server]`: where people come in.

use crate::{
    config::{
        key::{Key, Kind, Status},
        value::Reason,
    },
    session,
    types::Address,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "server.listen",
        kind: Kind::List,
        // `listen` as a table is how 0.17 calls `server`.
        aliases: &["server.bind", "listen.bind", "listen.listen"],
        flags: &["listen"],
        variables: &["MOQ_LISTEN"],
        placeholder: "ADDRESS",
        help: "Address to serve: UDP for QUIC, TCP for HTTP",
        default: "[::]:443",
        set: |config, value| {
            let addresses = value.texts()?.into_iter().map(Address::parse).collect::<Result<Vec<_>, _>>()?;
            if addresses.is_empty() {
                return Err("expected at least one address".into());
            }
            config.transport.server.listen = addresses;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.tls.cert",
        kind: Kind::List,
        aliases: &["tls.cert", "listen.tls.cert"],
        placeholder: "FILE",
        help: "Certificate chain, a PEM file; the first one whose name fits is shown",
        default: "none",
        set: |config, value| {
            config.transport.server.tls.cert = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.tls.key",
        kind: Kind::List,
        aliases: &["tls.key", "listen.tls.key"],
        placeholder: "FILE",
        help: "Private key of each certificate, a PEM file, in the same order",
        default: "none",
        set: |config, value| {
            config.transport.server.tls.key = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.tls.generate",
        kind: Kind::List,
        aliases: &["tls.generate", "listen.tls.generate"],
        flags: &["tls-self-sign"],
        placeholder: "HOST",
        help: "Host name to make up a certificate for, renewed in place; clients pin it by its fingerprint",
        default: "none",
        set: |config, value| {
            config.transport.server.tls.generate = value.texts()?.into_iter().map(host).collect::<Result<_, _>>()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.tls.root",
        kind: Kind::List,
        aliases: &["listen.tls.root"],
        placeholder: "FILE",
        help: "Authority whose certificates clients may show, a PEM file; they may do everything at the path they ask for",
        default: "none",
        set: |config, value| {
            config.transport.server.tls.root = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.version",
        kind: Kind::List,
        aliases: &["listen.version"],
        placeholder: "DIALECT",
        help: "Dialect to speak with clients, such as moq-lite-05, in place of all finished ones",
        default: "moq-lite-01 to 06",
        set: |config, value| {
            config.session.server = session::Config::offer(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.tcp.listen",
        kind: Kind::List,
        aliases: &["server.tcp.bind", "listen.tcp.bind", "internal.tcp.listen"],
        placeholder: "ADDRESS",
        help: "TCP address for QMux without TLS, for machines that trust their network",
        default: "none",
        set: |config, value| {
            config.transport.server.tcp = value.texts()?.into_iter().map(Address::parse).collect::<Result<_, _>>()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.unix.listen",
        aliases: &["server.unix.bind", "listen.unix.bind", "internal.uds.listen"],
        placeholder: "FILE",
        help: "Unix socket for QMux, for programs on this machine",
        default: "none",
        set: |config, value| {
            let path = value.text()?;
            config.transport.server.unix.listen = (!path.is_empty()).then(|| path.into());
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.unix.allow.uid",
        kind: Kind::List,
        aliases: &["listen.unix.allow.uid", "internal.uds.allow.uid"],
        flags: &["internal-allow-uid"],
        variables: &["MOQ_INTERNAL_ALLOW_UID"],
        placeholder: "ID",
        help: "User that may connect to the Unix socket",
        default: "any",
        set: |config, value| {
            config.transport.server.unix.allow.uid = value.ids()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.unix.allow.gid",
        kind: Kind::List,
        aliases: &["listen.unix.allow.gid", "internal.uds.allow.gid"],
        flags: &["internal-allow-gid"],
        variables: &["MOQ_INTERNAL_ALLOW_GID"],
        placeholder: "ID",
        help: "Group that may connect to the Unix socket",
        default: "any",
        set: |config, value| {
            config.transport.server.unix.allow.gid = value.ids()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.unix.allow.pid",
        kind: Kind::List,
        aliases: &["listen.unix.allow.pid", "internal.uds.allow.pid"],
        flags: &["internal-allow-pid"],
        variables: &["MOQ_INTERNAL_ALLOW_PID"],
        placeholder: "ID",
        help: "Process that may connect to the Unix socket",
        default: "any",
        set: |config, value| {
            config.transport.server.unix.allow.pid = value.ids()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.timeout",
        aliases: &["listen.timeout"],
        placeholder: "TIME",
        help: "How long a client may take for its handshake; 0s is forever",
        default: "10s",
        status: Status::Pending,
        set: |config, value| {
            config.transport.server.timeout = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.preferred_v4",
        aliases: &["server.quic.preferred_v4", "listen.preferred_v4"],
        placeholder: "ADDRESS",
        help: "IPv4 address with a port that clients are asked to move to once they are connected",
        default: "none",
        set: |config, value| {
            let text = value.optional()?;
            config.transport.server.preferred_v4 =
                text.map(str::parse).transpose().map_err(|_| "expected an IPv4 address with a port")?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.preferred_v6",
        aliases: &["server.quic.preferred_v6", "listen.preferred_v6"],
        placeholder: "ADDRESS",
        help: "IPv6 address with a port that clients are asked to move to once they are connected",
        default: "none",
        set: |config, value| {
            let text = value.optional()?;
            config.transport.server.preferred_v6 =
                text.map(str::parse).transpose().map_err(|_| "expected an IPv6 address with a port")?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "server.drain",
        aliases: &["drain_timeout"],
        placeholder: "TIME",
        help: "How long sessions may stay once the relay has been asked to stop and has asked them to move",
        default: "10s",
        set: |config, value| {
            config.session.drain = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
];

/// A host name or IP address. Releases up to 0.6.24 wrote a port behind it, which a certificate has no use for.
fn host(text: &str) -> Result<String, Reason> {
    let name = match text.split_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    let is_literal = name.parse::<std::net::IpAddr>().is_ok();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if is_literal || labels.split('.').all(is_label) {
        Ok(name.to_owned())
    } else {
        Err("expected a host name, such as \"localhost\"".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (text, name) in [
            ("localhost", "localhost"),
            ("localhost:4443", "localhost"),
            ("::1", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("*.example.com", "*.example.com"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(name));
        }
        for text in ["", "a b", "http://a", "a..b", "[::1]"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
