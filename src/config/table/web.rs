//! `[web]`: HTTP.

use crate::{
    config::key::{Empty, Key},
    types::Address,
    web::config::Listen,
};

pub(super) const KEYS: &[Key] = &[Key {
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
}];
