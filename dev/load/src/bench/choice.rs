//! Which shapes to run: those that are named, all of them, or all that don't take long.

use anyhow::{Result, bail};

use super::shape;

/// The word for every shape there is.
const ALL: &str = "all";

/// The shapes that are not about one run of frames, and whether they only run when named.
const OTHERS: [(&str, bool); 6] = [
    (super::AUTH, false),
    (super::STORM, false),
    (super::SETUP, false),
    (super::CHURN, true),
    (super::CONTROL, true),
    (super::LOSSY, true),
];

pub(super) struct Choice(Vec<String>);

impl Choice {
    pub(super) fn new(names: &[String]) -> Result<Self> {
        for name in names.iter().filter(|name| *name != ALL) {
            if !known().any(|(known, _)| known == name) {
                bail!("unknown shape {name}: {}, {ALL}", known().map(|(name, _)| name).collect::<Vec<_>>().join(", "));
            }
        }
        Ok(Self(names.to_vec()))
    }

    pub(super) fn has(&self, shape: &str) -> bool {
        match self.0.is_empty() {
            true => known().any(|(name, long)| name == shape && !long),
            false => self.0.iter().any(|name| name == shape || name == ALL),
        }
    }
}

fn known() -> impl Iterator<Item = (&'static str, bool)> {
    shape::ALL.iter().map(|shape| (shape.name, shape.long)).chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(names: &[&str]) -> Choice {
        Choice::new(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_takes_long_is_asked_for() {
        let has = |names: &[&str], shape| choice(names).has(shape);
        assert!(has(&[], "video") && !has(&[], "crowd"));
        assert!(has(&["crowd"], "crowd") && !has(&["crowd"], "video"));
        assert!(has(&["all"], "crowd") && has(&["all"], "storm"));
        assert!(Choice::new(&["nothing".into()]).is_err());
    }
}
