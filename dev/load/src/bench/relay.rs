//! A relay binary and the way its generation is started.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, bail};

use crate::{
    cli,
    wire::{ALL, Version},
};

/// A relay binary by name: `NAME=BINARY`.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) name: String,
    pub(crate) binary: PathBuf,
    pub(crate) start: Start,
}

/// How a relay of some generation is told where to listen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Ours,
    V0_17_10,
    /// Reads a configuration file.
    V0_14_18,
}

/// The releases to compare with; their names select how they are started.
const REFERENCE: &str = "0.17.10";
const OLDER: &str = "0.14.18";

impl FromStr for Relay {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, binary) = s.split_once('=').ok_or("expected NAME=BINARY")?;
        Ok(Self::new(name, binary.into()))
    }
}

impl Relay {
    fn new(name: &str, binary: PathBuf) -> Self {
        let start = match name {
            REFERENCE => Start::V0_17_10,
            OLDER => Start::V0_14_18,
            _ => Start::Ours,
        };
        Self { name: name.into(), binary, start }
    }

    /// The arguments that make it serve `addr` in `version`, with whatever files it needs in `dir`.
    pub(crate) fn arguments(&self, addr: &str, version: &Version, dir: &Path) -> Result<Vec<String>> {
        let every = ALL.map(|v| format!("{v:?}")).join(",");
        let flags = match self.start {
            Start::Ours => {
                let mut flags = vec!["--server-listen", addr, "--server-tls-generate", "localhost"];
                flags.extend(["--auth-public", ""]);
                if version.opt_in {
                    flags.extend(["--server-version", &every]);
                }
                flags
            }
            Start::V0_17_10 => {
                let mut flags = vec!["--listen", addr, "--listen-tls-generate", "localhost"];
                flags.extend(["--web-http-listen", addr, "--auth-public", "**"]);
                flags
            }
            Start::V0_14_18 => {
                let file = dir.join("relay.toml");
                let config = format!(
                    "[server]\nbind = \"{addr}\"\ntls.generate = [\"localhost\"]\n\n\
                     [auth]\npublic = \"\"\n\n[web.http]\nlisten = \"{addr}\"\n"
                );
                std::fs::write(&file, config)?;
                return Ok(vec![file.to_str().context("the temporary folder's name is not UTF-8")?.into()]);
            }
        };
        Ok(flags.into_iter().map(Into::into).collect())
    }
}

/// The relays to measure.
pub(crate) fn all(args: &cli::Bench) -> Result<Vec<Relay>> {
    let mut relays = args.relay.clone();
    if args.peers {
        relays.extend(peers(args.peers_dir.as_deref())?);
    }
    if relays.is_empty() {
        bail!("no relay to measure: --relay NAME=BINARY or --peers");
    }
    for (i, relay) in relays.iter().enumerate() {
        if !relay.binary.is_file() {
            bail!("{} is not a file (relay {})", relay.binary.display(), relay.name);
        }
        if relays[..i].iter().any(|r| r.name == relay.name) {
            bail!("two relays are called {}", relay.name);
        }
    }
    Ok(relays)
}

/// The published relays that are installed on this machine.
fn peers(dir: Option<&Path>) -> Result<Vec<Relay>> {
    let home = || std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cache = || std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let dir = dir.map_or_else(|| cache().join("moq-peers"), Path::to_path_buf);
    let mut found = Vec::new();
    for version in [REFERENCE, OLDER] {
        let root = dir.join(format!("moq-relay-{version}"));
        let binary = root.join("bin/moq-relay");
        if !binary.is_file() {
            bail!(
                "moq-relay {version} is not installed: cargo install moq-relay --version {version} --root {}",
                root.display()
            );
        }
        found.push(Relay::new(version, binary));
    }
    Ok(found)
}
