//! `load bench`: the shapes of a relay's working day, run against relays and the floor in turn.
//!
//! ```text
//!  shape × entrant ─▶ run: server on core 0, load on core 1 ─▶ Sample ─▶ fair? ─▶ table, goals
//! ```
//!
//! Each shape has its entrants: relays through doors in versions. All of them run once before any runs again, so that a
//! drifting machine drifts under all of them, and ratios are taken within one such round. A run that others disturb is
//! measured again, some times. A bench is no test: it fails only when something did not run or lied.

mod auth;
mod choice;
mod churn;
mod control;
mod entrant;
mod fair;
mod figures;
mod generator;
mod goals;
mod journal;
mod lossy;
mod relay;
mod sample;
mod series;
mod server;
mod setup;
mod shape;
mod single;
mod storm;
mod table;

use std::process::ExitCode;

use anyhow::{Result, bail};
use choice::Choice;
use entrant::Entrant;
use journal::Journal;
pub(crate) use relay::Relay;
use sample::{Purpose, Sample};
use shape::{Case, Shape};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli;

/// The shapes that are not about one run of frames.
const AUTH: &str = "auth";
const STORM: &str = "storm";
const SETUP: &str = "setup";
const CHURN: &str = "churn";
const CONTROL: &str = "control";
const LOSSY: &str = "lossy";

/// What other programs and the host may take of the benched cores before latencies are theirs rather than the relay's.
const QUIET_CPU_PCT: f64 = 10.0;
/// How often a run is measured again that was disturbed like that; the last one counts, whatever it is like.
const AGAIN: usize = 3;

pub(crate) async fn bench(args: cli::Bench) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // Dropping the work kills every process it has started.
    tokio::select! {
        done = work(args) => done,
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

async fn work(args: cli::Bench) -> Result<ExitCode> {
    let choice = Choice::new(&args.shapes)?;
    let relays = relay::all(&args)?;
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("a bench needs two cores: one for the server, one for the load");
    }
    let mut journal = Journal::new(args.json.as_deref())?;
    let mut failures = Vec::new();
    let mut verdicts = Vec::new();
    let mut disturbed: f64 = 0.0;
    println!("{}\n", machine());

    for shape in shape::ALL.iter().filter(|shape| choice.has(shape.name)) {
        let entrants = Entrant::all(shape, &relays, &args);
        if !entrants.iter().any(|e| !e.is_floor()) {
            println!("## {}: {}\n\nNo relay of ours took part.\n", shape.name, shape.about);
            continue;
        }
        let samples = measure(shape, &entrants, &args, &mut journal).await?;
        println!("{}", table::render(shape, &entrants, &samples));
        verdicts.extend(goals::judge(shape, &entrants, &samples));
        failures.extend(samples.iter().filter_map(Sample::failure));
        disturbed = samples.iter().filter_map(Sample::round).fold(disturbed, |max, (_, r)| max.max(r.others_cpu_pct));
    }
    if choice.has(AUTH) {
        verdicts.extend(auth::measure(&relays, &args, &mut journal).await?);
    }
    if choice.has(STORM) {
        verdicts.extend(storm::measure(&relays, &args, &mut journal).await?);
    }
    if choice.has(SETUP) {
        verdicts.extend(setup::measure(&relays, &args, &mut journal).await?);
    }
    if choice.has(CHURN) {
        verdicts.extend(churn::measure(&relays, &args, &mut journal).await?);
    }
    if choice.has(CONTROL) {
        verdicts.extend(control::measure(&relays, &args, &mut journal).await?);
    }
    if choice.has(LOSSY) {
        verdicts.extend(lossy::measure(&relays, &args, &mut journal).await?);
    }
    println!("## Goals\n");
    if verdicts.is_empty() {
        println!("None: what ran has no goals, or no relay of ours took part.");
    }
    for verdict in verdicts {
        println!("- {verdict}");
    }
    if disturbed > QUIET_CPU_PCT {
        println!(
            "\nOther programs and the host took up to {disturbed:.0} % of a core from these cores: latencies of such runs mean little."
        );
    }
    for failure in &failures {
        println!("\nFAILED: {failure}");
    }
    Ok(ExitCode::from(!failures.is_empty() as u8))
}

/// Runs one shape: a verifying run of each entrant, then the measured rounds.
async fn measure(
    shape: &'static Shape,
    entrants: &[Entrant],
    args: &cli::Bench,
    journal: &mut Journal,
) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for purpose in std::iter::once(Purpose::Verify).chain((1..=args.runs).map(Purpose::Round)) {
        for (index, entrant) in entrants.iter().enumerate() {
            for case in shape.cases {
                let Some(sample) = run(shape, case, index, entrant, purpose, args).await else { continue };
                eprintln!("{sample}");
                journal.write(&sample)?;
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

/// One run, of those that were disturbed the last; `None` when the entrant does not know the case.
async fn run(
    shape: &'static Shape,
    case: &'static Case,
    index: usize,
    entrant: &Entrant,
    purpose: Purpose,
    args: &cli::Bench,
) -> Option<Sample> {
    let mut again = AGAIN;
    loop {
        let plan = single::Plan::new(shape, case, entrant, purpose, args)?;
        let outcome = plan.run().await.map_err(|e| format!("{e:#}"));
        let sample = Sample::new(shape, case, index, entrant, purpose, outcome);
        if again == 0 || !sample.disturbed() {
            return Some(sample);
        }
        again -= 1;
        eprintln!("{sample}, disturbed: once more");
    }
}

/// What the figures were taken on.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("unknown").trim_matches(['\t', ':', ' ']);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let cores = cpu.lines().filter(|l| l.starts_with("processor")).count();
    let load = load.split(' ').next().unwrap_or("?");
    format!("{model}, {cores} cores, Linux {}, load average at the start {load}.", kernel.trim())
}
