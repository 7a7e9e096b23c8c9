//! A server under test: started fresh on a free port, pinned to its core, killed when dropped.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{
    entrant::Entrant,
    relay::{Relay, Start},
    shape::Floor,
};
use crate::{
    client::{Client, FLOOR, Reading},
    door::Door,
    wire::DEFAULT,
};

/// The server's core.
pub(super) const CORE: &str = "0";
/// How long a server may take until it answers a handshake.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    child: Child,
    /// Its working folder, with its log.
    dir: TempDir,
}

impl Server {
    /// A relay on these cores; `further` arguments are for one of ours.
    pub(crate) async fn relay(entrant: &Entrant, relay: &Relay, cores: &str, further: &str) -> Result<Self> {
        let (addr, dir) = (free_address()?, TempDir::new()?);
        let mut command = pinned(cores, &fs::canonicalize(&relay.binary)?);
        command.args(relay.arguments(&addr.to_string(), entrant.version, dir.path())?);
        if relay.start == Start::Ours {
            command.args(further.split_whitespace());
        }
        Self::start(command, addr, dir, entrant.door, entrant.version.alpn).await
    }

    /// A relay of ours with these settings of who may come in.
    pub(crate) async fn with_auth(relay: &Relay, settings: &[String]) -> Result<Self> {
        let (addr, dir) = (free_address()?, TempDir::new()?);
        let mut command = pinned(CORE, &fs::canonicalize(&relay.binary)?);
        command.args(["--server-listen", &addr.to_string(), "--server-tls-generate", "localhost"]).args(settings);
        Self::start(command, addr, dir, Door::Quic, DEFAULT.alpn).await
    }

    /// A relay of ours with further arguments.
    pub(crate) async fn ours(relay: &Relay, further: &[&str]) -> Result<Self> {
        let (addr, dir) = (free_address()?, TempDir::new()?);
        let mut command = pinned(CORE, &fs::canonicalize(&relay.binary)?);
        command.args(relay.arguments(&addr.to_string(), DEFAULT, dir.path())?).args(further);
        Self::start(command, addr, dir, Door::Quic, DEFAULT.alpn).await
    }

    /// A relay of ours that is a node of a cluster and dials another, if there is one.
    pub(crate) async fn node(relay: &Relay, other: Option<SocketAddr>) -> Result<Self> {
        let (addr, dir) = (free_address()?, TempDir::new()?);
        let mut command = pinned(CORE, &fs::canonicalize(&relay.binary)?);
        command.args(relay.arguments(&addr.to_string(), DEFAULT, dir.path())?);
        if let Some(other) = other {
            command.args(["--cluster-node", &format!("https://{addr}/"), "--client-tls-disable-verify", "true"]);
            command.args(["--cluster-connect", &format!("https://{other}/")]);
        }
        Self::start(command, addr, dir, Door::Quic, DEFAULT.alpn).await
    }

    pub(crate) async fn floor(floor: &Floor) -> Result<Self> {
        let (addr, dir) = (free_address()?, TempDir::new()?);
        let mut command = pinned(CORE, &std::env::current_exe()?);
        command.args(["floor", "--listen", &addr.to_string()]).args(floor.serve.split_whitespace());
        command.env("LOAD_STREAMS", floor.streams.to_string());
        Self::start(command, addr, dir, Door::Quic, FLOOR).await
    }

    async fn start(
        mut command: Command,
        addr: SocketAddr,
        dir: TempDir,
        door: Door,
        protocol: &'static str,
    ) -> Result<Self> {
        let log = File::create(dir.path().join("log"))?;
        command.current_dir(dir.path()).env("RUST_LOG", "warn");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("taskset (util-linux) did not start")?;
        let mut server = Self { addr, child, dir };
        let client = Client::new(addr, door, protocol, Reading::Eager)?;
        let started = Instant::now();
        loop {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server did not start ({status}): {}", server.log());
            }
            // A packet to a port nobody serves yet is lost: better a fresh attempt than its retransmission.
            match timeout(Duration::from_millis(250), client.connect()).await {
                Ok(Ok(_)) => return Ok(server),
                _ if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(Err(e)) => bail!("no {protocol} over {door} from the server ({e:#}): {}", server.log()),
                Err(_) => bail!("no handshake from the server within {PATIENCE:?}: {}", server.log()),
            }
        }
    }

    /// taskset becomes the server, so this is the server's own process.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("the server has exited: {}", self.log()))
    }

    /// The end of what it has said.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.dir.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }

    pub(crate) async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}

/// A command that runs on one core and dies with its handle.
pub(crate) fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program).kill_on_drop(true);
    command
}

/// A loopback address whose port is free for UDP and TCP.
fn free_address() -> Result<SocketAddr> {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let addr = udp.local_addr()?;
        if TcpListener::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    bail!("no port is free for both UDP and TCP")
}
