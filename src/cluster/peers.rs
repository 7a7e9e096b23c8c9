//! Which nodes there should be a link with: pure bookkeeping over everybody who has a say.

use std::collections::BTreeMap;

use super::{
    config::{Peer, PeerError},
    name::Name,
};
use crate::transport::{Target, target::TargetError};

/// Who wants a link. When several do, the first one's terms count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Source {
    /// `cluster.connect` and `cluster.root`.
    Configured,
    /// `cluster.connect_api`.
    Listed,
    /// Nodes that announce themselves.
    Announced,
}

/// A node to be linked with, and on which terms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    pub(super) name: Name,
    pub(super) target: Target,
    /// In place of this node's own.
    pub(super) token: Option<Token>,
    /// What the link costs; absent is what the other side says, or 1.
    pub(super) price: Option<u64>,
    pub(super) introduction: Introduction,
    /// The other side dials this node, too, and should have some time to.
    pub(super) yields: bool,
}

/// A secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(pub(super) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// How this node tells the other what it is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Introduction {
    /// Not at all.
    None,
    /// `?register=`: the other side is to announce it (releases 0.10.5 to 0.10.25).
    Register,
    /// `?node=`: it announces itself.
    Node,
}

/// Why an entry of a list is no node.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NoPeer {
    #[error(transparent)]
    Entry(#[from] PeerError),
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl Wanted {
    /// A node of the configuration or of a list.
    pub(super) fn new(peer: &Peer) -> Result<Self, NoPeer> {
        let target = Target::parse(&peer.url)?;
        Ok(Self {
            name: Name::of(&target),
            target,
            token: peer.token.clone().map(Token),
            price: peer.cost,
            introduction: Introduction::None,
            yields: false,
        })
    }
}

/// Everybody's wishes.
#[derive(Debug)]
pub(super) struct Peers {
    /// This node, which needs no link with itself.
    own: Option<Name>,
    wishes: BTreeMap<Source, BTreeMap<Name, Wanted>>,
}

impl Peers {
    pub(super) const fn new(own: Option<Name>) -> Self {
        Self { own, wishes: BTreeMap::new() }
    }

    /// What a source wants from now on, in place of what it wanted.
    pub(super) fn set(&mut self, source: Source, wishes: Vec<Wanted>) {
        let named = wishes.into_iter().map(|wanted| (wanted.name.clone(), wanted));
        self.wishes.insert(source, named.collect());
    }

    /// All of them together, each node once.
    pub(super) fn wanted(&self) -> BTreeMap<Name, Wanted> {
        let mut all = BTreeMap::new();
        for (name, wanted) in self.wishes.values().flatten() {
            if self.own.as_ref() != Some(name) {
                all.entry(name.clone()).or_insert_with(|| wanted.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        Wanted::new(&Peer::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn every_node_once_on_the_terms_of_the_first_source() {
        let mut peers = Peers::new(Some(Name::parse("me:1").unwrap()));
        peers.set(Source::Announced, vec![wanted("https://a/"), wanted("b"), wanted("me:1")]);
        peers.set(Source::Configured, vec![wanted("https://a/?cost=7")]);
        let all = peers.wanted();
        let terms: Vec<_> = all.values().map(|wanted| (wanted.name.as_str(), wanted.price)).collect();
        assert_eq!(terms, [("https://a/", Some(7)), ("https://b/", None)]);
    }

    #[test]
    fn who_wants_no_more_leaves_the_wishes_of_others() {
        let mut peers = Peers::new(None);
        peers.set(Source::Listed, vec![wanted("a"), wanted("b")]);
        peers.set(Source::Announced, vec![wanted("b")]);
        peers.set(Source::Listed, vec![]);
        assert_eq!(peers.wanted().into_keys().map(|name| name.to_string()).collect::<Vec<_>>(), ["https://b/"]);
    }
}
