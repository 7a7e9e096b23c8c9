//! What breaks, and what a viewer sees of it. Each drill proves that its fault has fired, and each has a control: the
//! same without what recovers from it, which must not recover.
//!
//! Every day, faults are short and only what happens is checked, not how soon. `dev/drills` runs them at full length.

mod common;

#[path = "drills/node.rs"]
mod node;
#[path = "drills/show.rs"]
mod show;

use std::{fmt, fs::File, io::Write, time::Duration};

use common::{Cable, Dropped, Mode, Wire};
use node::{Node, free_address};
use show::{Publisher, Viewer};
use tokio::time::{Instant, sleep};

/// Whoever recovers does it within this time.
const BOUND: Duration = Duration::from_secs(20);
/// Whoever must not recover is watched for this long.
const IN_VAIN: Duration = Duration::from_secs(6);
/// How long everything has to run well before it breaks.
const QUIET: Duration = Duration::from_secs(2);
/// And afterwards, so that what is lost can be told from what is late.
const AFTER: Duration = Duration::from_millis(500);

/// Whether what is drilled is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    On,
    Off,
}

use Recovery::{Off, On};

impl Recovery {
    /// How long to wait for it.
    fn patience(self) -> Duration {
        if self == On { BOUND } else { IN_VAIN }
    }

    /// Configuration of a node that dials, up to where its cluster's begins.
    fn of_links(self) -> &'static str {
        if self == On { "[cluster]\n" } else { "once = true\n[cluster]\nlinger = '0s'\n" }
    }
}

/// Whether this is `dev/drills`.
fn is_full() -> bool {
    std::env::var_os("DRILLS").is_some()
}

/// What lies between nodes.
fn wire() -> Wire {
    match std::env::var("DRILLS_WIRE").as_deref() {
        Ok("lossy") => Wire { delay: Duration::from_millis(20), loss: 0.01 },
        _ => Wire::default(),
    }
}

/// What a drill has shown.
#[derive(Debug)]
struct Outcome {
    drill: &'static str,
    fault_fired: bool,
    /// Longest time without a new group at the viewer, from the fault on.
    gap: Duration,
    /// Groups that never came to it.
    lost: u64,
    /// It never had to subscribe again.
    subscription_survived: bool,
    /// What the viewer of another broadcast waits for groups, before and during, at the 99th percentile.
    local_before: Duration,
    local_during: Duration,
    local_lost: u64,
    /// From the end of the fault until what is announced and what comes is right again.
    converged: Option<Duration>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (before, during) = (ms(self.local_before), ms(self.local_during));
        let converged = self.converged.map_or(-1.0, ms);
        write!(f, "{}\t{:.1}\t{}\t{before:.2}\t{during:.2}\t{converged:.1}", self.drill, ms(self.gap), self.lost)
    }
}

impl Outcome {
    /// What holds for every drill with everything switched on.
    fn recovered(&self) {
        if let Some(path) = std::env::var_os("DRILLS_RESULTS") {
            let mut results = File::options().create(true).append(true).open(path).unwrap();
            writeln!(results, "{self}").unwrap();
        }
        assert!(self.fault_fired, "{self:?}");
        assert!(self.converged.is_some(), "{self:?}");
        assert_eq!(self.local_lost, 0, "{self:?}");
    }

    /// What holds for every control.
    fn did_not_recover(&self) {
        assert!(self.fault_fired, "{self:?}");
        assert!(self.converged.is_none(), "the fault needs no recovery: {self:?}");
        assert_eq!(self.local_lost, 0, "{self:?}");
    }
}

/// Who watches, from before the fault.
struct Audience {
    drill: &'static str,
    viewer: Viewer,
    local: Viewer,
    _neighbour: Publisher,
    begun: Instant,
    fault: Instant,
}

impl Audience {
    /// A viewer of `room` at one node, and one of a broadcast that is published at its own; all is well.
    async fn new(drill: &'static str, node: &Node, unaffected: &Node) -> Self {
        let neighbour = Publisher::new(unaffected, "local", 501, 0).await;
        let (viewer, local) = (Viewer::new(node, "room").await, Viewer::new(unaffected, "local").await);
        let begun = Instant::now();
        for (viewer, broadcast) in [(&viewer, "room"), (&local, "local")] {
            let right = viewer.gets_right(begun, broadcast, BOUND).await;
            assert!(right.is_some(), "{drill}: {broadcast} never came\n{}\n{}", node.log(), unaffected.log());
        }
        let begun = Instant::now();
        sleep(QUIET).await;
        Self { drill, viewer, local, _neighbour: neighbour, begun, fault: begun }
    }

    fn fault(&mut self) {
        self.fault = Instant::now();
    }

    async fn outcome(self, fault_fired: bool, converged: Option<Duration>) -> Outcome {
        let over = Instant::now();
        sleep(AFTER).await;
        Outcome {
            drill: self.drill,
            fault_fired,
            gap: self.viewer.gap(self.fault),
            lost: self.viewer.lost(),
            subscription_survived: self.viewer.subscriptions() == 1,
            local_before: self.local.p99(self.begun, self.fault),
            local_during: self.local.p99(self.fault, over),
            local_lost: self.local.lost(),
            converged,
        }
    }
}

