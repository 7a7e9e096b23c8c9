//! The cluster as this node sees it, for people and for `/nodes`.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::SystemTime,
};

use super::{Attempt, Cluster, Direction, Link, Name, name};
use crate::{
    model::origin::{SessionId, ShowsHidden, View},
    types::{Cost, HopId, Hops, Path, Scope},
};

/// This node and the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// What this node is called, if it is called anything.
    pub node: Option<String>,
    /// Its identity in hop lists.
    pub hop: HopId,
    /// Everybody it is linked with, should be linked with, or has heard of.
    pub nodes: Vec<Node>,
}

/// Another node.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Node {
    /// What it is called; absent of one that has dialed this one and did not say.
    pub name: Option<Name>,
    /// The way that its announcement has come, if it is announced.
    pub announced: Option<(Hops, Cost)>,
    /// The links with it, and how many routes there are over each.
    pub links: Vec<(SessionId, Link, usize)>,
    /// How it goes with dialing it, at each of its addresses where its name stands for several nodes.
    pub dials: Vec<(Option<SocketAddr>, Attempt)>,
}

impl Node {
    /// When the oldest of its links began.
    pub fn since(&self) -> Option<SystemTime> {
        self.links.iter().map(|(_, link, _)| link.since).min()
    }
}

impl Cluster {
    /// How things stand.
    pub fn status(&self) -> Status {
        let routes = self.origin.routes();
        let mut named = BTreeMap::<Name, Node>::new();
        let mut nameless = Vec::new();
        for ((name, address), attempt) in self.links.attempts() {
            named.entry(name).or_default().dials.push((address, attempt));
        }
        for (name, way) in self.announced() {
            named.entry(name).or_default().announced = Some(way);
        }
        let live = self.links.live();
        // Of a node that has dialed this one without a name, a link that this one has dialed may know the name.
        let by_hop: HashMap<HopId, Name> = live
            .values()
            .filter(|link| link.direction == Direction::Outbound && !link.hop.is_none())
            .filter_map(|link| Some((link.hop, link.name.clone()?)))
            .collect();
        for (session, link) in live {
            let name = link.name.clone().or_else(|| by_hop.get(&link.hop).cloned());
            let entry = (session, link, routes.get(&session).copied().unwrap_or(0));
            match name {
                Some(name) => named.entry(name).or_default().links.push(entry),
                None => nameless.push(Node { links: vec![entry], ..Node::default() }),
            }
        }
        // What it is told of itself is no news.
        if let Some(own) = self.config.node.as_ref().and_then(|node| Name::parse(node).ok()) {
            named.remove(&own);
        }
        let named = named.into_iter().map(|(name, node)| Node { name: Some(name), ..node });
        Status { node: self.config.node.clone(), hop: self.origin.hop(), nodes: named.chain(nameless).collect() }
    }

    /// Nodes that announce themselves, and over which way.
    fn announced(&self) -> BTreeMap<Name, (Hops, Cost)> {
        let (session, all) = (self.origin.session(), Scope::everything());
        let view = View::new(self.origin.clone(), session, Path::root(), Scope::none(), all, true);
        let mut found = BTreeMap::new();
        for prefix in Self::reserved(&self.config) {
            let watcher = view.watch(&prefix, HopId::NONE, ShowsHidden(true));
            for change in watcher.map(|mut watcher| watcher.snapshot()).unwrap_or_default() {
                let name = Name::parse(&name::announced(&change.suffix));
                if let (Ok(name), Some(advert)) = (name, change.advert) {
                    found.insert(name, (advert.hops, advert.cost));
                }
            }
        }
        found
    }
}
