//! Clusters of this relay and published ones: what is published at one node is watched at every other.

mod cluster;
mod era;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

pub use self::cluster::all_files;
use self::cluster::{Cluster, Member, Node, Plan, Shared};
use self::era::{Era, Links};
use crate::cases::{Setting, across};
use crate::dialect::Dialect;
use crate::peer::{Publisher, Viewer};
use crate::programs;
use crate::report::Case;

/// How long nodes may take to find each other: the slowest wait five seconds for the other side to dial.
const LINK: Duration = Duration::from_secs(30);

/// How long a node may take to notice that another is gone, and to give up what it had. In a mesh each node between may
/// have a way left to try: those of 0.14 hold on to a silent one for 30 seconds, and then linger for five.
const GONE: Duration = Duration::from_secs(60);

/// How long a node that is back may remain unnoticed: the longest wait of the published ones so far from the start.
const BACK: Duration = Duration::from_secs(60);

/// How long a case may take that only begins once nodes are linked.
const DEADLINE: Duration = Duration::from_secs(80);

/// How long a case with a node that dies may take.
const DEATH: Duration = Duration::from_secs(240);

/// The published relays, newest line first.
const PEERS: [(&str, Era); 4] = [
    ("0.17.10", Era::Listed),
    ("0.14.18", Era::Meshed),
    ("0.10.25", Era::Rooted { spoken: Dialect::Lite03, is_thorough: false }),
    ("0.10.5", Era::Rooted { spoken: Dialect::Lite02, is_thorough: true }),
];

/// A node to be: its name, whether it is one of ours, and whom it looks for.
type Sketch = (&'static str, Whose, Links);

/// How a node ends.
#[derive(Clone, Copy)]
enum End {
    /// Nobody is told.
    Kill,
    /// As its era does: with a GOAWAY, or at once.
    Terminate,
}

#[derive(Clone, Copy)]
enum Whose {
    Ours,
    Theirs,
}
use Whose::{Ours, Theirs};

/// The clusters that are tried with a relay of some era. In a name, `~` stands for its version.
fn sketches(era: Era) -> Vec<(&'static str, Vec<Sketch>)> {
    let dials = [
        ("~ dials us", vec![("ours", Ours, Links::Waits), ("theirs", Theirs, Links::Dials(&[0]))]),
        ("we dial ~", vec![("theirs", Theirs, Links::Waits), ("ours", Ours, Links::Dials(&[0]))]),
        ("~ and we dial each other", vec![("theirs", Theirs, Links::Dials(&[1])), ("ours", Ours, Links::Dials(&[0]))]),
    ];
    match era {
        Era::Ours => Vec::new(),
        Era::Listed => dials.into(),
        Era::Meshed => dials
            .into_iter()
            .chain([
                (
                    "mesh at ~",
                    vec![
                        ("hub", Theirs, Links::Meshes(&[])),
                        ("ours", Ours, Links::Meshes(&[0])),
                        ("theirs", Theirs, Links::Meshes(&[0])),
                    ],
                ),
                (
                    "mesh of ~ at ours",
                    vec![
                        ("hub", Ours, Links::Meshes(&[])),
                        ("ours", Ours, Links::Meshes(&[0])),
                        ("theirs", Theirs, Links::Meshes(&[0])),
                    ],
                ),
            ])
            .collect(),
        Era::Rooted { .. } => vec![
            ("leaf of ~", vec![("root", Theirs, Links::Waits), ("leaf", Ours, Links::Joins(0))]),
            ("root of ~", vec![("root", Ours, Links::Waits), ("leaf", Theirs, Links::Joins(0))]),
            (
                "~ as root",
                vec![
                    ("root", Theirs, Links::Waits),
                    ("ours", Ours, Links::Joins(0)),
                    ("theirs", Theirs, Links::Joins(0)),
                ],
            ),
            (
                "~ below ours",
                vec![
                    ("root", Ours, Links::Waits),
                    ("ours", Ours, Links::Joins(0)),
                    ("theirs", Theirs, Links::Joins(0)),
                ],
            ),
            (
                "two ~ below ours",
                vec![
                    ("root", Ours, Links::Waits),
                    ("one", Theirs, Links::Joins(0)),
                    ("other", Theirs, Links::Joins(0)),
                ],
            ),
        ],
    }
}

/// Every case, with every published relay that is installed.
pub fn cases(ours: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for (version, era) in PEERS {
        let Some(theirs) = programs::installed("moq-relay", version) else {
            let reason = programs::how_to_install("moq-relay", version);
            cases.push(Case::skipped(format!("with moq-relay {version}"), reason));
            continue;
        };
        let plans = sketches(era).into_iter().map(|(name, members)| Plan {
            name: name.replace('~', version),
            members: members
                .into_iter()
                .map(|(name, whose, links)| match whose {
                    Ours => Member { name, era: Era::Ours, binary: ours.to_owned(), links },
                    Theirs => Member { name, era, binary: theirs.clone(), links },
                })
                .collect(),
        });
        for plan in plans {
            cases.extend(of(plan));
        }
    }
    cases
}

/// The cases of one cluster: every promise from each node to each other, and the end of each node.
fn of(plan: Plan) -> Vec<Case> {
    let mut cases = Vec::new();
    let names: Vec<_> = plan.members.iter().map(|member| member.name).collect();
    let pairs = || (0..names.len()).flat_map(|from| (0..names.len()).map(move |to| (from, to))).filter(|(a, b)| a != b);
    let title = |promise: &str, what: String| format!("{promise:<14} {:<28} {what}", plan.name);
    let shared = Arc::new(Shared::new(plan.clone()));
    for (from, to) in pairs() {
        for (promise, run) in across(plan.members[from].era.seat(), plan.members[to].era.seat()) {
            let title = title(promise, format!("{} to {}", names[from], names[to]));
            if let Some(reason) = not_promised(promise, &plan, from, to) {
                cases.push(Case::skipped(title, reason.to_owned()));
                continue;
            }
            let shared = shared.clone();
            let case = async move {
                let cluster = shared.get().await?;
                let (from_node, to_node) = (cluster.node(from), cluster.node(to));
                linked(from_node, to_node).await?;
                let name = format!("{promise}/{from}-{to}").replace(' ', "-");
                run(Setting {
                    relay: from_node.doors.clone(),
                    viewed: to_node.doors.clone(),
                    publisher: from_node.seat,
                    viewer: to_node.seat,
                    name,
                })
                .await
            };
            cases.push(Case::within(DEADLINE, title, case));
        }
    }
    for killed in 0..names.len() {
        // One of ours, if there is another: two of theirs have their own ways with each other.
        let ours = (0..names.len()).find(|at| *at != killed && plan.members[*at].era == Era::Ours);
        let other = ours.unwrap_or((killed + 1) % names.len());
        for (promise, end) in [("comes back", End::Kill), ("is restarted", End::Terminate)] {
            let plan = Plan { name: format!("{}, {} {promise}", plan.name, names[killed]), ..plan.clone() };
            let case = async move {
                let cluster = Cluster::start(&plan).await?;
                comes_back(cluster.node(killed), cluster.node(other), end).await
            };
            cases.push(Case::within(
                DEATH,
                title(promise, format!("{}, seen by {}", names[killed], names[other])),
                case,
            ));
        }
    }
    if let (3, Links::Meshes(_)) = (names.len(), plan.members[0].links) {
        let plan = Plan { name: format!("{}, hub dies", plan.name), ..plan.clone() };
        let case = async move {
            let cluster = Cluster::start(&plan).await?;
            without_the_hub(&cluster).await
        };
        cases.push(Case::within(DEATH, title("hub dies", format!("{} and {}", names[1], names[2])), case));
    }
    cases
}

/// What published relays do not do, whoever they are joined with.
fn not_promised(promise: &str, plan: &Plan, from: usize, to: usize) -> Option<&'static str> {
    let era = |at: usize| plan.members[at].era;
    let mut between = (0..plan.members.len()).filter(|at| ![from, to].contains(at));
    match promise {
        "burst" if !(era(from).is_thorough() && era(to).is_thorough()) => {
            Some("that release leaves out groups that come at once")
        }
        // A way without prices, through a node of 0.14, ranks before one that costs 1.
        "fetch through" | "fetch missing"
            if [from, to].map(era) == [Era::Ours; 2] && between.any(|at| era(at) == Era::Meshed) =>
        {
            Some("the way leads through that release, which refuses to fetch for another node what it has not")
        }
        _ => None,
    }
}