/// Three nodes in a row, the last of which is linked by a cable that can fail: publishers ── middle ─✂─ viewers.
struct Row {
    near: Node,
    middle: Node,
    far: Node,
    cable: Cable,
    _cable: Cable,
}

impl Row {
    async fn new(lines: &str) -> Self {
        let address = free_address();
        let (first, cable) = (Cable::with(address, wire()).await, Cable::with(address, wire()).await);
        let connect = |cable: &Cable| format!("connect = ['https://{}/']\n", cable.address);
        let middle = Node::start(address, "").await;
        let near = Node::start(free_address(), &format!("[cluster]\n{}", connect(&first))).await;
        let far = Node::start(free_address(), &format!("{lines}{}", connect(&cable))).await;
        Self { near, middle, far, cable, _cable: first }
    }
}

/// A root and two leaves that find each other by it.
struct Family {
    root: Node,
    near: Node,
    far: Node,
    _cables: [Cable; 3],
}

impl Family {
    async fn new(lines: &str) -> Self {
        let addresses = [free_address(), free_address(), free_address()];
        let [root, near, far] = addresses;
        let cables = [Cable::with(root, wire()).await, Cable::with(near, wire()).await, Cable::with(far, wire()).await];
        let url = |index: usize| format!("https://{}/", cables[index].address);
        let leaf = |index| format!("{lines}root = '{}'\nnode = '{}'\n", url(0), url(index));
        let root = Node::start(root, "").await;
        let (near, far) = (Node::start(near, &leaf(1)).await, Node::start(far, &leaf(2)).await);
        let linked = async {
            while ![1, 2].iter().any(|&leaf| [&near, &far].iter().any(|node| is_linked(node, &url(leaf)))) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(BOUND, linked).await.unwrap_or_else(|_| panic!("{}\n{}", near.log(), far.log()));
        Self { root, near, far, _cables: cables }
    }
}

fn is_linked(node: &Node, place: &str) -> bool {
    node.log().lines().any(|line| line.contains(place) && line.contains("linked"))
}

/// The publisher is killed; another one stands by at the root, or does not.
async fn publisher_killed(recovery: Recovery) -> Outcome {
    let nodes = Family::new("[cluster]\n").await;
    let main = Publisher::new(&nodes.near, "room-main", 601, 0).await;
    let mut audience = Audience::new("publisher killed, standby", &nodes.far, &nodes.root).await;
    assert!(audience.viewer.watches("room-main"));
    let standby = if recovery == On { Some(Publisher::new(&nodes.root, "room-standby", 701, 3).await) } else { None };
    sleep(QUIET).await;
    let fired = audience.viewer.watches("room-main");
    audience.fault();
    main.die();
    let fault = audience.fault;
    sleep(Duration::from_millis(1)).await;
    let converged = audience.viewer.gets_right(fault + Duration::from_millis(1), "room", recovery.patience()).await;
    let fired = fired && (recovery == Off || audience.viewer.watches("room-standby"));
    drop(standby);
    audience.outcome(fired, converged).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_from_a_publisher_that_is_killed() {
    let outcome = publisher_killed(On).await;
    outcome.recovered();
    assert!(outcome.subscription_survived, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_without_a_standby_a_killed_publisher_is_gone() {
    let outcome = publisher_killed(Off).await;
    outcome.did_not_recover();
}

/// The link with the viewer's node fails for some time, in some way.
async fn link_fails(drill: &'static str, mode: Mode, lasts: Duration, recovery: Recovery) -> Outcome {
    let row = Row::new(recovery.of_links()).await;
    let mut publisher = Publisher::new(&row.near, "room", 601, 0).await;
    let mut audience = Audience::new(drill, &row.far, &row.middle).await;
    audience.fault();
    row.cable.set(mode);
    sleep(lasts / 2).await;
    publisher.announce("late").await;
    sleep(lasts / 2).await;
    let Dropped { there, back } = row.cable.dropped();
    let knows = audience.viewer.is_right(audience.fault, "late");
    row.cable.set(Mode::Open);
    let converged = audience.viewer.gets_right(Instant::now(), "late", recovery.patience()).await;
    let fired = match mode {
        Mode::CutThere => there > 0 && back == 0,
        Mode::CutBack | Mode::Stalled => back > 0,
        _ => there > 0 && back > 0,
    };
    eprintln!("{drill}: dropped {there} there, {back} back; knew of what came meanwhile: {knows}");
    audience.outcome(fired, converged).await
}

fn cut() -> Duration {
    Duration::from_secs(if is_full() { 15 } else { 7 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_cut_is_made_again() {
    let outcome = link_fails("link cut", Mode::Cut, cut(), On).await;
    outcome.recovered();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_link_that_was_cut_and_is_dialed_once_stays_away() {
    link_fails("link cut", Mode::Cut, cut(), Off).await.did_not_recover();
}
