//! The published `moq-clock` program, told to speak one old version, with every library at the other end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::peer::{Publisher, Viewer, Watching};
use crate::report::Case;
use crate::seat::{ROOT, Seat};

/// What it is told to speak.
const DIALECTS: [&str; 3] = ["moq-lite-01", "moq-lite-02", "moq-lite-03"];

/// The track it writes: a group per minute, its first frame the minute, then a frame per second.
const TRACK: &str = "seconds";

/// The shape of the first frame.
const MINUTE: &str = "2000-01-01 00:00:";

/// The shape of a printed line.
const LINE: &str = "2000-01-01 00:00:00";

/// The cases, or a line saying why there are none.
pub fn cases(relay: SocketAddr, given: Option<PathBuf>) -> Vec<Case> {
    let Some(program) = given.or_else(installed) else {
        let reason = "moq-clock is not installed (cargo install moq-clock --version 0.10.21 --root \
                      ~/.cache/moq-peers/moq-clock-0.10.21)";
        return vec![Case::skipped("moq-clock".to_owned(), reason.to_owned())];
    };
    let mut cases = Vec::new();
    for dialect in DIALECTS {
        for seat in Seat::all() {
            let clock = |role: &str| {
                let name = format!("clock/{dialect}-{role}-{seat}");
                Clock { relay, program: program.clone(), dialect, name }
            };
            let title = |what: &str| format!("{dialect:<13} {what:>9} {seat}");
            cases.push(Case::new(title("clock to"), to_library(clock("to"), seat)));
            cases.push(Case::new(title("clock from"), from_library(clock("from"), seat)));
        }
    }
    cases
}

/// Where `tools/peers` puts it.
fn installed() -> Option<PathBuf> {
    let peers = std::env::var_os("MOQ_PEERS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("moq-peers"))
    })?;
    Some(peers.join("moq-clock-0.10.21/bin/moq-clock")).filter(|program| program.is_file())
}

async fn to_library(clock: Clock, seat: Seat) -> Result<()> {
    let _publisher = clock.run("publish")?;
    let mut viewer = Viewer::connect(clock.relay, seat).await?;
    let source = viewer.discover(&clock.name).await?;
    let mut group = Watching::new(source.subscribe(TRACK)).next().await?;
    let mut text = String::new();
    while text.len() < LINE.len() {
        text += str::from_utf8(&group.next().await?)?;
    }
    ensure!(looks_like(&text[..LINE.len()], LINE), "the clock says {text:?}");
    Ok(())
}

async fn from_library(clock: Clock, seat: Seat) -> Result<()> {
    let source = Publisher::connect(clock.relay, seat).await?;
    let mut broadcast = source.announce_track(&clock.name, TRACK);
    let mut subscriber = clock.run("subscribe")?;
    let mut track = broadcast.wanted().await?;
    let mut group = track.open(7)?;
    group.write_bytes(MINUTE);
    group.write_bytes(&LINE[MINUTE.len()..]);
    subscriber.line().await
}

/// Same length, and a digit wherever the shape has one.
fn looks_like(text: &str, shape: &str) -> bool {
    let same = |(is, should): (char, char)| if should.is_ascii_digit() { is.is_ascii_digit() } else { is == should };
    text.len() == shape.len() && text.chars().zip(shape.chars()).all(same)
}

/// How to run `moq-clock` on one broadcast.
struct Clock {
    relay: SocketAddr,
    program: PathBuf,
    dialect: &'static str,
    name: String,
}

impl Clock {
    fn run(&self, role: &str) -> Result<Running> {
        let url = format!("http://localhost:{}/{ROOT}", self.relay.port());
        let process = Command::new(&self.program)
            .args(["--url", &url, "--broadcast", &self.name, "--client-version", self.dialect, role])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running(process))
    }
}

/// A running `moq-clock`, killed when dropped.
struct Running(Child);

impl Running {
    /// Wait for one line of time.
    async fn line(&mut self) -> Result<()> {
        let output = self.0.stdout.take().context("output is read once")?;
        let Some(line) = BufReader::new(output).lines().next_line().await? else {
            bail!("moq-clock ended without a line");
        };
        ensure!(looks_like(&line, LINE), "moq-clock prints {line:?}");
        Ok(())
    }
}
