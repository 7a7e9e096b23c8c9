//! What it costs to check who comes: the same visits with and without a token, to one server, a few hundred at a time.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    journal::Journal,
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
pub(crate) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!("## auth: 10,000 visits on raw QUIC, with and without a token, in turns to one server\n");
    println!("| relay | token | CPU µs per visit | on top of none |\n| --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut rounds = Vec::new();
        for run in 1..=args.runs {
            let knocked = visit(relay).await.with_context(|| relay.name.clone())?;
            journal.note(super::AUTH, "", &relay.name, run, &knocked)?;
            let Knocked { cpu_us_per_visit: costs } = knocked;
            eprintln!("auth: {}, run {run}: {costs:.1?} µs", relay.name);
            rounds.push(costs);
        }
        for (i, (kind, most)) in KINDS.iter().enumerate() {
            let cost = median(rounds.iter().map(|costs| costs[i]).collect());
            let on_top = median(rounds.iter().map(|costs| costs[i] - costs[0]).collect());
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

/// One server that anybody may use and that has a key for each algorithm.
async fn visit(relay: &Relay) -> Result<Knocked> {
    let files = TempDir::new()?;
    let folder = files.path().to_str().context("the temporary folder's name is not UTF-8")?;
    let mut paths = Vec::new();
    for (kind, most) in KINDS {
        if most.is_none() {
            paths.push("/demo".to_owned());
            continue;
        }
        tool(&relay.binary, &["generate", "--algorithm", kind, "--id", kind, "--out-dir", folder]).await?;
        let key = format!("{folder}/{kind}.jwk");
        let sign = ["sign", "--key", &key, "--root", "demo", "--publish", "", "--subscribe", "", "--expires", "1h"];
        paths.push(format!("/demo?jwt={}", tool(&relay.binary, &sign).await?.trim()));
    }
    let settings = ["--auth-public", "demo", "--auth-key-dir", folder].map(str::to_owned);
    let server = Server::with_auth(relay, &settings).await?;
    let version: &Version = DEFAULT;
    let mut command = pinned(CORE, &std::env::current_exe()?);
    command.args(["knock", "--addr", &server.addr.to_string(), "--pid", &server.pid()?.to_string()]);
    command.args(["--version", version.name, "--visits", VISITS]).stdin(Stdio::null());
    command.args(paths.iter().flat_map(|path| ["--path", path]));
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
