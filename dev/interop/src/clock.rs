//! The published `moq-clock` program, run the way its README says, and the library watching the same clock.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use moq_net::track::Subscription;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::dialect::Seat;
use crate::doors::Doors;
use crate::http;
use crate::peer::{Publisher, Viewer};
use crate::programs;
use crate::report::Case;

/// What `moq-clock` speaks here, and the oldest dialect that needs no SETUP exchange.
const DIALECT: &str = "moq-lite-03";

/// The track `moq-clock` writes: a group per minute, its first frame the minute, then a frame per second.
const TRACK: &str = "seconds";

/// The shape of the first frame.
const MINUTE: &str = "2000-01-01 00:00:";

/// The shape of a printed line.
const LINE: &str = "2000-01-01 00:00:00";

/// The cases, or a line saying why there are none.
pub fn cases(relay: &Doors, given: Option<PathBuf>) -> Vec<Case> {
    let Some(program) = given.or_else(|| programs::installed("moq-clock", "0.10.21")) else {
        return vec![Case::skipped(title("all"), programs::how_to_install("moq-clock", "0.10.21"))];
    };
    let clock = |name: &str| Clock { relay: relay.clone(), program: program.clone(), name: name.to_owned() };
    let mut cases = vec![
        Case::new(title("to itself"), to_itself(clock("clock"))),
        Case::new(title("http announced"), listed(clock("clock-listed"))),
        Case::new(title("http fetch"), fetched(clock("clock-fetched"))),
    ];
    for seat in Seat::few() {
        let name = |role: &str| format!("clock-{role}-{seat}").replace('/', "-");
        cases.push(Case::new(title(&format!("to {seat}")), to_library(clock(&name("to")), seat)));
        cases.push(Case::new(title(&format!("from {seat}")), from_library(clock(&name("from")), seat)));
    }
    cases
}

fn title(what: &str) -> String {
    format!("moq-clock 03   {what}")
}

async fn to_itself(clock: Clock) -> Result<()> {
    let _publisher = clock.publish()?;
    clock.subscribe()?.line().await
}

async fn listed(clock: Clock) -> Result<()> {
    let _publisher = clock.publish()?;
    let mut last = Vec::new();
    // The publisher needs a moment to connect; the deadline of the case ends this loop.
    while !last.contains(&clock.name) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        last = http::lines(clock.relay.main, "/announced/").await?;
    }
    Ok(())
}

/// The newest group is still being written, so only its beginning is waited for.
async fn fetched(clock: Clock) -> Result<()> {
    let _publisher = clock.publish()?;
    clock.subscribe()?.line().await?;
    let body = http::head(clock.relay.main, &format!("/fetch/{}/{TRACK}", clock.name), LINE.len()).await?;
    let body = String::from_utf8(body)?;
    ensure!(looks_like(&body, LINE), "the body starts with {body:?}");
    Ok(())
}

async fn to_library(clock: Clock, seat: Seat) -> Result<()> {
    let _publisher = clock.publish()?;
    let mut viewer = Viewer::connect(&clock.relay, seat).await?;
    let mut track = viewer.broadcast(&clock.name).await?.track(TRACK)?.subscribe(Subscription::default()).await?;
    let mut group = track.recv_group().await?.context("the clock has a group")?;
    let mut text = String::new();
    while text.len() < LINE.len() {
        let frame = group.read_frame().await?.context("the minute goes on")?;
        text += str::from_utf8(&frame.payload)?;
    }
    ensure!(looks_like(&text[..LINE.len()], LINE), "the clock says {text:?}");
    Ok(())
}

async fn from_library(clock: Clock, seat: Seat) -> Result<()> {
    let publisher = Publisher::connect(&clock.relay, seat).await?;
    let broadcast = publisher.announce_track(&clock.name, TRACK)?;
    let mut group = broadcast.open(7)?;
    group.write_frame(moq_net::Timestamp::now(), MINUTE)?;
    group.write_frame(moq_net::Timestamp::now(), &LINE[MINUTE.len()..])?;
    clock.subscribe()?.line().await
}

/// Same length, and a digit wherever the shape has one.
fn looks_like(text: &str, shape: &str) -> bool {
    let same = |(is, should): (char, char)| if should.is_ascii_digit() { is.is_ascii_digit() } else { is == should };
    text.len() == shape.len() && text.chars().zip(shape.chars()).all(same)
}

/// How to run `moq-clock` on one broadcast.
struct Clock {
    relay: Doors,
    program: PathBuf,
    name: String,
}

impl Clock {
    fn publish(&self) -> Result<Running> {
        self.run("publish")
    }

    fn subscribe(&self) -> Result<Running> {
        self.run("subscribe")
    }

    fn run(&self, role: &str) -> Result<Running> {
        let url = format!("http://localhost:{}/", self.relay.main.port());
        let process = Command::new(&self.program)
            .args(["--url", &url, "--broadcast", &self.name, "--client-version", DIALECT, role])
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
