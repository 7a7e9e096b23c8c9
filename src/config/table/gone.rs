//! What other releases could do and this relay does not: refused where it is switched on, and a line in the log where
//! it is off.

use crate::config::{
    key::{Doors, Key, Kind, Status},
    value::Value,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "iroh.enabled",
        kind: Kind::Switch,
        status: Status::Gone { off: switched_off, why: IROH },
        ..Key::BASE
    },
    Key { name: "iroh.secret", status: Status::Gone { off: never_on, why: IROH }, ..Key::BASE },
    Key { name: "iroh.bind_v4", status: Status::Gone { off: never_on, why: IROH }, ..Key::BASE },
    Key { name: "iroh.bind_v6", status: Status::Gone { off: never_on, why: IROH }, ..Key::BASE },
    Key {
        name: "iroh.disable_relay",
        kind: Kind::Switch,
        status: Status::Gone { off: never_on, why: IROH },
        ..Key::BASE
    },
    Key { name: "server.backend", status: Status::Gone { off: is_quinn, why: BACKEND }, ..Key::BASE },
    Key { name: "client.backend", status: Status::Gone { off: is_quinn, why: BACKEND }, ..Key::BASE },
    Key {
        name: "server.quic_lb_id",
        aliases: &["server.quic.quic_lb_id", "listen.load_balancer.id"],
        flags: &["listen-quic-lb-id"],
        variables: &["MOQ_LISTEN_QUIC_LB_ID"],
        status: Status::Gone { off: is_empty, why: QUIC_LB },
        ..Key::BASE
    },
    Key {
        name: "server.quic_lb_nonce",
        kind: Kind::Number,
        aliases: &["server.quic.quic_lb_nonce", "listen.load_balancer.nonce"],
        flags: &["listen-quic-lb-nonce"],
        variables: &["MOQ_LISTEN_QUIC_LB_NONCE"],
        status: Status::Gone { off: never_on, why: QUIC_LB },
        ..Key::BASE
    },
    Key {
        name: "quic.qlog",
        aliases: &["server.quic.qlog", "client.quic.qlog"],
        status: Status::Gone { off: is_empty, why: QLOG },
        ..Key::BASE
    },
    Key {
        name: "runtime.io_uring",
        kind: Kind::Switch,
        status: Status::Gone { off: switched_off, why: IO_URING },
        ..Key::BASE
    },
    Key {
        name: "cluster.lan.enabled",
        kind: Kind::Switch,
        flags: &["cluster-lan"],
        variables: &["MOQ_CLUSTER_LAN"],
        status: Status::Gone { off: switched_off, why: LAN },
        ..Key::BASE
    },
    Key { name: "cluster.lan.secret", status: Status::Gone { off: never_on, why: LAN }, ..Key::BASE },
    Key { name: "cluster.lan.app", status: Status::Gone { off: never_on, why: LAN }, ..Key::BASE },
    Key {
        name: "client.connect",
        aliases: &["connect.url", "connect.connect"],
        flags: &["connect"],
        variables: &["MOQ_CONNECT"],
        status: Status::Gone { off: never_on, why: NO_CLIENT },
        ..Key::BASE
    },
    Key { name: "web.health.cpu", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.ram", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.rx", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.tx", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.load1", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.load5", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.load15", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.api", status: Status::Gone { off: is_empty, why: HEALTH }, ..Key::BASE },
    Key { name: "web.health.interval", status: Status::Gone { off: never_on, why: HEALTH }, ..Key::BASE },
    Key {
        name: "dev",
        kind: Kind::Switch,
        doors: Doors::Flag,
        status: Status::Gone { off: never_on, why: DEV },
        ..Key::BASE
    },
    Key { name: "file", doors: Doors::File, status: Status::Gone { off: never_on, why: FILE }, ..Key::BASE },
];

const IROH: &str = "this relay has no iroh: clients come in by QUIC, WebSocket, TCP and Unix sockets";
const BACKEND: &str = "there is one implementation of QUIC here, quinn";
const QUIC_LB: &str = "this relay does not make connection ids that load balancers can read";
const QLOG: &str = "this relay does not write qlog; --log-level debug tells of every session";
const IO_URING: &str = "this relay does not use io_uring";
const LAN: &str = "nodes do not find each other by mDNS: name them with cluster.connect";
const NO_CLIENT: &str = "a relay does not use it: other nodes are named with cluster.connect";
const HEALTH: &str = "/health does not judge the load of the machine: let the monitoring of the machine do that";
const DEV: &str = "HTTP is always served";
const FILE: &str = "the file is the one that is read";

fn switched_off(value: &Value) -> bool {
    *value == Value::Switch(false)
}

/// Says nothing by itself, only how something else would be done that has a switch of its own.
const fn never_on(_: &Value) -> bool {
    true
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.is_empty())
}

fn is_quinn(value: &Value) -> bool {
    matches!(value, Value::Text(name) if ["", "quinn"].contains(&&*name.to_ascii_lowercase()))
}
