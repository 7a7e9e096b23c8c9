//! The command line.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};

use crate::{bench::Relay, door::Door, wire::Version};

#[derive(Parser)]
#[command(about = "Offers a fixed load to a relay and reports what one delivered frame cost it")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Drive publishers and subscribers against a server and print one line of JSON.
    Run(Run),
    /// Come and go, and print one line of JSON.
    Knock(Knock),
    /// Announce many broadcasts, leave, and print one line of JSON.
    Storm(Storm),
    /// Come to a broadcast, have a frame, leave, and print one line of JSON.
    Setup(Setup),
    /// Come to a broadcast in great numbers, leave, and print one line of JSON.
    Churn(Churn),
    /// Announce many broadcasts to many watchers, change one, and print one line of JSON.
    Control(Control),
    /// Watch video and audio at the far end of a bad link and print one line of JSON.
    Lossy(Lossy),
    /// Serve synthetic frames with bare quinn: the floor.
    Floor(Floor),
    /// Measure relays and the floor in turn and print Markdown tables.
    Bench(Bench),
}

#[derive(Args, Clone)]
pub(crate) struct Shape {
    /// Frames per second of each broadcast.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) fps: f64,
    /// Bytes per frame.
    #[arg(long, default_value_t = 4000)]
    pub(crate) frame: usize,
    /// Frames per group.
    #[arg(long, default_value_t = 60)]
    pub(crate) group: u64,
    /// How many times as large as the others the first frame of a group is; the floor has them all alike.
    #[arg(long, default_value_t = 1)]
    pub(crate) key: usize,
}

#[derive(Args, Clone)]
pub(crate) struct Run {
    #[arg(long, default_value = "127.0.0.1:4443")]
    pub(crate) addr: SocketAddr,
    /// Where everybody but the publishers goes, when that is another server.
    #[arg(long)]
    pub(crate) viewers_at: Option<SocketAddr>,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// What carries the session: quic, webtransport or ws.
    #[arg(long, default_value = "quic", value_parser = Door::from_str)]
    pub(crate) door: Door,
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: usize,
    /// Subscriber connections, spread round robin over the broadcasts.
    #[arg(long, default_value_t = 100)]
    pub(crate) subscribers: usize,
    /// Subscriptions per subscriber connection.
    #[arg(long, default_value_t = 1)]
    pub(crate) subscriptions: usize,
    /// Idle connections that subscribe to nothing.
    #[arg(long, default_value_t = 0)]
    pub(crate) idle: usize,
    /// Connections that subscribers make each second; as fast as they can unless given.
    #[arg(long)]
    pub(crate) pace: Option<f64>,
    /// A few threads read for all viewers, in place of tasks for each: over raw QUIC and from moq-lite-03 on, else as always.
    #[arg(long)]
    pub(crate) lean: bool,
    /// The server's workers, which connections are spread over by the ids that they are sent to.
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: u16,
    /// The worker that all publishers go to; chance decides unless given.
    #[arg(long)]
    pub(crate) publishers_on: Option<u16>,
    /// The worker that everybody else goes to; chance decides unless given.
    #[arg(long)]
    pub(crate) viewers_on: Option<u16>,
    /// Further subscribers that never read: their streams stall.
    #[arg(long, default_value_t = 0)]
    pub(crate) stalled: usize,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// Seconds measured, after the warm-up.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 3)]
    pub(crate) warmup: u64,
    /// The process id of each server, to charge CPU and memory to, all together.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// The server is `load floor`.
    #[arg(long)]
    pub(crate) floor: bool,
    /// Check every payload byte and that a group's frames arrive whole and in order (costs the load generator CPU).
    #[arg(long)]
    pub(crate) verify: bool,
    #[arg(long, default_value = "")]
    pub(crate) label: String,
    /// Prefix in front of each broadcast's name.
    #[arg(long, default_value = "bench")]
    pub(crate) prefix: String,
}

#[derive(Args)]
pub(crate) struct Knock {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The server's process id, to charge CPU to.
    #[arg(long)]
    pub(crate) pid: u32,
    /// The moq-lite version to speak, one that has SETUP: 05 or later.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// Path and query to ask for; several have their turns.
    #[arg(long, required = true)]
    pub(crate) path: Vec<String>,
    /// How often to come to each.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) visits: usize,
}

#[derive(Args)]
pub(crate) struct Storm {
    /// Where broadcasts are announced.
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// Where they are watched.
    #[arg(long)]
    pub(crate) watch_at: SocketAddr,
    /// The process id of each node, to charge memory and CPU to.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// Sessions that announce.
    #[arg(long, default_value_t = 20)]
    pub(crate) publishers: usize,
    /// Broadcasts of each.
    #[arg(long, default_value_t = 1000)]
    pub(crate) broadcasts: usize,
}

