//! Very many broadcasts at once, through a chain of nodes: until all are known at its end, and what each one takes.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::{
    journal::Journal,
    relay::{Relay, Start},
    series::median,
    server::{Server, pinned},
    single::CORE,
};
use crate::{cli, storm::Stormed};

/// Nodes of the chain.
const NODES: usize = 3;
/// Until all are known at the end of the chain.
const CONVERGED_S: f64 = 10.0;
/// Memory of a broadcast in each node.
const BYTES: f64 = 2048.0;

/// Measures our relays, prints a table and returns the verdicts.
pub(crate) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!(
        "## storm: 20,000 broadcasts of 20 publishers at the first of {NODES} nodes in a row, watched at the last\n"
    );
    println!(
        "| relay | all there s | all gone s | bytes per broadcast and node | CPU µs per broadcast and node | runs |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut rounds = Vec::new();
        for run in 1..=args.runs {
            let storm = blow(relay).await.with_context(|| relay.name.clone())?;
            journal.note(super::STORM, "", &relay.name, run, &storm)?;
            eprintln!(
                "storm: {}, run {run}: there in {} s, gone in {} s, {:?} B each",
                relay.name, storm.there_s, storm.gone_s, storm.bytes_each
            );
            rounds.push(storm);
        }
        let of = |figure: fn(&Stormed) -> f64| median(rounds.iter().map(figure).collect()).unwrap_or(f64::NAN);
        let (there, gone) = (of(|storm| storm.there_s), of(|storm| storm.gone_s));
        // The node that needs most.
        let bytes = of(|storm| storm.bytes_each.iter().copied().fold(0.0, f64::max));
        let each: Vec<_> = (0..NODES)
            .filter_map(|node| median(rounds.iter().filter_map(|storm| storm.bytes_each.get(node).copied()).collect()))
            .map(|bytes| format!("{bytes:.0}"))
            .collect();
        let cpu = of(|storm| storm.cpu_us_each / NODES as f64);
        println!("| {} | {there:.2} | {gone:.2} | {} | {cpu:.1} | {} |", relay.name, each.join(", "), rounds.len());
        for (value, what, goal, unit) in [
            (there, "all there after", CONVERGED_S, "s"),
            (gone, "all gone after", CONVERGED_S, "s"),
            (bytes, "memory of a broadcast in one node", BYTES, "B"),
        ] {
            let verdict = if value <= goal { "met" } else { "missed" };
            verdicts.push(format!("{verdict}: {} storm: {what} {value:.2} {unit} (goal ≤ {goal})", relay.name));
        }
    }
    println!();
    Ok(verdicts)
}

/// One storm through fresh nodes.
async fn blow(relay: &Relay) -> Result<Stormed> {
    let mut nodes: Vec<Server> = Vec::new();
    for _ in 0..NODES {
        let node = Server::node(relay, nodes.last().map(|before| before.addr)).await?;
        nodes.push(node);
    }
    let (first, last) = (nodes[0].addr.to_string(), nodes[NODES - 1].addr.to_string());
    let mut command = pinned(CORE, &std::env::current_exe()?);
    command.args(["storm", "--addr", &first, "--watch-at", &last]).stdin(Stdio::null());
    for node in &nodes {
        command.args(["--pid", &node.pid()?.to_string()]);
    }
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    let logs: Vec<_> = nodes.iter().map(Server::log).collect();
    ensure!(output.status.success(), "load storm failed ({}): {}, {}", output.status, said.trim(), logs.join(" || "));
    for node in nodes {
        node.stop().await;
    }
    serde_json::from_slice(&output.stdout).context("load storm printed no report")
}
