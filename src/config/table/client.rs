//! `[client]`: how this node dials others.

use crate::{
    config::key::{Key, Kind},
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
        name: "client.tls.disable_verify",
        kind: Kind::Switch,
        aliases: &["connect.tls.insecure", "connect.tls.disable_verify"],
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
        help: "Dialect to speak with other nodes, once there are clusters, in place of all finished ones",
        default: "moq-lite-01 to 06",
        set: |config, value| {
            config.session.client = session::Config::offer(value.texts()?)?;
            Ok(())
        },
        ..Key::BASE
    },
];
