//! A file of an older release in the names of this one: every line that needs none stays as it is, with its comments.

mod document;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::document::Document;
use super::{
    Error, file,
    key::Setting,
    layers::Layers,
    legacy,
    show::{Secrets, toml},
};

/// A file in other words that say the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migration {
    /// The file.
    path: PathBuf,
    /// What it says now.
    pub text: String,
    /// A line for each thing that was changed.
    pub changes: Vec<String>,
}

impl Migration {
    /// What has to change in the file, if anything.
    pub fn of(path: &Path) -> Result<Option<Self>, Error> {
        let text = file::read(path)?;
        let name = path.display().to_string();
        let settings = file::parse(&name, &text)?;
        let news = legacy::translate(settings.clone())?;
        let (same, old): (Vec<_>, Vec<_>) =
            settings.iter().cloned().partition(|setting| stays(setting, &settings, &news));
        if old.is_empty() {
            return Ok(None);
        }
        let by_hand = || Error::ByHand { path: path.to_owned() };
        let mut document = Document::parse(&text).ok_or_else(by_hand)?;
        for setting in &old {
            let mut taken = document.take(&setting.name).ok_or_else(by_hand)?;
            for new in news.iter().filter(|new| new.name == setting.name && new.key.is_current()) {
                let value = (new.value != setting.value).then(|| toml(&new.value, Secrets::Shown));
                // In one file, `auth.public` is a value or a table.
                let beside = new.key.name.strip_prefix("auth.public.").filter(|_| document.has_value("auth.public"));
                let path = beside.map_or_else(|| new.key.name.to_owned(), |name| format!("auth.public_{name}"));
                document.put(&path, &mut taken, value).ok_or_else(by_hand)?;
            }
        }
        let text = document.finish();

        let mut before = Layers::default();
        before.add(settings)?;
        let mut after = Layers::default();
        file::parse(&name, &text).and_then(|settings| after.add(settings)).map_err(|_| by_hand())?;
        if before.config != after.config {
            return Err(by_hand());
        }
        let kept: Vec<_> = same.iter().filter_map(|setting| setting.renamed.as_ref()).collect();
        let changes = before.notes.into_iter().filter(|note| !kept.contains(&note)).collect();
        Ok(Some(Self { path: path.to_owned(), text, changes }))
    }

    /// Writes it, and says where the file as it was is kept.
    pub fn write(&self) -> Result<PathBuf, Error> {
        let mut backup = self.path.clone().into_os_string();
        backup.push(".bak");
        let backup = PathBuf::from(backup);
        let unwritten = |path: &Path| {
            let path = path.to_owned();
            |error| Error::Unwritten { path, error }
        };
        let copy = fs::File::create_new(&backup).and_then(|_| fs::copy(&self.path, &backup));
        copy.map_err(unwritten(&backup))?;
        fs::write(&self.path, &self.text).map_err(unwritten(&self.path))?;
        Ok(backup)
    }
}

/// Whether a line is as this release would have it.
fn stays(setting: &Setting, settings: &[Setting], news: &[Setting]) -> bool {
    let is_said =
        |new: &Setting| new.name == setting.name && new.key.name == setting.key.name && new.value == setting.value;
    let has = |name: &str| settings.iter().any(|setting| setting.name == name);
    // In one file, `auth.public` is a value or a table.
    let has_no_other_name = setting.name.starts_with("auth.public_") && has("auth.public");
    let is_modern = setting.name == setting.key.name || has_no_other_name;
    setting.key.is_current() && is_modern && news.iter().any(is_said)
}
