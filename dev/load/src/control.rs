//! `load control`: very many broadcasts, very many who watch a few of them each, and one broadcast that ends and begins again.
//! What such a change costs the server, by how many watch it.
//!
//! Everybody who watches is counted: news for somebody whom it does not concern ends the run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::timeout};

use crate::{
    cli,
    client::{Client, Reading},
    door::{Connection, Door, SendStream},
    handshake::{SessionStream, handshake},
    reader::Reader,
    report::round,
    snapshot::Snapshot,
    watcher::Watcher,
    wire::{self, Version},
};

/// Sessions that announce all broadcasts together.
const PUBLISHERS: usize = 10;
/// Until somebody has been told what there is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until the server has put away what came before.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the server's rest is measured: sessions that are kept alive cost something, too.
const REST: Duration = Duration::from_secs(10);
/// Between one half of a change and the next.
const PACE: Duration = Duration::from_millis(1);
/// Changes told to many are fewer.
const TOLD: usize = 20_000;

#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Controlled {
    pub(crate) changes: Vec<Change>,
    /// The server's memory: before, with all broadcasts, with all who watch a few, with those who watch everything.
    pub(crate) empty_mb: f64,
    pub(crate) broadcasts_mb: f64,
    pub(crate) watchers_mb: f64,
    pub(crate) full_mb: f64,
}

/// A broadcast that ends and begins again.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Change {
    /// How many watch anything.
    pub(crate) watchers: usize,
    /// How many watch it.
    pub(crate) matching: usize,
    pub(crate) cpu_us: f64,
    /// What was subtracted: what the server used as long when nothing changed.
    pub(crate) rest_us: f64,
    pub(crate) load_cpu_pct: f64,
    pub(crate) others_cpu_pct: f64,
}

