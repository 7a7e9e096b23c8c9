//! `[auth]`: who may do what.

use crate::{
    auth,
    config::key::{Empty, Key, Kind},
};

pub(super) const KEYS: &[Key] = &[Key {
    name: "auth.public",
    kind: Kind::List,
    empty: Empty::Meant,
    placeholder: "PREFIX",
    help: "Names below this prefix are anybody's to publish and watch; \"\" opens everything",
    default: "none",
    set: |config, value| {
        config.auth.public = auth::Config::public_scope(value.texts()?)?;
        Ok(())
    },
    ..Key::BASE
}];
