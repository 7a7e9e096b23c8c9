//! Published MoQ clients as referees of a relay.
//!
//! Starts a relay binary, lets clients that other people wrote and published talk to each other through it, and compares
//! what comes out with what went in. `report` runs cases; `cases` holds one file per promise; `peer` is the client library
//! behind two small roles; `clock` drives the published `moq-clock` program.

mod cases;
mod clock;
mod content;
mod dialect;
mod doomed;
mod doors;
mod http;
mod pairs;
mod peer;
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
        _ => run(Args::parse()),
    }
}

#[tokio::main]
async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let flavor = if args.upstream { Flavor::Upstream } else { Flavor::Ours };
    let launch = Launch { binary: args.relay, flavor, extra: args.args };
    let mut relay = launch.start().await?;
    let mut unfinished = launch.speaking_everything().start().await?;

    let mut cases = cases::harness();
    cases.extend(cases::stopping(&launch));
    cases.extend(cases::all(relay.doors()));
    cases.extend(cases::unfinished(unfinished.doors()));
    cases.extend(tokens::cases(&launch.binary));
    cases.extend(clock::cases(relay.doors(), args.moq_clock));
    if let Some(only) = &args.only {
        cases.retain(|case: &Case| case.name().contains(only));
    }
    let mut report = Report::default();
    tokio::select! {
        () = report.run(cases, args.width) => {}
        // Returning from here stops the relays and every other process; dying of the signal would not.
        () = told_to_stop() => return Ok(ExitCode::FAILURE),
    }

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

async fn told_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("handlers can be installed");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
