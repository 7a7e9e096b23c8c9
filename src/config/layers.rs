//! Settings over settings: each source goes over the ones before it, and each is remembered for messages.

use std::collections::HashMap;

use super::{
    Config, Error, Place,
    key::{Key, Setting, Status},
    legacy, table,
    value::{Reason, Value},
};

/// The configuration so far.
#[derive(Default)]
pub(super) struct Layers {
    /// Defaults, under everything that was added.
    pub(super) config: Config,
    /// A line per older name.
    pub(super) notes: Vec<String>,
    /// What was set, by canonical name.
    pub(super) sources: Sources,
}

/// Where each setting that is not a default comes from.
pub(super) type Sources = HashMap<&'static str, Source>;

/// Where a setting comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The name it was set by.
    pub(super) name: String,
    /// Where.
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Layers {
    /// Puts the settings of one source over all before. Within one, two names for a setting must agree.
    pub(super) fn add(&mut self, settings: Vec<Setting>) -> Result<(), Error> {
        let mut layer = Sources::new();
        for Setting { key, name, place, value, shown, renamed } in legacy::translate(settings)? {
            if let Status::Gone { off, why } = key.status {
                if !off(&value) {
                    return Err(Error::Value { place, key: name, value: shown, reason: why.to_owned() });
                }
                self.notes.push(match place {
                    Place::Line { .. } => format!("{place}: {name} changes nothing: {why}"),
                    place => format!("{place} changes nothing: {why}"),
                });
                continue;
            }
            if let Some(first) = layer.get(key.name).filter(|first| first.value != value) {
                let (first_name, first) = (first.name.clone(), first.place.clone());
                return Err(Error::Twice { place, name, first, first_name });
            }
            if let Err(Reason(reason)) = (key.set)(&mut self.config, &value) {
                return Err(Error::Value { place, key: name, value: shown, reason });
            }
            self.notes.extend(renamed);
            layer.insert(key.name, Source { name, place, value });
        }
        self.sources.extend(layer);
        Ok(())
    }

    /// A line for each setting that no part of the relay goes by yet.
    pub(super) fn pending(&self) -> Vec<String> {
        let is_pending = |key: &&Key| matches!(key.status, Status::Pending) && self.sources.contains_key(key.name);
        let line = |key: &Key| format!("{} is set, but this build does not use it yet", key.name);
        table::keys().filter(is_pending).map(line).collect()
    }
}
