//! Flags → configuration → relay → wait for a signal → goodbye.

use std::{io::IsTerminal, process::ExitCode};

use moq_relay::{
    config::{self, Check, Loaded, Migration, Request},
    relay::Relay,
    token,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// It gives memory back: after ten thousand sessions have come and gone, the system's own has kept seven times as much.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.nth(1).is_some_and(|first| first == "token") {
        return match token::run(args) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(error.code())
            }
        };
    }
    let loaded = match config::load(std::env::args_os(), &|name| std::env::var(name).ok()) {
        Ok(Request::Run(loaded)) => loaded,
        Ok(Request::Check(check)) => {
            return match examine(&check) {
                Ok(text) => {
                    print!("{text}");
                    ExitCode::SUCCESS
                }
                Err(error) => refuse(&check.loaded.located(&format!("{error:#}"))),
            };
        }
        Ok(Request::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&error),
    };
    log(&loaded.config.log);
    for note in &loaded.notes {
        info!("{note}");
    }
    for line in &loaded.pending {
        warn!("{line}");
    }
    match serve(&loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&loaded.located(&format!("{error:#}"))),
    }
}

/// Text to stderr, in colour for people only.
fn log(config: &config::log::Config) {
    // The library warns of every client that leaves without a goodbye, which is how most leave.
    let quiet = if config.filter.is_none() { ",web_transport_quinn=error" } else { "" };
    let filter = EnvFilter::builder().parse_lossy(format!("{}{quiet}", config.directives()));
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}

/// Nothing half-starts: whatever is wrong with the configuration or the machine ends here.
fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// What a relay would go by, or what was changed in its file.
fn examine(Check { loaded, write }: &Check) -> anyhow::Result<String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Relay::examine(&loaded.config) })?;
    let Some(path) = write else {
        for line in loaded.notes.iter().chain(&loaded.pending) {
            eprintln!("{line}");
        }
        return Ok(loaded.effective());
    };
    Ok(match Migration::of(path)? {
        None => format!("{} needs no change\n", path.display()),
        Some(migration) => {
            let backup = migration.write()?;
            let changes: String = migration.changes.iter().map(|line| format!("{line}\n")).collect();
            format!("{changes}{} is rewritten, and kept as it was in {}\n", path.display(), backup.display())
        }
    })
}

fn serve(loaded: &Loaded) -> anyhow::Result<()> {
    // One process-wide provider, so that every library that asks for the default gets this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        // Before anything is served: from here on a signal asks, and no longer kills.
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let relay = Relay::bind(&loaded.config, loaded.development)?;
        if loaded.development {
            welcome(&relay);
        }
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(forward(terminate, interrupt, stop));
        relay.run(stopped).await
    })
}

/// The first signal asks for a goodbye, the second ends the process.
async fn forward(mut terminate: Signal, mut interrupt: Signal, stop: watch::Sender<bool>) {
    for last in [false, true] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if last {
            std::process::exit(1);
        }
        let _ = stop.send(true);
    }
}

/// What to do with a relay that was started just to try it.
fn welcome(relay: &Relay) {
    let port = relay.address().port();
    println!(
        "\
moq-relay is serving the development configuration: this machine only, everything public.

  publish a clock   moq-clock --url http://localhost:{port}/ --broadcast clock --client-version moq-lite-03 publish
  watch it          moq-clock --url http://localhost:{port}/ --broadcast clock --client-version moq-lite-03 subscribe
  what is live      curl http://localhost:{port}/announced/
  its latest group  curl http://localhost:{port}/fetch/clock/seconds

  moq-clock         cargo install moq-clock --version 0.10.21 --locked
  your own setup    moq-relay relay.toml    (moq-relay --help lists every setting)
"
    );
}