pub(crate) async fn control(args: cli::Control) -> Result<Controlled> {
    let version = args.version;
    let client = Client::new(args.addr, Door::Quic, version.alpn, Reading::Eager)?;
    let memory = || Ok::<_, anyhow::Error>(Snapshot::take(&[args.pid])?.server_mb());
    let empty_mb = memory()?;

    let each = args.broadcasts / args.watchers;
    let names: Vec<_> = (0..args.watchers).flat_map(|i| (0..each).map(move |k| format!("{}/{k}", prefix(i)))).collect();
    let mut announced = Vec::new();
    for names in names.chunks(names.len().div_ceil(PUBLISHERS)) {
        announced.push(Announced::new(&client, version, names).await?);
    }
    // Nobody watches the first, and one watcher the second.
    let mut changing = Announced::new(&client, version, &["quiet/0".into(), format!("{}/changing", prefix(0))]).await?;
    tokio::time::sleep(SETTLE).await;
    let broadcasts_mb = memory()?;

    let heard = Arc::new(Heard::default());
    let mut changes = vec![change(&args, &mut changing, 0, 0, &heard).await?];
    for i in 0..args.watchers {
        heard.watch(&client, version, &prefix(i), each + (i == 0) as usize).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let watchers_mb = memory()?;
    for (name, matching) in [(0, 0), (1, 1)] {
        changes.push(change(&args, &mut changing, name, matching, &heard).await?);
    }
    for _ in 0..args.everything {
        heard.watch(&client, version, "", names.len() + 2).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let full_mb = memory()?;
    changes.push(change(&args, &mut changing, 0, args.everything, &heard).await?);
    Ok(Controlled { changes, empty_mb, broadcasts_mb, watchers_mb, full_mb })
}

fn prefix(watcher: usize) -> String {
    format!("room-{watcher:05}")
}

/// Ends and begins one broadcast, time and again.
async fn change(
    args: &cli::Control,
    announced: &mut Announced,
    name: usize,
    matching: usize,
    heard: &Heard,
) -> Result<Change> {
    let a = Snapshot::take(&[args.pid])?;
    tokio::time::sleep(REST).await;
    let b = Snapshot::take(&[args.pid])?;
    let idle = b.server_us(&a) as f64 / (b.at - a.at).as_secs_f64();

    let count = args.changes.min(TOLD / matching.max(1));
    let mut due = heard.count.load(Relaxed);
    let a = Snapshot::take(&[args.pid])?;
    for _ in 0..count {
        announced.end(name).await?;
        due += matching as u64;
        heard.until(due).await?;
        announced.begin(name).await?;
        due += matching as u64;
        heard.until(due).await?;
    }
    let b = Snapshot::take(&[args.pid])?;
    let told = heard.count.load(Relaxed);
    ensure!(told == due, "{} announcements to those whom they do not concern", told - due);
    let rest_us = idle * (b.at - a.at).as_secs_f64() / count as f64;
    Ok(Change {
        watchers: heard.watchers.load(Relaxed),
        matching,
        cpu_us: round(b.server_us(&a) as f64 / count as f64 - rest_us, 1),
        rest_us: round(rest_us, 1),
        load_cpu_pct: b.load_cpu_pct(&a),
        others_cpu_pct: b.others_cpu_pct(&a),
    })
}

/// How much all watchers together have been told since they knew what there is.
#[derive(Default)]
struct Heard {
    count: AtomicU64,
    watchers: AtomicUsize,
    more: Notify,
}

impl Heard {
    /// Adds a watcher, once it knows all that it should.
    async fn watch(
        self: &Arc<Self>,
        client: &Client,
        version: &'static Version,
        prefix: &str,
        count: usize,
    ) -> Result<()> {
        let mut watcher = Watcher::new(client, version, prefix).await?;
        let known = timeout(PATIENCE, watcher.until(count)).await;
        known.with_context(|| format!("{} of {count} came below {prefix:?}", watcher.there.len()))??;
        self.watchers.fetch_add(1, Relaxed);
        let heard = self.clone();
        tokio::spawn(async move {
            loop {
                if let Err(e) = watcher.news().await {
                    return eprintln!("watcher: {e:#}");
                }
                heard.count.fetch_add(1, Relaxed);
                heard.more.notify_one();
            }
        });
        Ok(())
    }

    /// At the same pace whoever is told, until everybody is.
    async fn until(&self, count: u64) -> Result<()> {
        tokio::time::sleep(PACE).await;
        let told = async {
            while self.count.load(Relaxed) < count {
                self.more.notified().await;
            }
        };
        timeout(PATIENCE, told).await.context("not everybody was told")
    }
}

/// What one session announces.
struct Announced {
    version: &'static Version,
    /// With the id that each has on the stream.
    names: Vec<(String, u64)>,
    next: u64,
    send: SendStream,
    _held: (Connection, SessionStream, Reader),
}

impl Announced {
    async fn new(client: &Client, version: &'static Version, names: &[String]) -> Result<Self> {
        let conn = client.connect().await.context("publisher")?;
        let session = handshake(&conn, version).await?;
        let (mut send, recv) = loop {
            let (mut send, recv) = timeout(PATIENCE, conn.accept_bi()).await.context("nobody asks")??;
            let mut recv = Reader::new(recv, version.varint);
            if recv.varint().await? == 0x1 {
                let prefix = wire::requested_prefix(version, &recv.message().await?)?;
                if !prefix.is_empty() {
                    bail!("what is announced below {prefix:?} is asked for, not everything");
                }
                break (send, recv);
            }
            send.reset(0);
        };
        let mut all = BytesMut::new();
        all.extend_from_slice(&wire::first_reply(version, names.len() as u64));
        for name in names {
            all.extend_from_slice(&wire::active(version, name));
        }
        send.write_all(&all).await?;
        let next = names.len() as u64;
        let names = names.iter().cloned().zip(0..).collect();
        Ok(Self { version, names, next, send, _held: (conn, session, recv) })
    }

    async fn end(&mut self, name: usize) -> Result<()> {
        let (name, id) = &self.names[name];
        self.send.write_all(&wire::ended(self.version, name, *id)).await
    }

    async fn begin(&mut self, name: usize) -> Result<()> {
        let (name, id) = &mut self.names[name];
        *id = self.next;
        self.next += 1;
        self.send.write_all(&wire::active(self.version, name)).await
    }
}
