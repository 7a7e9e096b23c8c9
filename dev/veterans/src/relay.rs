//! A relay process under test: started on a free port, stopped when dropped.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::http;

/// How long a relay may take until it answers over HTTP.
const READY: Duration = Duration::from_secs(10);

/// Whose flags the binary understands.
#[derive(Clone, Copy, Debug)]
pub enum Flavor {
    /// This project's relay.
    Ours,
    /// moq-relay 0.9 and 0.10.
    Upstream,
}

impl Flavor {
    /// Flags for: QUIC and HTTP on this address, a certificate for localhost, everything public.
    fn args(self, addr: SocketAddr) -> Vec<String> {
        let addr = addr.to_string();
        let args: &[&str] = match self {
            Self::Ours => &["--server-listen", &addr, "--server-tls-generate", "localhost", "--auth-public", ""],
            Self::Upstream => {
                &["--listen", &addr, "--tls-generate", "localhost", "--web-http-listen", &addr, "--auth-public", ""]
            }
        };
        args.iter().map(ToString::to_string).collect()
    }
}

pub struct Relay {
    addr: SocketAddr,
    log: PathBuf,
    process: Child,
}

impl Relay {
    /// Start `binary` and wait until it is ready. Its output goes to a file named in every error.
    pub async fn start(binary: &Path, flavor: Flavor, extra: &[String]) -> Result<Self> {
        let addr = free_port()?;
        let log = std::env::temp_dir().join(format!("veterans-relay-{}.log", addr.port()));
        let output = File::create(&log)?;
        let process = Command::new(binary)
            .args(flavor.args(addr))
            .args(extra)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut relay = Self { addr, log, process };
        relay.ready().await?;
        Ok(relay)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the relay's own words are.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, should the relay have ended by itself.
    pub fn exited(&mut self) -> Option<String> {
        self.process.try_wait().ok().flatten().map(|status| status.to_string())
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        while Instant::now() < deadline {
            if let Some(status) = self.exited() {
                bail!("the relay ended at once with {status}, see {}", self.log.display());
            }
            if http::answers(self.addr, "/certificate.sha256").await {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the relay does not answer GET /certificate.sha256, see {}", self.log.display())
    }
}

/// A port that is free for UDP and for TCP, as far as one can know.
fn free_port() -> Result<SocketAddr> {
    for _ in 0..16 {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let addr = tcp.local_addr()?;
        if UdpSocket::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    bail!("no port is free for both UDP and TCP")
}
