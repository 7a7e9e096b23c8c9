//! What it costs to check who comes: the same visits with and without a token, in turn.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    relay::{Relay, Start},
    server::{Server, pinned},
    single::CORE,
};
use crate::{
    cli,
    knock::Knocked,
    wire::{DEFAULT, Version},
};

/// Visits of each run.
const VISITS: &str = "10000";
/// Who comes: with nothing, or with a token of a key for this algorithm, and what checking it may cost on top.
const KINDS: [(&str, Option<f64>); 3] = [("public", None), ("HS256", Some(50.0)), ("ES256", Some(150.0))];

/// Measures our relays, prints a table and returns the verdicts.
pub(crate) async fn measure(relays: &[Relay], args: &cli::Bench) -> Result<Vec<String>> {
    println!("## auth: 10,000 visits on raw QUIC, with and without a token\n");
    println!("| relay | token | CPU µs per visit | on top of none |\n| --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut costs = [(); KINDS.len()].map(|()| Vec::new());
        for run in 1..=args.runs {
            for ((kind, _), costs) in KINDS.iter().zip(&mut costs) {
                let knocked = visit(relay, kind).await.with_context(|| format!("{} {kind}", relay.name))?;
                eprintln!("auth: {} {kind}, run {run}: {:.1} µs", relay.name, knocked.cpu_us_per_visit);
                costs.push(knocked.cpu_us_per_visit);
            }
        }
        for ((kind, most), cost) in KINDS.iter().zip(&costs) {
            let on_top = cost.iter().zip(&costs[0]).map(|(with, without)| with - without).collect();
            let (cost, on_top) = (median(cost.clone()), median(on_top));
            println!("| {} | {kind} | {cost:.0} | {on_top:.0} |", relay.name);
            if let Some(most) = most {
                let verdict = if on_top <= *most { "met" } else { "MISSED" };
                verdicts.push(format!(
                    "{verdict}: {} auth: {kind} costs {on_top:.0} µs on top of a visit (goal ≤ {most:.0})",
                    relay.name
                ));
            }
        }
    }
    println!();
    Ok(verdicts)
}

async fn visit(relay: &Relay, kind: &str) -> Result<Knocked> {
    let files = TempDir::new()?;
    let (path, extra) = match kind {
        "public" => ("/demo".to_owned(), vec!["--auth-public".to_owned(), "demo".to_owned()]),
        algorithm => {
            let key = files.path().join("key");
            let key = key.to_str().context("the temporary folder's name is not UTF-8")?;
            tool(&relay.binary, &["generate", "--algorithm", algorithm, "--out", key]).await?;
            let sign = ["sign", "--key", key, "--root", "demo", "--publish", "", "--subscribe", "", "--expires", "1h"];
            let token = tool(&relay.binary, &sign).await?;
            (format!("/demo?jwt={}", token.trim()), vec!["--auth-key".to_owned(), key.to_owned()])
        }
    };
    let server = Server::with_auth(relay, &extra).await?;
    let version: &Version = DEFAULT;
    let mut command = pinned(CORE, &std::env::current_exe()?);
    command.args(["knock", "--addr", &server.addr.to_string(), "--pid", &server.pid()?.to_string()]);
    command.args(["--version", version.name, "--path", &path, "--visits", VISITS]).stdin(Stdio::null());
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "load knock failed ({}): {}, {}", output.status, said.trim(), server.log());
    server.stop().await;
    serde_json::from_slice(&output.stdout).context("load knock printed no report")
}

async fn tool(relay: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(relay).arg("token").args(args).stdin(Stdio::null()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn median(values: Vec<f64>) -> f64 {
    super::series::median(values).unwrap_or(f64::NAN)
}
