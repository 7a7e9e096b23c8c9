//! What a viewer costs until it has its first frame, how long it waits, and how many round trips far away.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    generator::{self, verdict},
    journal::Journal,
    relay::{Relay, Start},
    series::median,
    server::Server,
};
use crate::{cli, setup::SetUp};

const PATIENCE: Duration = Duration::from_secs(120);
/// CPU of the server for a viewer who comes, has a frame, and leaves.
const CPU_MS: f64 = 1.0;
/// From the handshake to the first frame: one, and what computers need meanwhile.
const ROUND_TRIPS: f64 = 1.25;

/// Measures our relays, prints a table and returns the verdicts.
pub(super) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!("## setup: 2,000 viewers of a broadcast that runs, from the handshake to the first frame\n");
    println!(
        "| relay | CPU ms | handshake ms | then first frame ms | handshake round trips | then round trips | load CPU % | \
         others' CPU % | runs |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut rounds: Vec<SetUp> = Vec::new();
        for run in 1..=args.runs {
            let server = Server::ours(relay, &[]).await?;
            let round: SetUp = generator::run(&["setup"], &server, PATIENCE).await.context(relay.name.clone())?;
            server.stop().await;
            eprintln!("setup: {}, run {run}: {} µs, {} round trips", relay.name, round.cpu_us, round.round_trips);
            journal.note(super::SETUP, "", &relay.name, run, &round)?;
            rounds.push(round);
        }
        let of = |figure: fn(&SetUp) -> f64| median(rounds.iter().map(figure).collect()).unwrap_or(f64::NAN);
        let (cpu, trips) = (of(|r| r.cpu_us / 1e3), of(|r| r.round_trips));
        println!(
            "| {} | {cpu:.2} | {:.2} | {:.2} | {:.2} | {trips:.2} | {:.0} | {:.0} | {} |",
            relay.name,
            of(|r| r.handshake_ms),
            of(|r| r.frame_ms),
            of(|r| r.handshake_round_trips),
            of(|r| r.load_cpu_pct),
            of(|r| r.others_cpu_pct),
            rounds.len(),
        );
        let place = format!("{} setup", relay.name);
        verdicts.push(verdict(&place, "CPU of a viewer", cpu, CPU_MS, "ms", None));
        let unit = "round trips, 0.25 of them for computing";
        verdicts.push(verdict(&place, "from the handshake to the first frame", trips, ROUND_TRIPS, unit, None));
    }
    println!();
    Ok(verdicts)
}
