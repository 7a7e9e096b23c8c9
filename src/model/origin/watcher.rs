//! Who watches a prefix, and what changed there since it last looked: at most one entry per path.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
};

use super::{Origin, route::Asker, tree::Broadcast};
use crate::{
    model::watch::{Reader, Watch},
    types::{Cost, Hops, Path},
};

/// Paths that changed and were not looked at since.
#[derive(Default, Debug)]
pub struct Changes(BTreeMap<Path, Renewed>);

/// Whether the content under a path was replaced by another publisher's, so that old dialects must hear of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewed(pub bool);

impl Changes {
    pub(super) fn changed(&mut self, path: &Path) {
        self.0.entry(path.clone()).or_insert(Renewed(false));
    }

    /// Marks a path whose content was replaced.
    pub fn renewed(&mut self, path: &Path) {
        self.0.insert(path.clone(), Renewed(true));
    }
}

/// What a watcher is told of one path.
#[derive(Clone, Debug)]
pub struct Change {
    /// Relative to the watched prefix.
    pub suffix: Path,
    /// The best route for this watcher, or `None` when there is none (any more).
    pub advert: Option<Advert>,
    /// Whether the content was replaced.
    pub renewed: Renewed,
}

/// A route as told to a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Publisher first, without this relay.
    pub hops: Hops,
    /// Without the link to the peer.
    pub cost: Cost,
}

/// Sees what is announced under a prefix, as far as it is allowed to.
#[derive(Debug)]
pub struct Watcher {
    origin: Arc<Origin>,
    /// Absolute; suffixes are relative to it.
    prefix: Path,
    /// Where it is registered: the prefix, or the allowed prefixes below it.
    nodes: Vec<Path>,
    asker: Asker,
    hidden: ShowsHidden,
    /// It sees what is for nodes alone.
    privileged: bool,
    reader: Reader<Changes>,
}

/// Whether names with a segment that starts with a dot are told, too: only to other nodes and to those who ask.
#[derive(Clone, Copy, Debug)]
pub struct ShowsHidden(pub bool);

impl Watcher {
    /// Registers and marks everything that is there now, so that the first look is the complete set.
    pub(super) fn new(
        origin: Arc<Origin>,
        prefix: Path,
        nodes: Vec<Path>,
        asker: Asker,
        hidden: ShowsHidden,
        privileged: bool,
    ) -> Self {
        let changes = Watch::new(Changes::default());
        let mut tree = origin.tree();
        for path in &nodes {
            tree.node(path).add_watcher(&changes, privileged);
            let node = tree.get(path);
            changes.with(|changes| {
                if let Some(node) = node {
                    node.each(path, &mut |path, _| changes.changed(path));
                }
            });
        }
        drop(tree);
        Self { origin, prefix, nodes, asker, hidden, privileged, reader: Reader::new(changes) }
    }

    /// Everything that changed since the last call; at first everything there is, even if that is nothing.
    pub fn snapshot(&mut self) -> Vec<Change> {
        let paths = self.reader.watch().with(std::mem::take);
        self.resolve(paths)
    }

    /// Waits for changes.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Change>> {
        let take = |changes: &mut Changes| (!changes.0.is_empty()).then(|| std::mem::take(changes));
        self.reader.poll_take(cx, take).map(|paths| self.resolve(paths))
    }

    /// Where to mark paths whose content was replaced.
    pub const fn changes(&self) -> &Arc<Watch<Changes>> {
        self.reader.watch()
    }

    fn resolve(&self, paths: Changes) -> Vec<Change> {
        let tree = self.origin.tree();
        let visible = |(path, renewed): (Path, Renewed)| {
            let suffix = path.strip_prefix(&self.prefix)?;
            let advert = tree.get(&path).and_then(|node| self.advert(&node.broadcast, &path));
            let shown = (self.hidden.0 || !suffix.is_hidden()) && (self.privileged || !self.origin.is_reserved(&path));
            shown.then_some(Change { suffix, advert, renewed })
        };
        paths.0.into_iter().filter_map(visible).collect()
    }

    /// The best way for this watcher. To a node, one more subscription costs nothing where this node is subscribed
    /// already.
    fn advert(&self, broadcast: &Broadcast, path: &Path) -> Option<Advert> {
        let route = broadcast.best(path, Some(self.asker))?;
        let is_warm = self.privileged && route.cost != Cost::LAST_RESORT && broadcast.carries(route.id);
        let warm = if is_warm { 0 } else { route.cost.warm };
        Some(Advert { hops: route.hops.clone(), cost: Cost { warm, ..route.cost } })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut tree = self.origin.tree();
        for path in &self.nodes {
            tree.node(path).remove_watcher(self.reader.watch());
            tree.prune(path);
        }
    }
}
