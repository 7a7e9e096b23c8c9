//! Published MoQ clients as referees of a relay.
//!
//! Starts a relay binary, lets clients that other people wrote and published talk to each other through it, and compares
//! what comes out with what went in. `report` runs cases; `cases` holds one file per promise; `peer` is the client library
//! behind two small roles; `clock` drives the published `moq-clock` program; `mixed` has clusters of this relay and
//! published ones.

mod cases;
mod clock;
mod content;
mod dialect;
mod doomed;
mod doors;
mod http;
mod mixed;
mod pairs;
mod peer;
mod programs;
mod relay;
mod report;
mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::relay::{Flavor, Launch};
use crate::report::{Case, Report};

/// How long one case may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Parser)]
#[command(about = "Drives published MoQ clients against a relay binary", version)]
struct Args {
    /// The relay binary to start.
    #[arg(long, value_name = "PATH")]
    relay: PathBuf,

    /// The binary is moq-relay 0.17 and wants its own flags.
    #[arg(long)]
    upstream: bool,

    /// Clusters of this relay and published ones, and nothing else.
    #[arg(long, conflicts_with_all = ["upstream", "args"])]
    mixed: bool,

    /// One more argument for the relay. Repeatable.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    args: Vec<String>,

    /// The published moq-clock program; looked for in ~/.cache/moq-peers when not given.
    #[arg(long, value_name = "PATH")]
    moq_clock: Option<PathBuf>,

    /// Run only cases whose line contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// How many cases run at a time.
    #[arg(long, default_value_t = 32)]
    width: usize,
}

fn main() -> anyhow::Result<ExitCode> {
    if std::env::var_os("RUST_LOG").is_some() {
        moq_tokio::Log::default().init()?;
    }
    match std::env::args().nth(1).as_deref() {
        Some(doomed::COMMAND) => doomed::run(),
        _ => start(Args::parse()),
    }
}

#[tokio::main]
async fn start(args: Args) -> anyhow::Result<ExitCode> {
    if args.mixed { clusters(args).await } else { run(args).await }
}

/// Published relays beside ours.
async fn clusters(args: Args) -> anyhow::Result<ExitCode> {
    // Each cluster is two or three relays.
    let args = Args { width: args.width.min(8), ..args };
    let Some(report) = report(mixed::cases(&args.relay), &args).await else { return Ok(ExitCode::FAILURE) };
    let files = mixed::all_files();
    let good = report.finish();
    // Whoever asks for one cluster wants to look at it.
    if good && args.only.is_none() {
        let _ = std::fs::remove_dir_all(files);
    } else {
        println!("what the relays were told, and their output: {}", files.display());
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Clients of all kinds at one relay.
async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let flavor = if args.upstream { Flavor::Upstream } else { Flavor::Ours };
    let launch = Launch { binary: args.relay.clone(), flavor, extra: args.args.clone() };
    let mut relay = launch.start().await?;
    let mut unfinished = launch.speaking_everything().start().await?;

    let mut cases = cases::harness();
    cases.extend(cases::stopping(&launch));
    cases.extend(cases::all(relay.doors()));
    cases.extend(cases::unfinished(unfinished.doors()));
    cases.extend(tokens::cases(&launch.binary));
    cases.extend(clock::cases(relay.doors(), args.moq_clock.clone()));
    let Some(mut report) = report(cases, &args).await else { return Ok(ExitCode::FAILURE) };

    for relay in [&mut relay, &mut unfinished] {
        if let Some(status) = relay.exited() {
            report.failed("the relay itself", &format!("ended with {status}, see {}", relay.log().display()));
        }
    }
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        println!("the relays' output: {} and {}", relay.log().display(), unfinished.log().display());
        ExitCode::FAILURE
    })
}

/// Runs the cases that are asked for; `None` when told to stop meanwhile. Returning from `main` then stops the relays and
/// every other process; dying of the signal would not.
async fn report(mut cases: Vec<Case>, args: &Args) -> Option<Report> {
    if let Some(only) = &args.only {
        cases.retain(|case: &Case| case.name().contains(only));
    }
    let mut report = Report::default();
    tokio::select! {
        () = report.run(cases, args.width) => Some(report),
        () = told_to_stop() => None,
    }
}

async fn told_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("handlers can be installed");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
