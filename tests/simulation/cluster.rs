//! The cluster and everybody on it, and what must hold whatever happens.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use moq_relay::{
    transport::{Connection, memory},
    types::{HopId, code},
    wire::Dialect,
};
use rand::{Rng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use super::{
    content::{Ledger, TRACKS},
    judge::{Settled, judge},
    link::{BACKOFF, Link, Nodes},
    node::{Node, Other},
    program::{Step, Then},
    publisher::{Left, Publisher},
    spy::Spy,
    topology::{Shape, islands},
    viewer::Viewer,
};
use crate::common::{self, End, settle};

/// When everything that happens after a change has happened: links are dialed again, a track that has ended has waited
/// for groups to come.
const QUIET: Duration = Duration::from_millis(1500);
/// What nodes and publishers speak: what names the nodes on the way.
const LINKS: [&str; 3] = ["04", "05", "06"];
/// No step takes longer unless it is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

const BROADCASTS: [&str; 3] = ["room/a", "room/b", "solo"];
const VIEWERS: [&str; 4] = ["03", "04", "05", "06"];

#[derive(Debug)]
pub struct Cluster {
    pub shape: Shape,
    pub nodes: Nodes,
    pub links: Vec<Link>,
    publishers: Vec<Publisher>,
    viewers: Vec<Viewer>,
    /// The publishers that were there when the world was at rest last, and still are.
    steady: BTreeSet<u64>,
    /// At one end of each link, under the name of the other.
    spies: Vec<Spy>,
    /// Those of nodes and publishers.
    ledger: Ledger,
    next_id: u64,
}

impl Cluster {
    pub async fn new(rng: &mut StdRng) -> Self {
        let (count, shape) = (rng.random_range(3..=5), Shape::draw(rng));
        let mut next_id = 1;
        let nodes = (0..count).map(|_| Node::new(HopId(fresh(&mut next_id)))).collect();
        let nodes = Arc::new(Mutex::new(nodes));
        let ledger = Ledger::default();
        let links = shape.links(count).into_iter();
        let links = links.map(|ends| Link::new(ends, &LINKS.map(common::dialect), rng, &nodes, &ledger)).collect();
        let (publishers, viewers, spies) = (Vec::new(), Vec::new(), Vec::new());
        let mut cluster =
            Self { shape, nodes, links, publishers, viewers, steady: BTreeSet::new(), spies, ledger, next_id };
        cluster.send_spies().await;
        cluster
    }

    /// Something that can happen now.
    pub fn draw(&mut self, rng: &mut StdRng) -> (Step, Then) {
        let step = loop {
            if let Some(step) = self.try_draw(rng) {
                break step;
            }
        };
        let then = match rng.random_range(0..10) {
            0..3 => Then::AtOnce,
            3..6 => Then::Shortly,
            _ => Then::Settled,
        };
        (step, then)
    }

    fn try_draw(&mut self, rng: &mut StdRng) -> Option<Step> {
        let node = rng.random_range(0..self.nodes.lock().unwrap().len());
        let link = rng.random_range(0..self.links.len());
        let broadcast = *choose(&BROADCASTS, rng)?;
        Some(match rng.random_range(0..100) {
            0..10 if self.publishers.len() < 6 => {
                let dialect = choose(&LINKS, rng)?;
                Step::Publish { publisher: fresh(&mut self.next_id), node, broadcast, dialect }
            }
            10..45 => {
                let left = *choose(&[Left::Finished, Left::Finished, Left::Open, Left::Half, Left::Aborted], rng)?;
                let (groups, frames) = (rng.random_range(1..=3), rng.random_range(1..=4));
                Step::Produce { publisher: choose(&self.publishers, rng)?.id, groups, frames, left }
            }
            45..48 => {
                Step::Unpublish { publisher: choose(&self.publishers, rng)?.id, leaves_at_once: rng.random_bool(0.5) }
            }
            48..53 => Step::KillPublisher { publisher: choose(&self.publishers, rng)?.id },
            53..59 if self.viewers.len() < 6 => {
                Step::Arrive { viewer: fresh(&mut self.next_id), node, dialect: choose(&VIEWERS, rng)? }
            }
            59..73 => {
                let track = rng.random_range(0..TRACKS.len());
                Step::Subscribe { viewer: choose(&self.viewers, rng)?.id, broadcast, track }
            }
            73..77 => {
                let viewer = choose(&self.viewers, rng)?;
                let count = viewer.subscriptions.len();
                let subscription = (count > 0).then(|| rng.random_range(0..count))?;
                Step::Unsubscribe { viewer: viewer.id, subscription }
            }
            77..79 => Step::KillViewer { viewer: choose(&self.viewers, rng)?.id },
            79..82 => Step::Fail { link },
            82..86 if self.links[link].is_whole() => Step::Cut { link },
            86..93 if !self.links[link].is_whole() => Step::Heal { link },
            93..95 => Step::Restart { node },
            95..100 => Step::Pause { milliseconds: *choose(&[3, 100, 700, 6_000, 25_000], rng)? },
            _ => return None,
        })
    }

    /// Lets it happen, and checks that everything is as it should be.
    pub async fn step(&mut self, step: &Step, then: Then) -> Result<(), String> {
        let stuck = |_| "this step never ends".to_owned();
        timeout(PATIENCE, self.happen(step)).await.map_err(stuck)??;
        self.steady.retain(|id| self.publishers.iter().any(|publisher| publisher.id == *id));
        match then {
            Then::AtOnce => return Ok(()),
            Then::Shortly => settle().await,
            Then::Settled => self.calm().await,
        }
        timeout(PATIENCE, self.check(Settled(then == Then::Settled))).await.map_err(stuck)?
    }

    /// Heals everything; then nothing may be missing for anybody, and once all have left nothing may be left.
    pub async fn finale(mut self) -> Result<(), String> {
        self.links.iter().for_each(Link::heal);
        self.calm().await;
        self.check(Settled(true)).await?;
        for viewer in &mut self.viewers {
            for broadcast in self.publishers.iter().map(|publisher| &publisher.broadcast).collect::<BTreeSet<_>>() {
                for track in 0..TRACKS.len() {
                    viewer.subscribe(broadcast, track).await;
                }
            }
        }
        settle().await;
        for publisher in &self.publishers {
            publisher.produce(2, 2, Left::Finished).await;
        }
        self.calm().await;
        self.check(Settled(true)).await?;
        self.nobody_starves()?;
        self.leave().await
    }

    async fn happen(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Publish { publisher, node, broadcast, dialect } => {
                let dialect = common::dialect(dialect);
                let conn = self.visit(*node, dialect);
                let publisher = Publisher::new(conn, dialect, *node, *publisher, broadcast, &self.ledger).await;
                self.publishers.push(publisher);
                self.changed();
            }
            Step::Produce { publisher, groups, frames, left } => {
                let publisher = self.publishers.iter().find(|other| other.id == *publisher);
                if let Some(publisher) = publisher {
                    publisher.produce(*groups, *frames, *left).await;
                }
            }
            Step::Unpublish { publisher, leaves_at_once } => {
                let at = self.publishers.iter().position(|other| other.id == *publisher);
                if let Some(at) = at {
                    self.changed();
                    let publisher = self.publishers.remove(at);
                    publisher.finish().await;
                    if !leaves_at_once {
                        settle().await;
                    }
                    publisher.die();
                }
            }
            Step::KillPublisher { publisher } => {
                self.changed();
                self.publishers.retain(|other| {
                    other.id != *publisher || {
                        other.die();
                        false
                    }
                });
            }
            Step::Arrive { viewer, node, dialect } => {
                let dialect = common::dialect(dialect);
                let conn = self.visit(*node, dialect);
                self.viewers.push(Viewer::new(conn, dialect, *node, *viewer, &self.ledger).await);
            }
            Step::Subscribe { viewer, broadcast, track } => {
                if let Some(viewer) = self.viewers.iter_mut().find(|other| other.id == *viewer) {
                    viewer.subscribe(broadcast, *track).await;
                }
            }
            Step::Unsubscribe { viewer, subscription } => {
                if let Some(viewer) = self.viewers.iter_mut().find(|other| other.id == *viewer) {
                    viewer.subscriptions.remove(*subscription).leave();
                }
            }
            Step::KillViewer { viewer } => self.viewers.retain(|other| {
                other.id != *viewer || {
                    other.die();
                    false
                }
            }),
            Step::Fail { link } => self.links[*link].fail(),
            Step::Cut { link } => self.links[*link].cut(),
            Step::Heal { link } => self.links[*link].heal(),
            Step::Restart { node } => {
                self.changed();
                let fresh = Node::new(HopId(fresh(&mut self.next_id)));
                let old = std::mem::replace(&mut self.nodes.lock().unwrap()[*node], fresh);
                self.publishers.retain(|publisher| publisher.node != *node);
                self.viewers.retain(|viewer| viewer.node != *node);
                old.kill().await.map_err(|left| format!("node {node} was killed: {left}"))?;
                self.send_spies().await;
            }
            Step::Pause { milliseconds } => sleep(Duration::from_millis(*milliseconds)).await,
        }
        Ok(())
    }

    /// One to an end of each link, in place of those before.
    async fn send_spies(&mut self) {
        self.spies.clear();
        for Link { ends: (at, other), dialect, .. } in &self.links {
            let name = self.nodes.lock().unwrap()[*other].hop;
            self.spies.push(Spy::new(self.visit(*at, dialect), dialect, name).await);
        }
    }

    /// A connection with a node.
    fn visit(&self, node: usize, dialect: &'static Dialect) -> Connection {
        let (ours, theirs) = memory::pair();
        let mut nodes = self.nodes.lock().unwrap();
        nodes[node].accept(Connection::Memory(ours), dialect, Other::Person);
        Connection::Memory(theirs)
    }

    fn changed(&self) {
        self.ledger.lock().unwrap().changes += 1;
    }

    async fn calm(&self) {
        sleep(BACKOFF + QUIET).await;
    }

    async fn check(&mut self, settled: Settled) -> Result<(), String> {
        self.no_loops().await?;
        if settled.0 {
            self.everybody_knows()?;
            self.nobody_is_cut_off()?;
        }
        for viewer in &self.viewers {
            if !viewer.lives() {
                return Err(format!("viewer {} has lost its session", viewer.id));
            }
            let truth = self.ledger.lock().unwrap();
            for (at, watching) in viewer.subscriptions.iter().enumerate() {
                let transcript = watching.transcript.lock().unwrap();
                judge(&transcript, &truth, &watching.broadcast, watching.track, settled).map_err(|fault| {
                    let (id, broadcast, track) = (viewer.id, &watching.broadcast, watching.track);
                    format!("viewer {id}, subscription {at} to {broadcast}, track {track}: {fault}\n{transcript:#?}")
                })?;
            }
        }
        Ok(())
    }

    /// No announcement goes in a circle, whoever it is told.
    async fn no_loops(&mut self) -> Result<(), String> {
        for (at, node) in self.nodes.lock().unwrap().iter_mut().enumerate() {
            for (name, hops) in node.changes() {
                no_loop(&hops.unwrap_or_default(), node.hop.0)
                    .map_err(|fault| format!("node {at}, {name}: {fault}"))?;
            }
        }
        for viewer in &mut self.viewers {
            let ok = viewer.announced.ok;
            for event in viewer.listen().await {
                let own = ok.map(|ok| ok.hop.0).filter(|_| !event.hops().is_empty());
                let hops: Vec<_> = event.hops().iter().copied().chain(own).collect();
                no_loop(&hops, viewer.id).map_err(|fault| format!("viewer {}: {fault}", viewer.id))?;
            }
        }
        for spy in &mut self.spies {
            for hops in spy.ways().await {
                no_loop(&hops, spy.name.0).map_err(|fault| format!("node {:?} was told: {fault}", spy.name))?;
            }
        }
        for publisher in &mut self.publishers {
            if !publisher.lives() {
                return Err(format!("publisher {} has lost its session", publisher.id));
            }
            for event in publisher.announced.rest().await {
                no_loop(event.hops(), publisher.id).map_err(|fault| format!("publisher {}: {fault}", publisher.id))?;
            }
        }
        Ok(())
    }

    /// What is published within reach of a node is what it knows and tells.
    fn everybody_knows(&self) -> Result<(), String> {
        let nodes = self.nodes.lock().unwrap();
        let links = self.links.iter().filter(|link| link.is_whole()).map(|link| link.ends);
        let islands = islands(nodes.len(), links);
        let expected = |node: usize| {
            let near = self.publishers.iter().filter(|publisher| islands[publisher.node] == islands[node]);
            near.map(|publisher| publisher.broadcast.clone()).collect::<BTreeSet<_>>()
        };
        for (at, node) in nodes.iter().enumerate() {
            let (known, expected) = (BTreeSet::from_iter(node.names()), expected(at));
            if known != expected {
                return Err(format!("node {at} knows {known:?}; within its reach is {expected:?}"));
            }
        }
        for viewer in &self.viewers {
            let (known, expected) = (viewer.live.keys().cloned().collect::<BTreeSet<_>>(), expected(viewer.node));
            if known != expected {
                return Err(format!("viewer {} was told of {known:?}; within its reach is {expected:?}", viewer.id));
            }
        }
        Ok(())
    }

    /// As long as some publisher is on the same node, a subscription goes on, ends, or is reset for other content.
    fn nobody_is_cut_off(&mut self) -> Result<(), String> {
        for viewer in &mut self.viewers {
            for (at, watching) in viewer.subscriptions.iter_mut().enumerate() {
                let transcript = watching.transcript.lock().unwrap();
                let is_near = |publisher: &&Publisher| {
                    publisher.node == viewer.node
                        && publisher.broadcast == watching.broadcast
                        && self.steady.contains(&publisher.id)
                };
                let source = self.publishers.iter().find(is_near);
                let expected = matches!(transcript.end, None | Some(End::Fin | End::Reset(code::OLD)));
                if let (true, false, Some(source)) = (watching.went_on, expected, source) {
                    let (id, track, source) = (viewer.id, watching.track, source.id);
                    return Err(format!(
                        "viewer {id}, subscription {at}, track {track} is cut off, beside publisher {source}: {transcript:#?}"
                    ));
                }
                watching.went_on = transcript.end.is_none() && !watching.crossed;
            }
        }
        self.steady = self.publishers.iter().map(|publisher| publisher.id).collect();
        Ok(())
    }

    /// Every subscription that goes on has the newest group of one of the publishers.
    fn nobody_starves(&self) -> Result<(), String> {
        let truth = self.ledger.lock().unwrap();
        for viewer in &self.viewers {
            for (at, watching) in viewer.subscriptions.iter().enumerate() {
                let transcript = watching.transcript.lock().unwrap();
                let mut sources =
                    self.publishers.iter().filter(|other| other.broadcast == watching.broadcast).peekable();
                if transcript.end.is_some() || sources.peek().is_none() {
                    continue;
                }
                let newest = |publisher: &Publisher| {
                    let newest = truth.works[&publisher.id].tracks[watching.track].len() as u64 - 1;
                    let is_newest = |heard: &super::viewer::Heard| {
                        heard.sequence == newest && heard.publisher == Some(publisher.id) && heard.end == Some(End::Fin)
                    };
                    transcript.groups.iter().any(is_newest)
                };
                if !sources.any(newest) {
                    let (id, broadcast, track) = (viewer.id, &watching.broadcast, watching.track);
                    return Err(format!(
                        "viewer {id}, subscription {at} to {broadcast}, track {track} starves: {transcript:#?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Everybody leaves.
    async fn leave(self) -> Result<(), String> {
        let Self { nodes, links, publishers, viewers, spies, .. } = self;
        publishers.iter().for_each(Publisher::die);
        viewers.iter().for_each(Viewer::die);
        links.iter().for_each(Link::cut);
        drop((publishers, viewers, spies));
        let nodes = std::mem::take(&mut *nodes.lock().unwrap());
        for (at, node) in nodes.into_iter().enumerate() {
            node.deserted().await.map_err(|left| format!("node {at} is deserted: {left}"))?;
        }
        drop(links);
        settle().await;
        match tokio::runtime::Handle::current().metrics().num_alive_tasks() {
            0 => Ok(()),
            tasks => Err(format!("{tasks} tasks are left")),
        }
    }
}

fn no_loop(hops: &[u64], receiver: u64) -> Result<(), String> {
    let named: Vec<_> = hops.iter().filter(|hop| **hop != 0).collect();
    let distinct: BTreeSet<_> = named.iter().collect();
    if distinct.len() < named.len() || named.contains(&&receiver) {
        return Err(format!("the way {hops:?} is told to {receiver}"));
    }
    Ok(())
}

fn fresh(next_id: &mut u64) -> u64 {
    *next_id += 1;
    *next_id
}

fn choose<'a, T>(from: &'a [T], rng: &mut StdRng) -> Option<&'a T> {
    (!from.is_empty()).then(|| &from[rng.random_range(0..from.len())])
}
