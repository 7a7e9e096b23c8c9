//! Names that say today's settings in another way, which `legacy` knows.

use crate::config::key::{Key, Kind, Status};

pub(super) const KEYS: &[Key] = &[
    Key { name: "auth.path", kind: Kind::Pairs, status: Status::Old, ..Key::BASE },
    Key { name: "auth.public.read", kind: Kind::Switch, status: Status::Old, ..Key::BASE },
    Key { name: "auth.public.write", kind: Kind::Switch, status: Status::Old, ..Key::BASE },
    Key { name: "auth.tls.cert", status: Status::Old, ..Key::BASE },
    Key { name: "auth.tls.key", status: Status::Old, ..Key::BASE },
    Key { name: "client.tls.cert", aliases: &["connect.tls.cert"], status: Status::Old, ..Key::BASE },
    Key { name: "client.tls.key", aliases: &["connect.tls.key"], status: Status::Old, ..Key::BASE },
    Key {
        name: "client.reconnect",
        kind: Kind::Switch,
        aliases: &["connect.reconnect"],
        status: Status::Old,
        ..Key::BASE
    },
    Key { name: "server.tls.identity", kind: Kind::List, status: Status::Old, ..Key::BASE },
    Key { name: "stats.levels", kind: Kind::Number, status: Status::Old, ..Key::BASE },
];
