//! Who is linked with this node, and who should be: for `/nodes`, and so that no two links do the work of one.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

use super::name::Name;
use crate::{model::origin::SessionId, types::HopId};

/// Links that live and attempts at others.
#[derive(Debug)]
pub struct Links {
    state: Mutex<State>,
    /// Told of each change.
    changed: watch::Sender<()>,
}

#[derive(Default, Debug)]
struct State {
    live: BTreeMap<SessionId, Link>,
    attempts: BTreeMap<(Name, Option<SocketAddr>), Attempt>,
}

/// A session with another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Who dialed.
    pub direction: Direction,
    /// What the other node is called, if it says or was dialed by it.
    pub name: Option<Name>,
    /// Its identity in hop lists, if it has told.
    pub hop: HopId,
    /// What is spoken.
    pub dialect: &'static str,
    /// Where it is.
    pub remote: Option<SocketAddr>,
    /// What the link costs as far as this side or the other has said.
    pub price: Option<u64>,
    /// Whether everything may cross it both ways.
    pub is_full: bool,
    /// Whether the other side has asked to move.
    pub leaving: bool,
    /// Since when.
    pub since: SystemTime,
}

/// Who dialed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The other node.
    Inbound,
    /// This one.
    Outbound,
}

/// How it goes with a node that is to be dialed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Attempt {
    /// How often it did not answer, or its link was lost, in a row.
    pub failures: u32,
    /// Why, the last time, and when.
    pub last_error: Option<(String, SystemTime)>,
}

/// A link that is listed until this is dropped.
#[derive(Debug)]
pub(super) struct Listed {
    links: Arc<Links>,
    session: SessionId,
}

impl Default for Links {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Links {
    /// Lists a link.
    pub(super) fn add(self: &Arc<Self>, session: SessionId, link: Link) -> Listed {
        self.state().live.insert(session, link);
        self.changed.send_replace(());
        Listed { links: self.clone(), session }
    }

    /// A node that is to be dialed has not answered, or its link was lost.
    pub(super) fn failed(&self, node: &Name, address: Option<SocketAddr>, reason: String) {
        let mut state = self.state();
        let attempt = state.attempts.entry((node.clone(), address)).or_default();
        attempt.failures = attempt.failures.saturating_add(1);
        attempt.last_error = Some((reason, now()));
    }

    /// It has answered.
    pub(super) fn answered(&self, node: &Name, address: Option<SocketAddr>) {
        self.state().attempts.entry((node.clone(), address)).or_default().failures = 0;
    }

    /// A node is to be dialed, or not any more.
    pub(super) fn wanted(&self, node: &Name, address: Option<SocketAddr>, is_wanted: bool) {
        let mut state = self.state();
        let key = (node.clone(), address);
        if is_wanted {
            state.attempts.entry(key).or_default();
        } else {
            state.attempts.remove(&key);
        }
    }

    /// A node is not to be dialed any more, at no address.
    pub(super) fn forget(&self, node: &Name) {
        self.state().attempts.retain(|(name, _), _| name != node);
    }

    /// Waits until a look at the live links finds something.
    pub(super) async fn find<T>(&self, mut look: impl FnMut(&BTreeMap<SessionId, Link>) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = look(&self.state().live) {
                return found;
            }
            // The sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    /// Whether anybody of this name is linked now.
    pub(super) fn is_linked(&self, node: &Name) -> bool {
        self.state().live.values().any(|link| link.name.as_ref() == Some(node))
    }

    /// Every live link.
    pub fn live(&self) -> BTreeMap<SessionId, Link> {
        self.state().live.clone()
    }

    /// Every node that is to be dialed, with its address where a name stands for several nodes.
    pub fn attempts(&self) -> BTreeMap<(Name, Option<SocketAddr>), Attempt> {
        self.state().attempts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// Waits until a node of the same name dials anew: it was restarted, or has lost this link and does not know that
    /// the other side has not. `true`: it is another process now.
    pub(super) async fn superseded(&self) -> bool {
        let look = |live: &BTreeMap<SessionId, Link>| {
            let own = live.get(&self.session)?;
            let name = own.name.as_ref()?;
            let newer = live.range(self.session..).skip(1).map(|(_, link)| link);
            let mut same =
                newer.filter(|link| link.direction == Direction::Inbound && link.name.as_ref() == Some(name));
            same.next().map(|link| link.hop.is_none() || !link.hop.is(own.hop))
        };
        self.links.find(look).await
    }

    /// Notes who the other side is, once it has told, or that it is about to leave.
    pub(super) fn update(&self, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.state().live.get_mut(&self.session) {
            change(link);
        }
        self.links.changed.send_replace(());
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.links.state().live.remove(&self.session);
        self.links.changed.send_replace(());
    }
}

#[expect(clippy::disallowed_methods, reason = "people read times by the wall clock")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
