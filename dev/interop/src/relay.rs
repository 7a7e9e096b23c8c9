//! A relay process under test: started on free addresses, stopped when dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::dialect::Dialect;
use crate::doors::Doors;
use crate::http;

/// How long a relay may take until it answers over HTTP.
const READY: Duration = Duration::from_secs(10);

/// Whose flags the binary understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// This project's relay.
    Ours,
    /// moq-relay 0.17.
    Upstream,
}

impl Flavor {
    /// Flags for: every door at these addresses, a certificate for localhost, everything public.
    fn args(self, Doors { main, tcp, unix }: &Doors) -> Vec<String> {
        let (main, tcp, unix) = (main.to_string(), tcp.to_string(), unix.display().to_string());
        let args: &[&str] = match self {
            Self::Ours => &[
                "--server-listen",
                &main,
                "--server-tcp-listen",
                &tcp,
                "--server-unix-listen",
                &unix,
                "--server-tls-generate",
                "localhost",
                "--auth-public",
                "",
            ],
            Self::Upstream => &[
                "--listen",
                &main,
                "--listen-tcp-bind",
                &tcp,
                "--listen-unix-bind",
                &unix,
                "--listen-tls-generate",
                "localhost",
                "--web-http-listen",
                &main,
                "--auth-public",
                "**",
            ],
        };
        args.iter().map(ToString::to_string).collect()
    }
}

/// How to start a relay.
#[derive(Clone, Debug)]
pub struct Launch {
    pub binary: PathBuf,
    pub flavor: Flavor,
    /// Arguments besides the usual ones.
    pub extra: Vec<String>,
}

impl Launch {
    /// The same with more arguments.
    pub fn with<'a>(&self, more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut launch = self.clone();
        launch.extra.extend(more.into_iter().map(str::to_owned));
        launch
    }

    /// The same, told to speak the dialect that is not finished besides all others.
    pub fn speaking_everything(&self) -> Self {
        let flag = match self.flavor {
            Flavor::Ours => "--server-version",
            Flavor::Upstream => "--listen-version",
        };
        let dialects = Dialect::ALL.into_iter().chain([Dialect::Lite07]);
        self.with(dialects.flat_map(|dialect| [flag, dialect.name()]))
    }

    /// Start it and wait until it is ready. Its output goes to a file named in every error.
    pub async fn start(&self) -> Result<Relay> {
        // Clients come and go meanwhile: one may have taken an address that was free a moment ago.
        match self.attempt().await {
            Ok(relay) => Ok(relay),
            Err(_) => self.attempt().await,
        }
    }

    async fn attempt(&self) -> Result<Relay> {
        let doors = Doors::free()?;
        let log = doors.unix.with_extension("log");
        let output = File::create(&log)?;
        let mut command = Command::new(&self.binary);
        command.args(self.flavor.args(&doors)).args(&self.extra);
        Relay::spawn(command, doors, log, output).await
    }
}

pub struct Relay {
    doors: Doors,
    log: PathBuf,
    process: Child,
}

impl Relay {
    /// Start it, which is told to listen at `doors`, and wait until it is ready.
    pub async fn spawn(mut command: Command, doors: Doors, log: PathBuf, output: File) -> Result<Self> {
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", command.as_std().get_program().display()))?;
        let mut relay = Self { doors, log, process };
        relay.ready().await?;
        Ok(relay)
    }

    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Where the relay's own words are.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, should the relay have ended by itself.
    pub fn exited(&mut self) -> Option<String> {
        self.process.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Ask it to stop, with SIGTERM.
    pub async fn terminate(&self) -> Result<()> {
        let id = self.process.id().context("the relay has ended by itself")?;
        let status = Command::new("kill").arg(id.to_string()).status().await.context("cannot run kill")?;
        ensure!(status.success(), "kill {id}: {status}");
        Ok(())
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("the relay is killed")
    }

    /// Wait until it has stopped.
    pub async fn stopped(&mut self) -> Result<ExitStatus> {
        Ok(self.process.wait().await?)
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        while Instant::now() < deadline {
            if let Some(status) = self.exited() {
                bail!("the relay ended at once with {status}, see {}", self.log.display());
            }
            if http::get(self.doors.main, "/certificate.sha256").await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the relay does not answer GET /certificate.sha256, see {}", self.log.display())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A relay that is killed leaves it behind.
        let _ = fs::remove_file(&self.doors.unix);
    }
}
