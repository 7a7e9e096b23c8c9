//! The load generator on its core, for shapes that are not about one run of frames.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{
    server::{Server, pinned},
    single::CORE,
};

/// Streams that the server may open towards a client: enough for all, and cheap for thousands.
const STREAMS: &str = "256";

/// Runs `load` with these arguments against a server and returns its report.
pub(super) async fn run<T: DeserializeOwned>(args: &[&str], server: &Server, limit: Duration) -> Result<T> {
    let mut command = pinned(CORE, &std::env::current_exe()?);
    command.args(args).args(["--addr", &server.addr.to_string(), "--pid", &server.pid()?.to_string()]);
    command.env("LOAD_STREAMS", STREAMS).stdin(Stdio::null());
    let what = format!("load {}", args.join(" "));
    let output = timeout(limit, command.output()).await.with_context(|| format!("{what}: no end in {limit:?}"))??;
    let said = String::from_utf8_lossy(&output.stderr);
    let log = server.log();
    ensure!(output.status.success(), "{what} failed ({}): {}, server log: {log}", output.status, said.trim());
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} printed no report"))
}

/// What a goal comes to.
pub(super) fn verdict(place: &str, what: &str, value: f64, goal: f64, unit: &str, unfair: Option<&str>) -> String {
    let verdict = match (unfair, value <= goal) {
        (Some(why), _) => format!("not fair ({why})"),
        (None, true) => "met".into(),
        (None, false) => "missed".into(),
    };
    format!("{verdict}: {place}: {what} {value:.2} {unit} (goal ≤ {goal})")
}
