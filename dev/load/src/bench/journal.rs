//! Every single run, a line of JSON each.

use std::{fs::File, io::Write, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;

/// None: nobody wants to read it.
pub(super) struct Journal(Option<File>);

impl Journal {
    pub(super) fn new(path: Option<&Path>) -> Result<Self> {
        Ok(Self(path.map(File::create).transpose().context("--json")?))
    }

    pub(super) fn write(&mut self, line: &impl Serialize) -> Result<()> {
        if let Some(file) = &mut self.0 {
            writeln!(file, "{}", serde_json::to_string(line)?)?;
        }
        Ok(())
    }

    /// A run that came to its end.
    pub(super) fn note(
        &mut self,
        shape: &str,
        case: &str,
        relay: &str,
        run: usize,
        outcome: &impl Serialize,
    ) -> Result<()> {
        self.write(&Line { shape, case, relay, run, outcome: Ok(outcome) })
    }
}

/// The same names as a `Sample`'s.
#[derive(Serialize)]
struct Line<'a, T> {
    shape: &'a str,
    case: &'a str,
    relay: &'a str,
    run: usize,
    outcome: Result<&'a T, ()>,
}
