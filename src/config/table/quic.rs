//! `[quic]`: connections.

use crate::{
    config::{
        key::{Key, Kind},
        value::{Reason, Value},
    },
    transport::config::Congestion,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "quic.idle_timeout",
        aliases: &["server.quic.idle_timeout"],
        placeholder: "TIME",
        help: "Silence after which a peer is gone; 0s is never",
        default: "10s",
        set: |config, value| {
            config.transport.quic.idle_timeout = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.keep_alive",
        aliases: &["server.quic.keep_alive"],
        placeholder: "TIME",
        help: "Silence after which a sign of life is sent; 0s is never",
        default: "3s",
        set: |config, value| {
            config.transport.quic.keep_alive = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.max_streams",
        kind: Kind::Number,
        aliases: &["server.quic.max_streams", "server.max_streams"],
        placeholder: "COUNT",
        help: "Streams of each kind that a peer may have open at once; what every session needs is granted in any case",
        default: "as many as it needs",
        set: |config, value| {
            config.transport.quic.max_streams = Some(value.number()?);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.receive_window",
        kind: Kind::Number,
        placeholder: "BYTES",
        help: "Bytes that a peer may have in flight towards this node",
        default: "8388608",
        set: |config, value| {
            config.transport.quic.receive_window = window(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.stream_receive_window",
        kind: Kind::Number,
        placeholder: "BYTES",
        help: "The same, on one stream",
        default: "1048576",
        set: |config, value| {
            config.transport.quic.stream_receive_window = window(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.send_window",
        kind: Kind::Number,
        placeholder: "BYTES",
        help: "Bytes that may wait for the acknowledgement of a peer",
        default: "4194304",
        set: |config, value| {
            config.transport.quic.send_window = window(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.mtu_discovery",
        kind: Kind::Switch,
        aliases: &["server.quic.mtu_discovery"],
        placeholder: "BOOL",
        help: "Try larger packets",
        default: "true",
        set: |config, value| {
            config.transport.quic.mtu_discovery = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.gso",
        kind: Kind::Switch,
        aliases: &["server.quic.gso"],
        placeholder: "BOOL",
        help: "Hand many packets to the kernel at once",
        default: "true",
        set: |config, value| {
            config.transport.quic.gso = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "quic.congestion_control",
        aliases: &["server.quic.congestion_control"],
        placeholder: "NAME",
        help: "How the rate is found: cubic, bbr or new-reno; by their sign of a full path, loss is cubic and delay is bbr",
        default: "bbr",
        set: |config, value| {
            config.transport.quic.congestion_control = congestion(value)?;
            Ok(())
        },
        ..Key::BASE
    },
];

/// How the rate is found.
pub(super) fn congestion(value: &Value) -> Result<Congestion, Reason> {
    match value.text()?.to_ascii_lowercase().as_str() {
        "cubic" | "loss" => Ok(Congestion::Cubic),
        "bbr" | "delay" => Ok(Congestion::Bbr),
        "new-reno" | "newreno" | "reno" => Ok(Congestion::NewReno),
        _ => Err("expected cubic, bbr or new-reno".into()),
    }
}

/// A window of nothing would stop a connection.
fn window(value: &Value) -> Result<u64, Reason> {
    match value.number()? {
        0 => Err("expected 1 or more".into()),
        bytes => Ok(bytes),
    }
}
