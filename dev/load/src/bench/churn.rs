//! Whether memory comes back when very many viewers have come and gone.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    generator::{self, verdict},
    journal::Journal,
    relay::{Relay, Start},
    series::median,
    server::Server,
};
use crate::{churn::Churned, cli};

const PATIENCE: Duration = Duration::from_secs(400);
/// What may stay behind.
const LEFT_MB: f64 = 10.0;

/// Measures our relays, prints a table and returns the verdicts.
pub(super) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!("## churn: 10,000 viewers come and go, 1,000 at a time\n");
    println!(
        "| relay | MB before | MB with the first 1,000 | with the last | MB afterwards | left | CPU µs each | runs |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut rounds: Vec<Churned> = Vec::new();
        for run in 1..=args.runs {
            let server = Server::ours(relay, &[]).await?;
            let round: Churned = generator::run(&["churn"], &server, PATIENCE).await.context(relay.name.clone())?;
            server.stop().await;
            eprintln!("churn: {}, run {run}: {} MB, then {} MB", relay.name, round.before_mb, round.after_mb);
            journal.note(super::CHURN, "", &relay.name, run, &round)?;
            rounds.push(round);
        }
        let of = |figure: fn(&Churned) -> f64| median(rounds.iter().map(figure).collect()).unwrap_or(f64::NAN);
        let left = of(|r| r.after_mb - r.before_mb);
        println!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {left:.1} | {:.0} | {} |",
            relay.name,
            of(|r| r.before_mb),
            of(|r| r.batches_mb.first().copied().unwrap_or(f64::NAN)),
            of(|r| r.batches_mb.last().copied().unwrap_or(f64::NAN)),
            of(|r| r.after_mb),
            of(|r| r.cpu_us_each),
            rounds.len(),
        );
        verdicts.push(verdict(&format!("{} churn", relay.name), "memory left", left, LEFT_MB, "MB", None));
    }
    println!();
    Ok(verdicts)
}
