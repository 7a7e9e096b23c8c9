//! A cluster under test: relays of several eras, started on free addresses, stopped when dropped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};

use super::era::{Era, Links, Wishes};
use crate::dialect::Seat;
use crate::doors::Doors;
use crate::relay::Relay;

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the cluster is called, in lines and in the names of its files.
    pub name: String,
    pub members: Vec<Member>,
}

/// A node to be.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is called in lines.
    pub name: &'static str,
    pub era: Era,
    pub binary: PathBuf,
    pub links: Links,
}

/// A plan carried out once, by whoever is the first to need it.
pub struct Shared {
    plan: Plan,
    cluster: OnceCell<Result<Cluster, String>>,
}

impl Shared {
    pub fn new(plan: Plan) -> Self {
        Self { plan, cluster: OnceCell::new() }
    }

    pub async fn get(&self) -> Result<&Cluster> {
        let start = async { Cluster::start(&self.plan).await.map_err(|error| format!("{error:#}")) };
        let cluster = self.cluster.get_or_init(|| start).await;
        cluster.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }
}

/// Relays that have been told of each other.
pub struct Cluster {
    nodes: Vec<Node>,
}

/// One of them, which may be stopped and started again.
pub struct Node {
    pub seat: Seat,
    pub doors: Doors,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    relay: Mutex<Option<Relay>>,
}

impl Cluster {
    pub async fn start(plan: &Plan) -> Result<Self> {
        let folder = folder(&plan.name)?;
        let ours =
            plan.members.iter().find(|member| member.era == Era::Ours).context("a cluster without this relay")?;
        let (key, token) = secrets(&ours.binary, &folder).await?;
        let doors = plan.members.iter().map(|_| Doors::free()).collect::<Result<Vec<_>>>()?;
        let others: Vec<SocketAddr> = doors.iter().map(|doors| doors.main).collect();
        let mut nodes = Vec::new();
        for (at, (member, doors)) in plan.members.iter().zip(doors).enumerate() {
            let Member { era, links, .. } = *member;
            let dialed: Vec<usize> = match links {
                Links::Waits => Vec::new(),
                Links::Joins(root) => vec![root],
                Links::Dials(places) | Links::Meshes(places) => places.to_vec(),
            };
            let reads = dialed.iter().all(|other| plan.members[*other].era.reads_tokens());
            let token = Some(token.as_path()).filter(|_| reads);
            let config = folder.join(format!("{at}-{}.toml", member.name));
            let wishes = Wishes { address: doors.main, links, others: &others, key: &key, token };
            fs::write(&config, era.config(&wishes))?;
            let log = config.with_extension("log");
            let relay = Mutex::new(None);
            let node = Node { seat: era.seat(), doors, binary: member.binary.clone(), config, log, relay };
            node.start().await.with_context(|| format!("{}, with {}", member.name, node.config.display()))?;
            nodes.push(node);
        }
        Ok(Self { nodes })
    }

    pub fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }
}

impl Node {
    /// Start it, again or for the first time.
    pub async fn start(&self) -> Result<()> {
        let output = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command.arg(&self.config);
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "debug");
        }
        let relay = Relay::spawn(command, self.doors.clone(), self.log.clone(), output).await?;
        *self.relay.lock().await = Some(relay);
        Ok(())
    }

    /// SIGKILL: the others are not told.
    pub async fn kill(&self) -> Result<()> {
        self.relay.lock().await.take().context("it runs")?.kill().await
    }

    /// SIGTERM, and until it has ended.
    pub async fn stop(&self) -> Result<()> {
        let mut relay = self.relay.lock().await.take().context("it runs")?;
        relay.terminate().await?;
        relay.stopped().await?;
        Ok(())
    }
}

/// Where the files of all clusters of this run are.
pub fn all_files() -> PathBuf {
    std::env::temp_dir().join(format!("interop-mixed-{}", std::process::id()))
}

fn folder(name: &str) -> Result<PathBuf> {
    let folder = all_files().join(name.replace([' ', ','], "-"));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A key, and a token that makes its bearer a node.
async fn secrets(ours: &Path, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (key, token) = (folder.join("key.jwk"), folder.join("cluster.jwt"));
    let make = async |args: &[&str]| {
        let made =
            Command::new(ours).arg("token").args(args).arg("--key").arg(&key).stdin(Stdio::null()).output().await?;
        ensure!(made.status.success(), "moq-relay token: {}", String::from_utf8_lossy(&made.stderr));
        Ok(made.stdout)
    };
    let out = key.display().to_string();
    make(&["generate", "--out", &out]).await?;
    fs::write(&token, make(&["sign", "--cluster", "--publish", "", "--subscribe", ""]).await?)?;
    Ok((key, token))
}
