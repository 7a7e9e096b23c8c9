//! `[web]`: HTTP.

use crate::{
    config::key::{Empty, Key, Kind},
    types::Address,
    web::config::Listen,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "web.http.listen",
        empty: Empty::Meant,
        placeholder: "ADDRESS",
        help: "Address for plain HTTP; \"\" turns it off",
        default: "the TCP side of server.listen",
        set: |config, value| {
            config.web.http.listen = match value.text()? {
                "" => Listen::Off,
                address => Listen::At(Address::parse(address)?),
            };
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "web.https.listen",
        placeholder: "ADDRESS",
        help: "Address for HTTP over TLS; plain HTTP is then served only where web.http.listen says",
        default: "none",
        set: |config, value| {
            config.web.https.listen = match value.text()? {
                "" => None,
                address => Some(Address::parse(address)?),
            };
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "web.https.cert",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Certificate chain for HTTPS, a PEM file",
        default: "those of server.tls",
        set: |config, value| {
            config.web.https.cert = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "web.https.key",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Private key of each certificate for HTTPS, a PEM file, in the same order",
        default: "those of server.tls",
        set: |config, value| {
            config.web.https.key = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "web.https.root",
        kind: Kind::List,
        placeholder: "FILE",
        help: "Authority whose certificates clients may show there, a PEM file",
        default: "those of server.tls",
        set: |config, value| {
            config.web.https.root = value.paths()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "web.ws",
        kind: Kind::Switch,
        placeholder: "BOOL",
        help: "Let sessions come in by WebSocket, at any path of the HTTP addresses",
        default: "true",
        set: |config, value| {
            config.web.ws = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
];
