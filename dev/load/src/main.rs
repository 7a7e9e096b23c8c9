//! Offers a fixed load to a relay and reports what one delivered frame cost it.
//!
//! ```text
//!  load run ──publish──▶ server ──▶ subscribe, group ──▶ stats ──▶ report (one JSON line)
//!  load floor            the same frames from bare quinn: the cheapest a quinn-based relay could be
//!  load knock, storm     who comes and goes, and who announces very much
//!  load bench            starts servers, runs both against them in turn, prints tables and goals
//! ```
//!
//! `wire` and `group` are written from the specification and share no code with the relay, so they are a referee too.

mod bench;
mod churn;
mod cli;
mod client;
mod control;
mod door;
mod floor;
mod frames;
mod group;
mod handshake;
mod knock;
mod lean;
mod link;
mod lossy;
mod payload;
mod publish;
mod reader;
mod report;
mod run;
mod setup;
mod snapshot;
mod socket;
mod stats;
mod steering;
mod storm;
mod subscribe;
mod tls;
mod usage;
mod verify;
mod watcher;
mod watching;
mod websocket;
mod wire;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[tokio::main]
async fn main() -> ExitCode {
    raise_open_files();
    execute(cli::Cli::parse().command).await.unwrap_or_else(|e| {
        eprintln!("load: {e:#}");
        ExitCode::FAILURE
    })
}

/// As many as the system allows: a session over WebSocket has a socket of its own.
fn raise_open_files() {
    let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
}

async fn execute(command: cli::Command) -> Result<ExitCode> {
    match command {
        cli::Command::Run(args) => {
            println!("{}", serde_json::to_string(&run::run(args).await?)?);
            // Thousands of connections would take a while to say goodbye.
            std::process::exit(0)
        }
        cli::Command::Knock(args) => {
            println!("{}", serde_json::to_string(&knock::knock(args).await?)?);
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Storm(args) => {
            println!("{}", serde_json::to_string(&storm::storm(args).await?)?);
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Setup(args) => {
            println!("{}", serde_json::to_string(&setup::setup(args).await?)?);
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Churn(args) => {
            println!("{}", serde_json::to_string(&churn::churn(args).await?)?);
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Control(args) => {
            println!("{}", serde_json::to_string(&control::control(args).await?)?);
            Ok(ExitCode::SUCCESS)
        }
        cli::Command::Lossy(args) => {
            println!("{}", serde_json::to_string(&lossy::lossy(args).await?)?);
            std::process::exit(0)
        }
        cli::Command::Floor(args) => floor::serve(args).await.map(|()| ExitCode::SUCCESS),
        cli::Command::Bench(args) => bench::bench(args).await,
    }
}
