//! `[client]`: how this node dials others.

use super::quic::congestion;
use crate::{
    cluster::config::Redirect,
    config::{
        key::{Key, Kind, Status},
        value::{Reason, Value},
    },
    session,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "client.bind",
        aliases: &["connect.bind"],
        placeholder: "ADDRESS",
        help: "UDP address to dial other nodes from",
        default: "[::]:0",
        set: |config, value| {
            let address =
                value.text()?.parse().map_err(|_| "expected an IP address with a port, such as \"[::]:0\"")?;
            config.transport.client.bind = address;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.root",
        kind: Kind::List,
        aliases: &["connect.tls.root"],
        flags: &["tls-root"],
        placeholder: "FILE",
        help: "Root certificates to believe other nodes by, a PEM file",
        default: "those of the system",
        set: |config, value| {
            config.transport.client.tls.root = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.system_roots",
        kind: Kind::Switch,
        aliases: &["connect.tls.system_roots"],
        flags: &["tls-system-roots"],
        placeholder: "BOOL",
        help: "Believe other nodes by the root certificates of the system too",
        default: "only without client.tls.root",
        set: |config, value| {
            config.transport.client.tls.system_roots = Some(value.switch()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.fingerprint",
        kind: Kind::List,
        aliases: &["connect.tls.fingerprint"],
        flags: &["tls-fingerprint"],
        placeholder: "HEX",
        help: "SHA-256 of a certificate to believe whoever signed it, in hex",
        default: "none",
        set: |config, value| {
            config.transport.client.tls.fingerprint =
                value.texts()?.into_iter().map(fingerprint).collect::<Result<_, _>>()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.identity",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Certificate and key to show other nodes, PEM files",
        default: "none",
        set: |config, value| {
            config.transport.client.tls.identity = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.host_name",
        aliases: &["connect.tls.host_name"],
        placeholder: "HOST",
        help: "Name to expect of other nodes, in place of the host that is dialed",
        default: "none",
        set: |config, value| {
            config.transport.client.tls.host_name = value.optional()?.map(str::to_owned);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.tls.disable_verify",
        kind: Kind::Switch,
        aliases: &["connect.tls.insecure", "connect.tls.disable_verify", "client.tls.insecure"],
        flags: &["tls-disable-verify"],
        placeholder: "BOOL",
        help: "Believe any certificate of other nodes; only for trying things out",
        default: "false",
        set: |config, value| {
            config.transport.client.tls.disable_verify = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.version",
        kind: Kind::List,
        aliases: &["connect.version"],
        placeholder: "DIALECT",
        help: "Dialect to speak with other nodes, in place of all finished ones",
        default: "moq-lite-01 to 06",
        set: |config, value| {
            config.session.client = session::Config::offer(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.timeout",
        aliases: &["connect.timeout"],
        flags: &["client-connect-timeout"],
        variables: &["MOQ_CLIENT_CONNECT_TIMEOUT"],
        placeholder: "TIME",
        help: "Longest time until a session with another node stands; 0s is an hour",
        default: "5s",
        set: |config, value| {
            config.cluster.dial.timeout = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.race",
        aliases: &["connect.race", "client.failover_delay", "connect.failover_delay"],
        placeholder: "TIME",
        help: "Time between the addresses of a host, when it has several",
        default: "250ms",
        set: |config, value| {
            config.cluster.dial.race = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.resolution_delay",
        aliases: &["connect.resolution_delay"],
        placeholder: "TIME",
        help: "How long one family of addresses is waited for once the other is known",
        default: "50ms",
        status: Status::Pending,
        set: |config, value| {
            config.cluster.dial.resolution_delay = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.once",
        kind: Kind::Switch,
        aliases: &["connect.once"],
        placeholder: "BOOL",
        help: "Do not dial a node again once its session has ended",
        default: "false",
        set: |config, value| {
            config.cluster.dial.once = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.backoff.initial",
        aliases: &["connect.backoff.initial"],
        flags: &["backoff-initial"],
        variables: &["MOQ_BACKOFF_INITIAL"],
        placeholder: "TIME",
        help: "Time until a node is dialed again",
        default: "500ms",
        set: |config, value| {
            config.cluster.dial.backoff.initial = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.backoff.multiplier",
        kind: Kind::Number,
        aliases: &["connect.backoff.multiplier"],
        flags: &["backoff-multiplier"],
        variables: &["MOQ_BACKOFF_MULTIPLIER"],
        placeholder: "COUNT",
        help: "How much longer each next time is",
        default: "2",
        set: |config, value| {
            let multiplier = u32::try_from(value.number()?).ok().filter(|times| *times > 0);
            config.cluster.dial.backoff.multiplier = multiplier.ok_or("expected 1 or more")?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.backoff.max",
        aliases: &["connect.backoff.max"],
        flags: &["backoff-max"],
        variables: &["MOQ_BACKOFF_MAX"],
        placeholder: "TIME",
        help: "Longest such time",
        default: "10s",
        set: |config, value| {
            config.cluster.dial.backoff.max = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.backoff.timeout",
        aliases: &["connect.backoff.timeout"],
        flags: &["backoff-timeout"],
        variables: &["MOQ_BACKOFF_TIMEOUT"],
        placeholder: "TIME",
        help: "Time after which a node is given up",
        default: "never",
        set: |config, value| {
            config.cluster.dial.backoff.timeout = Some(value.duration()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.goaway.redirect",
        aliases: &["connect.goaway.redirect"],
        flags: &["goaway-redirect"],
        variables: &["MOQ_GOAWAY_REDIRECT"],
        placeholder: "WHERE",
        help: "Where another node may send this one: follow, same-host or ignore",
        default: "same-host",
        set: |config, value| {
            config.cluster.dial.goaway.redirect = redirect(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.goaway.handover",
        aliases: &["connect.goaway.handover"],
        flags: &["goaway-handover"],
        variables: &["MOQ_GOAWAY_HANDOVER"],
        placeholder: "TIME",
        help: "How long the old session then stays beside the new one",
        default: "10s",
        set: |config, value| {
            config.cluster.dial.goaway.handover = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.websocket.enabled",
        kind: Kind::Switch,
        aliases: &["connect.websocket.enabled"],
        flags: &["websocket-enabled"],
        placeholder: "BOOL",
        help: "Dial other nodes by WebSocket too, where UDP does not get through",
        default: "true",
        set: |config, value| {
            config.cluster.dial.websocket.enabled = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.websocket.delay",
        aliases: &["connect.websocket.delay"],
        flags: &["websocket-delay"],
        placeholder: "TIME",
        help: "How much later than by QUIC",
        default: "200ms",
        set: |config, value| {
            config.cluster.dial.websocket.delay = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.idle_timeout",
        placeholder: "TIME",
        help: "What holds in place of quic.idle_timeout where this node dials",
        default: "5s, or quic.idle_timeout if that is less",
        set: |config, value| {
            config.transport.client.quic.idle_timeout = Some(value.duration()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.keep_alive",
        placeholder: "TIME",
        help: "What holds in place of quic.keep_alive where this node dials",
        default: "1s, or quic.keep_alive if that is less",
        set: |config, value| {
            config.transport.client.quic.keep_alive = Some(value.duration()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.max_streams",
        kind: Kind::Number,
        aliases: &["client.max_streams"],
        placeholder: "COUNT",
        help: "What holds in place of quic.max_streams where this node dials",
        default: "as quic.max_streams",
        set: |config, value| {
            config.transport.client.quic.max_streams = Some(value.number()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.mtu_discovery",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "What holds in place of quic.mtu_discovery where this node dials",
        default: "as quic.mtu_discovery",
        set: |config, value| {
            config.transport.client.quic.mtu_discovery = Some(value.switch()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.gso",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "What holds in place of quic.gso where this node dials",
        default: "as quic.gso",
        set: |config, value| {
            config.transport.client.quic.gso = Some(value.switch()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "client.quic.congestion_control",
        placeholder: "NAME",
        help: "What holds in place of quic.congestion_control where this node dials",
        default: "as quic.congestion_control",
        set: |config, value| {
            config.transport.client.quic.congestion_control = Some(congestion(value)?);
            Ok(())
        },
        ..Key::BASE
    },
];

fn fingerprint(text: &str) -> Result<String, Reason> {
    let hex = text.replace(':', "").to_ascii_lowercase();
    let is_sha256 = hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit());
    if is_sha256 { Ok(hex) } else { Err("expected 64 hexadecimal digits".into()) }
}

fn redirect(value: &Value) -> Result<Redirect, Reason> {
    match value.text()?.to_ascii_lowercase().as_str() {
        "follow" => Ok(Redirect::Follow),
        "same-host" => Ok(Redirect::SameHost),
        "ignore" => Ok(Redirect::Ignore),
        _ => Err("expected follow, same-host or ignore".into()),
    }
}
