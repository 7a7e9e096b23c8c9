//! Nodes that announce themselves, as broadcasts without tracks.

use std::{collections::HashMap, future::poll_fn, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};
use tracing::{debug, info};

use super::{
    links::Links,
    name::{self, Name},
    peers::{Introduction, Source, Wanted},
};
use crate::{
    model::origin::{ShowsHidden, View},
    transport::Target,
    types::{HopId, Path},
};

/// How long a node that is not announced any more is dialed all the same: who announced it may be the one that is away.
const KEEP: Duration = Duration::from_secs(300);
/// How often to look for those whose time is up.
const SWEEP: Duration = Duration::from_secs(10);

/// Whom to look for.
pub(super) struct Discovery {
    pub(super) view: View,
    /// Below which prefix.
    pub(super) prefix: Path,
    pub(super) own: Option<Name>,
    pub(super) introduction: Introduction,
    pub(super) links: Arc<Links>,
}

impl Discovery {
    /// Tells of every node that is announced, and of those that were a while ago.
    pub(super) async fn run(self, tell: mpsc::Sender<(Source, Vec<Wanted>)>) {
        let Some(mut watcher) = self.view.watch(&self.prefix, HopId::NONE, ShowsHidden(true)) else { return };
        let mut known = HashMap::<Name, (Wanted, Option<Instant>)>::new();
        let mut sweep = interval(SWEEP);
        loop {
            let changes = tokio::select! {
                changes = poll_fn(|cx| watcher.poll(cx)) => changes,
                _ = sweep.tick() => Vec::new(),
            };
            for change in changes {
                let text = name::announced(&change.suffix);
                match self.wanted(&text) {
                    None => debug!(node = ?text, "not a node that can be dialed"),
                    Some(wanted) if Some(&wanted.name) == self.own.as_ref() => {}
                    Some(wanted) => {
                        let (node, gone) = (wanted.name.clone(), change.advert.is_none().then(Instant::now));
                        let before = known.insert(node.clone(), (wanted, gone)).map(|(_, gone)| gone.is_none());
                        // Another way to its announcement is no news.
                        match gone {
                            None if before != Some(true) => info!(%node, "announced"),
                            Some(_) if before == Some(true) => info!(%node, "not announced any more"),
                            _ => {}
                        }
                    }
                }
            }
            known.retain(|name, (_, gone)| gone.is_none_or(|at| at.elapsed() < KEEP) || self.links.is_linked(name));
            let wishes = known.values().map(|(wanted, _)| wanted.clone()).collect();
            if tell.send((Source::Announced, wishes)).await.is_err() {
                return;
            }
        }
    }

    fn wanted(&self, text: &str) -> Option<Wanted> {
        let target = Target::parse(text).ok()?;
        let name = Name::of(&target);
        // One link is enough for both: the lesser dials.
        let yields = self.own.as_ref().is_some_and(|own| *own > name);
        Some(Wanted { name, target, token: None, price: None, introduction: self.introduction, yields })
    }
}
