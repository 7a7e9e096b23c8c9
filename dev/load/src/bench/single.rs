//! One run: a fresh server, the load against it, its report.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::time::timeout;

use super::{
    entrant::Entrant,
    sample::Purpose,
    server::{Server, pinned},
    shape::{Case, LINKED, Shape},
};
use crate::{cli, report::Report};

/// The load generator's core.
pub(super) const CORE: &str = "1";
/// What connecting may take on top of warm-up and measurement.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a shape that takes long.
const LONG_PATIENCE: Duration = Duration::from_secs(180);
/// Seconds of warm-up and of measurement when only bytes are checked.
const VERIFY: (u64, u64) = (1, 4);

pub(crate) struct Plan<'a> {
    shape: &'static Shape,
    case: &'static Case,
    entrant: &'a Entrant,
    /// Viewers are at a second node, which is linked with the publishers'.
    linked: bool,
    /// Arguments of `load run`.
    load: Vec<String>,
    warmup: u64,
    seconds: u64,
}

impl<'a> Plan<'a> {
    /// None when this entrant has no part in the shape.
    pub(crate) fn new(
        shape: &'static Shape,
        case: &'static Case,
        entrant: &'a Entrant,
        purpose: Purpose,
        args: &cli::Bench,
    ) -> Option<Self> {
        let text = match entrant.is_floor() {
            true => shape.floor.as_ref()?.load,
            false => shape.load,
        };
        let linked = case.name == LINKED;
        if linked && entrant.is_floor() {
            return None;
        }
        let words = text.split_whitespace().chain(case.load.iter().flat_map(|text| text.split_whitespace()));
        let mut load: Vec<String> = words.map(Into::into).collect();
        if entrant.is_floor() {
            load.push("--floor".into());
        }
        let (warmup, seconds) = match purpose {
            // Nobody else's bytes are in question, and a floor without viewers has none.
            Purpose::Verify if entrant.is_floor() => return None,
            Purpose::Verify => {
                load.push("--verify".into());
                VERIFY
            }
            Purpose::Round(_) => (args.warmup, args.seconds),
        };
        Some(Self { shape, case, entrant, linked, load, warmup, seconds })
    }

    pub(crate) async fn run(self) -> Result<Report> {
        let server = match (&self.entrant.relay, &self.shape.floor) {
            (Some(relay), _) => Server::relay(self.entrant, relay, self.shape.cores, self.case.relay).await?,
            (None, Some(floor)) => Server::floor(floor).await?,
            (None, None) => unreachable!("a plan for the floor exists only where the shape has one"),
        };
        let second = match &self.entrant.relay {
            Some(relay) if self.linked => Some(Server::node(relay, Some(server.addr)).await?),
            _ => None,
        };
        let logs = || server.log() + &second.as_ref().map(|second| format!(" || {}", second.log())).unwrap_or_default();
        let report = self.offer(&server, second.as_ref()).await.with_context(|| format!("server log: {}", logs()));
        for server in [Some(server), second].into_iter().flatten() {
            server.stop().await;
        }
        report
    }

    async fn offer(&self, server: &Server, second: Option<&Server>) -> Result<Report> {
        let mut command = pinned(self.shape.load_cores, &std::env::current_exe()?);
        command.args(["run", "--addr", &server.addr.to_string(), "--pid", &server.pid()?.to_string()]);
        if let Some(second) = second {
            command.args(["--viewers-at", &second.addr.to_string(), "--pid", &second.pid()?.to_string()]);
        }
        command.args(["--version", self.entrant.version.name, "--door", self.entrant.door.name()]);
        command.args(["--warmup", &self.warmup.to_string(), "--seconds", &self.seconds.to_string()]);
        command.args(["--label", &self.entrant.name]).args(&self.load);
        command.env("LOAD_STREAMS", self.shape.streams.to_string()).stdin(Stdio::null());
        let patience = if self.shape.long { LONG_PATIENCE } else { PATIENCE };
        let limit = patience + Duration::from_secs(self.warmup + self.seconds);
        let output = timeout(limit, command.output()).await.with_context(|| format!("no end within {limit:?}"))??;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "load run failed ({}): {}", output.status, stderr.trim());
        serde_json::from_slice(&output.stdout).context("load run printed no report")
    }
}
