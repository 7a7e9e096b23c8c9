//! What a file looks like from outside.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Another content has another stamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    inode: u64,
    len: u64,
    /// Not the time of modification, which tools that copy files set back.
    changed: (i64, i64),
}

impl Stamp {
    /// Of what is there now. Only a plain file, or a link to one, can be read again; the pipe of `<(…)` cannot.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self { inode: found.ino(), len: found.len(), changed: (found.ctime(), found.ctime_nsec()) })
    }
}