#[derive(Args)]
pub(crate) struct Setup {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The server's process id, to charge CPU to.
    #[arg(long)]
    pub(crate) pid: u32,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// How many viewers come while CPU is measured.
    #[arg(long, default_value_t = 2000)]
    pub(crate) visits: usize,
}

#[derive(Args)]
pub(crate) struct Churn {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The server's process id, to charge CPU and memory to.
    #[arg(long)]
    pub(crate) pid: u32,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// Viewers in all.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) sessions: usize,
    /// Viewers at a time.
    #[arg(long, default_value_t = 1000)]
    pub(crate) batch: usize,
}

#[derive(Args)]
pub(crate) struct Control {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The server's process id, to charge CPU and memory to.
    #[arg(long)]
    pub(crate) pid: u32,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// Broadcasts, spread evenly over the watchers.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) broadcasts: usize,
    /// Sessions that watch their own broadcasts.
    #[arg(long, default_value_t = 2000)]
    pub(crate) watchers: usize,
    /// Sessions that watch everything, later on.
    #[arg(long, default_value_t = 100)]
    pub(crate) everything: usize,
    /// How often a broadcast ends and begins.
    #[arg(long, default_value_t = 5000)]
    pub(crate) changes: usize,
}

#[derive(Args)]
pub(crate) struct Lossy {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// The server's process id, to charge CPU to.
    #[arg(long)]
    pub(crate) pid: u32,
    /// The moq-lite version to speak: 01 to 06, or 07-wip.
    #[arg(long, default_value = "05", value_parser = Version::parse)]
    pub(crate) version: &'static Version,
    /// Viewers, each behind a link of its own.
    #[arg(long, default_value_t = 6)]
    pub(crate) viewers: usize,
    /// There and back, in ms.
    #[arg(long, default_value_t = 20)]
    pub(crate) rtt: u64,
    /// Of all packets each way, in percent.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) loss: f64,
    /// Mbit/s each way.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) rate: f64,
    /// How long packets may queue, in ms.
    #[arg(long, default_value_t = 100)]
    pub(crate) queue: u64,
    /// The video's share of the rate, in percent.
    #[arg(long, default_value_t = 70.0)]
    pub(crate) video: f64,
    /// Which packets are lost: each viewer has its own, and the same ones every time.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5)]
    pub(crate) warmup: u64,
}

#[derive(Args)]
pub(crate) struct Floor {
    #[arg(long, default_value = "127.0.0.1:4499")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) shape: Shape,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// video, chat, hd, conference, idle, stalled, dialects, doors, hop, auth, storm and setup run when none is named;
    /// crowd, scale, churn, control and lossy only when they are; all is every one.
    pub(crate) shapes: Vec<String>,
    /// A relay to measure. The names 0.17.10 and 0.14.18 start it as that release, any other as ours.
    #[arg(long, value_name = "NAME=BINARY")]
    pub(crate) relay: Vec<Relay>,
    /// Also measure the published moq-relay 0.17.10 and 0.14.18.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Where `tools/peers` puts published relays; default ~/.cache/moq-peers.
    #[arg(long, env = "MOQ_PEERS", value_name = "FOLDER")]
    pub(crate) peers_dir: Option<PathBuf>,
    /// Measured runs of each relay and shape, interleaved; the tables show medians.
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// Seconds measured in each run.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Seconds of load before each measurement.
    #[arg(long, default_value_t = 3)]
    pub(crate) warmup: u64,
    /// Rates are found this way in the shape lossy: values of our relay's quic.congestion_control, with commas.
    #[arg(long, value_delimiter = ',', default_value = "loss,delay")]
    pub(crate) congestion_control: Vec<String>,
    /// Write every single run to this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// quic, webtransport or ws; several, with commas, give a row each, and goals apply to the first. Without it all of
    /// them in the shape doors, else quic.
    #[arg(long, value_delimiter = ',', value_parser = Door::from_str)]
    pub(crate) door: Vec<Door>,
    /// moq-lite versions, 01 to 06 or 07-wip; several, with commas, give a row each, and goals apply to the first.
    /// Without it 01 to 06 in the shape dialects, else 05. A relay of ours is told to offer 07-wip where that is asked.
    #[arg(long, value_delimiter = ',', value_parser = Version::parse)]
    pub(crate) version: Vec<&'static Version>,
}
