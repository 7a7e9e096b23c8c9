//! A publisher in a process of its own, so that it can be killed: no close, no reset, just silence.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use moq_tokio::quic;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::dialect::{Dialect, Door, Seat};
use crate::doors::Doors;
use crate::peer::{self, Publisher};

/// The first argument that turns this program into the publisher to be killed.
pub const COMMAND: &str = "doomed";

/// What the publisher says once it is connected.
const ANNOUNCED: &str = "announced";

/// The silence after which the relay may call a publisher on QUIC dead; other sockets are closed by the kernel at once.
/// QUIC takes the smaller of both ends' values, so this keeps the case short whatever the relay's own timeout is.
const IDLE: Duration = Duration::from_secs(2);

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    relay: Doors,
    dialect: Dialect,
    door: Door,
    name: String,
}

/// The child's whole life: announce, send two frames of a group when asked for it, wait for the end.
#[tokio::main]
pub async fn run() -> Result<ExitCode> {
    let Args { relay, dialect, door, name } = Args::parse_from(std::env::args().skip(1));
    let mut quic = quic::Config::default();
    quic.idle_timeout = IDLE;
    quic.keep_alive = IDLE / 4;
    let publisher = Publisher::connect_at(&relay, Seat { dialect, door }, "/", quic).await?;
    let broadcast = publisher.announce(&name)?;
    println!("{ANNOUNCED}");
    broadcast.wanted().await?;
    let mut group = broadcast.open(0)?;
    peer::write(&mut group, 0)?;
    peer::write(&mut group, 1)?;
    std::future::pending::<()>().await;
    Ok(ExitCode::SUCCESS)
}

/// The parent's handle on it. Dropping it kills the process as well.
pub struct Doomed(Child);

impl Doomed {
    /// Start the publisher and wait until it has announced `name`.
    pub async fn start(Doors { main, tcp, unix }: &Doors, seat: Seat, name: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, &main.to_string(), &tcp.to_string()])
            .arg(unix)
            .args([seat.dialect.name(), seat.door.name(), name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the publisher process starts")?;
        let output = child.stdout.take().context("the publisher process has an output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        ensure!(line.as_deref() == Some(ANNOUNCED), "the publisher process says {line:?}");
        Ok(Self(child))
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> Result<()> {
        self.0.kill().await.context("the publisher process is killed")
    }
}
