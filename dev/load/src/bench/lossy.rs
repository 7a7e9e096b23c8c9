//! Video and audio behind bad links, by how the relay finds its rate.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    fair::LOAD_CPU_PCT,
    generator,
    journal::Journal,
    relay::{Relay, Start},
    series::median,
    server::Server,
};
use crate::{cli, lossy::Watched};

/// A link's round trip in ms, loss in percent and rate in Mbit/s.
const LINKS: [(&str, &str, &str); 2] = [("20", "1", "20"), ("60", "2", "5")];
const PATIENCE: Duration = Duration::from_secs(120);
/// How late a link may be, at most but for one packet in a hundred: later, it is no such link.
const LATE_US: u64 = 1000;

type Column = (&'static str, fn(&Watched) -> Option<f64>);

const COLUMNS: [Column; 12] = [
    ("video on time %", |w| Some(w.video.on_time_pct)),
    ("came %", |w| Some(w.video.came_pct)),
    ("p50 ms", |w| w.video.p50_ms),
    ("p99 ms", |w| w.video.p99_ms),
    ("audio on time %", |w| Some(w.audio.on_time_pct)),
    ("audio p50 ms", |w| w.audio.p50_ms),
    ("audio p99 ms", |w| w.audio.p99_ms),
    ("dropped %", |w| Some(w.dropped_pct)),
    ("relay CPU %", |w| Some(w.server_cpu_pct)),
    ("load CPU %", |w| Some(w.load_cpu_pct)),
    ("others' CPU %", |w| Some(w.others_cpu_pct)),
    ("link late p99 µs", |w| Some(w.link_late_us as f64)),
];

/// Measures our relays and prints a table. There is no goal yet.
pub(super) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!("## lossy: 6 viewers behind a link each, video of 70 % of its rate and audio of a higher priority\n");
    println!("On time is within 500 ms; ages are of all frames that were due, and – means that so many never came.\n");
    let names = COLUMNS.map(|(name, _)| name).join(" | ");
    println!("| relay | congestion control | link | {names} | fair runs |");
    println!("| --- | --- | --- |{} --- |", " --- |".repeat(COLUMNS.len()));
    let mut failures = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        for (rtt, loss, rate) in LINKS {
            let link = format!("{rtt} ms, {loss} %, {rate} Mbit/s");
            let mut rows: Vec<Vec<Watched>> = vec![Vec::new(); args.congestion_control.len()];
            for run in 1..=args.runs {
                for (control, rounds) in args.congestion_control.iter().zip(&mut rows) {
                    let place = format!("{} lossy: {control}, {link}, run {run}", relay.name);
                    match watch(relay, control, &[rtt, loss, rate], run).await {
                        Ok(watched) => {
                            eprintln!("{place}: {} % on time", watched.video.on_time_pct);
                            journal.note(super::LOSSY, &format!("{control}, {link}"), &relay.name, run, &watched)?;
                            rounds.push(watched);
                        }
                        Err(e) => failures.push(format!("FAILED: {place}: {e:#}")),
                    }
                }
            }
            for (control, rounds) in args.congestion_control.iter().zip(&rows) {
                println!("| {} | {control} | {link} | {}", relay.name, row(rounds));
            }
        }
    }
    println!(
        "\n† no run was fair: figures of all runs, for orientation only. A run is fair while links are on time.\n"
    );
    Ok(failures)
}

async fn watch(relay: &Relay, control: &str, link: &[&str; 3], run: usize) -> Result<Watched> {
    let server = Server::ours(relay, &["--quic-congestion-control", control]).await?;
    let seed = run.to_string();
    let [rtt, loss, rate] = link;
    let args = ["lossy", "--rtt", rtt, "--loss", loss, "--rate", rate, "--seed", &seed];
    let watched = generator::run(&args, &server, PATIENCE).await.context("load lossy")?;
    server.stop().await;
    Ok(watched)
}

/// Medians of the fair runs, or of all when none is.
fn row(rounds: &[Watched]) -> String {
    let fair: Vec<&Watched> = rounds.iter().filter(|w| is_fair(w)).collect();
    let counting = if fair.is_empty() { rounds.iter().collect() } else { fair.clone() };
    let cells = COLUMNS.map(|(_, figure)| {
        let values: Option<Vec<f64>> = counting.iter().map(|w| figure(w)).collect();
        values.and_then(median).map_or_else(|| "–".into(), |value| format!("{value:.1}"))
    });
    let mark = if fair.is_empty() { " †" } else { "" };
    format!("{} | {}/{}{mark} |", cells.join(" | "), fair.len(), rounds.len())
}

fn is_fair(watched: &Watched) -> bool {
    watched.load_cpu_pct <= LOAD_CPU_PCT && watched.link_late_us <= LATE_US
}
