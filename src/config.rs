//! Config: the sum of every module's own settings, and how a file, variables and flags become one.
//!
//! One table (`config/table`) names every setting there is: what the file, the variable and the flag are called, under which
//! older names they are still understood, and how a value gets into the [`Config`]. Reading goes through it in layers,
//! each over the one before: defaults, file, variables, flags. Nothing is ever ignored: what the table does not know or
//! a setting cannot take is an [`Error`] that names the place, the key and the value, before any socket is bound.
//!
//! ```text
//!  relay.toml ─ file ────────┐
//!  MOQ_*      ─ environment ─┼─ settings (key, value, place) ─ legacy ─ layers ─ Loaded ─ check ─→ main
//!  --flags    ─ flags ───────┘                                                  └ show, migrate ─→ moq-relay check
//! ```
//!
//! What older releases only called by another name is an alias in the table; what they said in another way, `legacy`
//! says again in settings of today. `show` prints what came out, and `migrate` rewrites a file.

mod check;
mod environment;
mod error;
mod file;
mod flags;
mod key;
mod layers;
mod legacy;
pub mod log;
mod memory;
mod migrate;
mod names;
mod place;
mod secret;
mod show;
mod size;
mod table;
mod value;

use std::{ffi::OsString, path::PathBuf};

pub use check::Invalid;
pub use error::Error;
pub use migrate::Migration;
pub use place::Place;

use self::{flags::Invocation, key::Setting, layers::Layers};
use crate::{auth, cluster, model, session, stats, transport, web};

/// Everything that can be set.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// Sockets and certificates.
    pub transport: transport::Config,
    /// Dialects, and how sessions end.
    pub session: session::Config,
    /// HTTP.
    pub web: web::Config,
    /// The cache.
    pub model: model::Config,
    /// Access.
    pub auth: auth::Config,
    /// Other nodes.
    pub cluster: cluster::Config,
    /// What is counted.
    pub stats: stats::Config,
    /// What is written to stderr.
    pub log: log::Config,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Run a relay.
    Run(Box<Loaded>),
    /// Say what a relay would go by.
    Check(Box<Check>),
    /// Print this and be done: help or the version.
    Print(String),
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to run.
    pub config: Config,
    /// A line for each old name that was used, for the log once there is one.
    pub notes: Vec<String>,
    /// A line for each setting that no part of the relay goes by yet.
    pub pending: Vec<String>,
    /// Whether this is the embedded development configuration: an address that this machine does not have is skipped,
    /// and a newcomer is told what to do next.
    pub development: bool,
    sources: layers::Sources,
}

/// A configuration that is only looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// What a relay would go by.
    pub loaded: Loaded,
    /// The file to rewrite in the names of today.
    pub write: Option<PathBuf>,
}

/// Served when neither a file nor anything about a server is given.
const DEVELOPMENT: &str = include_str!("../dev/localhost.toml");

/// Reads flags, variables and the file they name, and checks what came out. `args` starts with the program's name.
pub fn load(args: impl IntoIterator<Item = OsString>, env: &dyn Fn(&str) -> Option<String>) -> Result<Request, Error> {
    let request = read(args, env)?;
    match &request {
        Request::Run(loaded) => loaded.check()?,
        Request::Check(check) => check.loaded.check()?,
        Request::Print(_) => {}
    }
    Ok(request)
}

/// Like [`load`], but looks neither at other files nor at whether the settings make sense together.
pub fn read(args: impl IntoIterator<Item = OsString>, env: &dyn Fn(&str) -> Option<String>) -> Result<Request, Error> {
    Ok(match flags::parse(args)? {
        Invocation::Print(text) => Request::Print(text),
        Invocation::Run { file, settings } => Request::Run(Box::new(compose(file, settings, env)?)),
        Invocation::Check { file, settings, write } => {
            let write = file.clone().filter(|_| write);
            Request::Check(Box::new(Check { loaded: compose(file, settings, env)?, write }))
        }
    })
}

/// One configuration of all its sources.
fn compose(path: Option<PathBuf>, flags: Vec<Setting>, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Error> {
    let variables = environment::read(env)?;
    let serves = flags.iter().chain(&variables).any(|setting| setting.key.configures_server());
    let development = path.is_none() && !serves;

    let mut layers = Layers::default();
    if let Some(path) = path {
        layers.add(file::open(&path)?)?;
    } else if development {
        layers.add(file::parse("dev/localhost.toml", DEVELOPMENT)?)?;
    }
    layers.add(variables)?;
    layers.add(flags)?;

    let pending = layers.pending();
    let Layers { mut config, notes, sources } = layers;
    if !sources.contains_key("cache.capacity") {
        config.model.capacity = size::default_capacity(memory::limit());
    }
    config.log.filter = env("RUST_LOG").filter(|filter| !filter.is_empty());
    Ok(Loaded { config, notes, pending, development, sources })
}

impl Loaded {
    /// A message that begins with a key and its value, with the place where that was set and the name it was set by.
    pub fn located(&self, message: &str) -> String {
        let source = message.split_once(" = ").and_then(|(key, rest)| Some((self.sources.get(key)?, rest)));
        match source {
            Some((source, rest)) => format!("{}: {} = {rest}", source.place, source.name),
            None => message.to_owned(),
        }
    }

    /// [`Config::validate`], with the place each offending setting came from.
    fn check(&self) -> Result<(), Error> {
        self.config.validate().map_err(|invalid| Error::invalid(invalid, &self.sources))
    }
}
