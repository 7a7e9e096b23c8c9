//! Published MoQ clients of older lines as referees of a relay.
//!
//! Starts a relay binary, lets clients that other people wrote and published in 2025 and early 2026 talk to each other
//! through it, and compares what comes out with what went in. `report` runs cases; `cases` holds one file per promise;
//! `peer` is a client in its two roles; `lines` has the libraries behind it; `clock` drives the published `moq-clock`
//! program.

#![expect(clippy::duplicate_mod, reason = "lines: one source for libraries whose types differ only by version")]

mod cases;
mod clock;
mod content;
mod http;
mod lines;
mod peer;
mod relay;
#[path = "../../interop/src/report.rs"]
mod report;
mod seat;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::relay::{Flavor, Relay};
use crate::report::{Case, Report};

/// How long one case may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(15);

#[derive(Parser)]
#[command(about = "Drives published MoQ clients of older lines against a relay binary", version)]
struct Args {
    /// The relay binary to start.
    #[arg(long, value_name = "PATH")]
    relay: PathBuf,

    /// The binary is moq-relay 0.9 or 0.10 and wants its own flags.
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
    #[arg(long, default_value_t = 16)]
    width: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).init();
    }
    let args = Args::parse();
    let flavor = if args.upstream { Flavor::Upstream } else { Flavor::Ours };
    let mut relay = Relay::start(&args.relay, flavor, &args.args).await?;

    let mut cases = cases::all(relay.addr());
    cases.extend(clock::cases(relay.addr(), args.moq_clock));
    if let Some(only) = &args.only {
        cases.retain(|case: &Case| case.name().contains(only));
    }
    let mut report = Report::default();
    tokio::select! {
        () = report.run(cases, args.width) => {}
        // Returning from here stops the relay and every other process; dying of the signal would not.
        () = told_to_stop() => return Ok(ExitCode::FAILURE),
    }

    if let Some(status) = relay.exited() {
        report.failed("the relay itself", &format!("ended with {status}"));
    }
    Ok(if report.finish() {
        ExitCode::SUCCESS
    } else {
        println!("the relay's output: {}", relay.log().display());
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
