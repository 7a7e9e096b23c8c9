//! What it costs that one broadcast of very many ends and begins again, by how many watch it.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    generator,
    journal::Journal,
    relay::{Relay, Start},
    series::median,
    server::Server,
};
use crate::{
    cli,
    control::{Change, Controlled},
};

const PATIENCE: Duration = Duration::from_secs(300);
/// What all those whom a change does not concern may add to its cost, as a multiple of one whom it does.
const UNCONCERNED: f64 = 1.0;

/// Measures our relays, prints tables and returns the verdicts.
pub(super) async fn measure(relays: &[Relay], args: &cli::Bench, journal: &mut Journal) -> Result<Vec<String>> {
    println!(
        "## control: one of 10,000 broadcasts ends and begins; 2,000 watch 5 each, then 100 more watch everything\n"
    );
    println!(
        "| relay | watch anything | watch it | CPU µs per change | rest subtracted | load CPU % | others' CPU % | runs |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut verdicts = Vec::new();
    let mut memory =
        String::from("\n| relay | MB empty | bytes per broadcast | KB per watcher | KB per watcher of all |\n");
    memory += "| --- | --- | --- | --- | --- |\n";
    for relay in relays.iter().filter(|relay| relay.start == Start::Ours) {
        let mut rounds: Vec<Controlled> = Vec::new();
        for run in 1..=args.runs {
            let server = Server::ours(relay, &[]).await?;
            let round: Controlled =
                generator::run(&["control"], &server, PATIENCE).await.context(relay.name.clone())?;
            server.stop().await;
            let costs: Vec<_> = round.changes.iter().map(|c| (c.matching, c.cpu_us)).collect();
            eprintln!("control: {}, run {run}: watchers and µs {costs:?}", relay.name);
            journal.note(super::CONTROL, "", &relay.name, run, &round)?;
            rounds.push(round);
        }
        let of = |figure: &dyn Fn(&Controlled) -> f64| median(rounds.iter().map(figure).collect()).unwrap_or(f64::NAN);
        let mut costs = Vec::new();
        for (i, Change { watchers, matching, .. }) in rounds[0].changes.iter().enumerate() {
            let cost = of(&|r| r.changes[i].cpu_us);
            let (rest, load) = (of(&|r| r.changes[i].rest_us), of(&|r| r.changes[i].load_cpu_pct));
            let others = of(&|r| r.changes[i].others_cpu_pct);
            println!(
                "| {} | {watchers} | {matching} | {cost:.0} | {rest:.0} | {load:.0} | {others:.0} | {} |",
                relay.name,
                rounds.len()
            );
            costs.push((*matching, cost));
        }
        memory += &format!(
            "| {} | {:.1} | {:.0} | {:.1} | {:.1} |\n",
            relay.name,
            of(&|r| r.empty_mb),
            of(&|r| (r.broadcasts_mb - r.empty_mb) * 1_048_576.0 / 10_000.0),
            of(&|r| (r.watchers_mb - r.broadcasts_mb) * 1024.0 / 2000.0),
            of(&|r| (r.full_mb - r.watchers_mb) * 1024.0 / 100.0),
        );
        let added = unconcerned(&costs);
        let noise = (added < -UNCONCERNED).then_some("noise is larger than what is measured");
        verdicts.push(generator::verdict(
            &format!("{} control", relay.name),
            "2,000 watchers whom a change does not concern add",
            added,
            UNCONCERNED,
            "× one whom it does",
            noise,
        ));
    }
    println!("{memory}");
    Ok(verdicts)
}

/// What those add whom a change does not concern, as a multiple of one whom it does. The costs are of changes with nobody
/// there, with those only, and so on up to the one that concerns most.
fn unconcerned(costs: &[(usize, f64)]) -> f64 {
    let [(_, nobody), (_, others), .., (matching, most)] = costs else { return f64::NAN };
    (others - nobody) / ((most - others) / *matching as f64)
}