/// Waits until what is published at one node is known at another.
async fn linked(from: &Node, to: &Node) -> Result<()> {
    let source = Publisher::connect(&from.doors, from.seat).await?;
    let marker = format!("linked/{}-{}", from.doors.main.port(), to.doors.main.port());
    let _marker = source.announce(&marker)?;
    let mut viewer = Viewer::connect(&to.doors, to.seat).await?;
    viewer.discover_within(LINK, &marker).await
}

/// A node ends: what was published there is gone at the other. It is started again: what is published at either is
/// watched at the other.
async fn comes_back(killed: &Node, other: &Node, end: End) -> Result<()> {
    let (here, there) = ("published/here", "published/there");
    linked(killed, other).await?;
    linked(other, killed).await?;
    let steady = Publisher::connect(&other.doors, other.seat).await?;
    let stays = steady.announce(here)?;
    let mut watcher = Viewer::connect(&other.doors, other.seat).await?;
    let lost = Publisher::connect(&killed.doors, killed.seat).await?;
    let _goes = lost.announce(there)?;
    watcher.discover_within(LINK, there).await?;

    match end {
        End::Kill => killed.kill().await?,
        End::Terminate => killed.stop().await?,
    }
    drop(lost);
    watcher.retracted_within(GONE, there).await?;

    killed.start().await?;
    let again = Publisher::connect(&killed.doors, killed.seat).await?;
    let comes = again.announce(there)?;
    watcher.discover_within(BACK, there).await?;
    let mut viewer = Viewer::connect(&killed.doors, killed.seat).await?;
    viewer.discover_within(BACK, here).await?;
    whole(&comes, there, (killed, other)).await?;
    whole(&stays, here, (other, killed)).await
}

/// Nodes that have found each other at a hub need it no more.
async fn without_the_hub(cluster: &Cluster) -> Result<()> {
    let (hub, one, other) = (cluster.node(0), cluster.node(1), cluster.node(2));
    linked(one, other).await?;
    linked(other, one).await?;
    // Time to dial each other, which nobody tells of.
    tokio::time::sleep(Duration::from_secs(12)).await;
    hub.kill().await?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    linked(one, other).await?;
    linked(other, one).await
}

/// A group crosses from one node to another.
async fn whole(broadcast: &crate::peer::Broadcast, name: &str, (from, to): (&Node, &Node)) -> Result<()> {
    let mut viewer = Viewer::connect(&to.doors, to.seat).await?;
    let mut watching = crate::cases::reaching(viewer.watch(name), broadcast).await?;
    broadcast.whole(0)?;
    watching.expect(0).await?.whole(from.seat).await
}
