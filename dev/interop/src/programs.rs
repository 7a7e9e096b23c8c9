//! Published programs that were installed to be tried against.

use std::path::{Path, PathBuf};

/// A program, if it is there.
pub fn installed(name: &str, version: &str) -> Option<PathBuf> {
    let place = root(name, version)?.join("bin").join(name);
    Some(place).filter(|program| program.is_file())
}

/// What to do when it is not.
pub fn how_to_install(name: &str, version: &str) -> String {
    let root = root(name, version).unwrap_or_else(|| "FOLDER".into());
    format!("not installed (cargo install {name} --version {version} --root {})", root.display())
}

/// Where `dev/check` puts a program and looks for it: `$MOQ_PEERS`, or else below the user's cache.
fn root(name: &str, version: &str) -> Option<PathBuf> {
    let peers = std::env::var_os("MOQ_PEERS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("moq-peers"))
    })?;
    Some(peers.join(format!("{name}-{version}")))
}
