//! Which way to a broadcast is best: a pure order, the same on every node (moq-lite, "cost and route choice").

use std::{cmp::Ordering, sync::Arc};

use tokio::time::Instant;

use super::{SessionId, demand::Demand};
use crate::{
    model::{cache::Share, watch::Watch},
    types::{Cost, HopId, Hops, Path},
};

/// One way to a broadcast.
#[derive(Clone, Debug)]
pub struct Route {
    /// Counts announcements: a newer one has a higher number.
    pub id: u64,
    /// Where it came from.
    pub session: SessionId,
    /// Everybody it passed, publisher first, the announcing peer last.
    pub hops: Hops,
    /// What one more subscription costs.
    pub cost: Cost,
    /// It came from another node of the cluster.
    pub learned: bool,
    /// Which node that is, and who has opened the connection to it.
    pub neighbour: Neighbour,
    /// Where to ask for tracks.
    pub demand: Arc<Watch<Demand>>,
    /// Where its groups are charged.
    pub share: Arc<Share>,
    /// Its session is gone, and until when another route may take its place. Nobody answers what it is asked.
    pub lost: Option<Instant>,
}

/// The node at the other end of a connection.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Neighbour {
    /// What it is called, in one spelling.
    pub name: Option<Arc<str>>,
    /// This node has opened the connection.
    pub dialed: bool,
}

/// The peer a route is wanted for: nothing goes back where it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    /// Its session.
    pub session: SessionId,
    /// Its identity, if it told one.
    pub hop: HopId,
    /// It gets only what is published on this node: other nodes tell it theirs.
    pub only_local: bool,
}

/// Whether any track comes over a way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InUse(pub(super) bool);

impl Route {
    /// What is left of it when its session is gone: something to hold on to until then.
    pub(super) fn until(self, id: u64, until: Instant) -> Self {
        Self { id, session: SessionId(0), demand: Watch::new(Demand::default()), lost: Some(until), ..self }
    }

    /// Whether the asker must go another way: this one leads back to it, or may.
    pub fn leads_back_to(&self, asker: Asker) -> bool {
        self.session == asker.session || self.hops.contains(asker.hop) || (asker.only_local && self.learned)
    }

    /// Whether this way, which is taken, may be left for another one that ranks higher.
    ///
    /// What is in use on the way makes it cheap, and dialects without costs make it look cheap. Two nodes could each prefer
    /// the other's way for that, leave their own, which was the reason, and come back, for ever. What a way costs with
    /// nothing in use, and how long it is, only ever grows from node to node: a way that is worse by that is not changed
    /// to. As long as nothing is in use here, it may be, to join what is in use elsewhere.
    ///
    /// Of two nodes that have dialed each other, each tells everything twice. The second telling is no news.
    pub(super) fn yields_to(&self, other: &Self, in_use: InUse) -> bool {
        if self.is_told_twice(other) {
            return self.lost.is_some();
        }
        let whole = |route: &Self| {
            let leaving = route.cost == Cost::LAST_RESORT;
            (leaving, route.hops.is_anonymous(), route.cost.cold, route.hops.len())
        };
        let joins = !in_use.0 && other.cost.cold != Cost::MAX;
        !other.learned || joins || whole(other) <= whole(self)
    }

    /// Whether the other one came from the same node at the same price, over the connection that was opened from the other
    /// end. From the same end, the newer connection is the one that works.
    fn is_told_twice(&self, other: &Self) -> bool {
        let (own, its) = (&self.neighbour, &other.neighbour);
        let is_same = self.hops.last().is(other.hops.last()) || (own.name.is_some() && own.name == its.name);
        let both_ways = self.learned && other.learned && own.dialed != its.dialed;
        both_ways && is_same && self.hops.as_told() == other.hops.as_told() && self.cost == other.cost
    }

    /// Orders two routes to `path`; the lesser is better.
    pub fn rank(&self, other: &Self, path: &Path) -> Ordering {
        let by_hash = || {
            if self.learned && other.learned { self.hash(path).cmp(&other.hash(path)) } else { Ordering::Equal }
        };
        let leaving = |route: &Self| route.cost == Cost::LAST_RESORT;
        (leaving(self).cmp(&leaving(other)))
            .then(self.hops.is_anonymous().cmp(&other.hops.is_anonymous()))
            .then(self.cost.warm.cmp(&other.cost.warm))
            .then(self.cost.cold.cmp(&other.cost.cold))
            .then(self.learned.cmp(&other.learned))
            .then(self.hops.len().cmp(&other.hops.len()))
            .then_with(by_hash)
            .then(other.id.cmp(&self.id))
    }

    /// 64-bit FNV-1a with the basis that peers use, over the path and each hop in little-endian bytes.
    fn hash(&self, path: &Path) -> u64 {
        let hops = self.hops.iter().flat_map(|hop| hop.0.to_le_bytes());
        path.as_str()
            .bytes()
            .chain(hops)
            .fold(0x420C_0DEC_B00B, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }
}

/// The best of `routes` that does not lead back to the asker.
pub(super) fn best<'a>(
    routes: impl IntoIterator<Item = &'a Route>,
    path: &Path,
    asker: Option<Asker>,
) -> Option<&'a Route> {
    let usable = routes.into_iter().filter(|route| asker.is_none_or(|asker| !route.leads_back_to(asker)));
    usable.min_by(|a, b| a.rank(b, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cache::{Cache, Limits};

    fn route(id: u64, hops: &[u64], warm: u64, learned: bool) -> Route {
        Route {
            id,
            session: SessionId(id),
            hops: Hops::new(hops.iter().map(|h| HopId(*h))).unwrap(),
            cost: Cost { warm, cold: 10 },
            learned,
            neighbour: Neighbour::default(),
            demand: Watch::new(Demand::default()),
            share: Cache::new(Limits::default()).publisher(),
            lost: None,
        }
    }

    fn winner(routes: &[Route], asker: Option<Asker>) -> Option<u64> {
        best(routes, &Path::parse("a/b").unwrap(), asker).map(|route| route.id)
    }

    #[test]
    fn first_difference_wins() {
        let named = route(1, &[7], 5, false);
        assert_eq!(winner(&[named.clone(), route(2, &[7, 0], 0, false)], None), Some(1), "identified before cheap");
        assert_eq!(winner(&[named.clone(), route(2, &[8, 9, 10], 4, true)], None), Some(2), "cheap before local");
        assert_eq!(winner(&[named.clone(), route(2, &[8], 5, true)], None), Some(1), "local before learned");
        assert_eq!(winner(&[named.clone(), route(2, &[8, 9], 5, false)], None), Some(1), "short before long");
        assert_eq!(winner(&[named, route(2, &[8], 5, false)], None), Some(2), "newest at last");
    }

    #[test]
    fn learned_ties_break_by_hash_alike_everywhere() {
        let (a, b) = (route(1, &[7, 1], 5, true), route(2, &[7, 2], 5, true));
        let first = winner(&[a.clone(), b.clone()], None);
        let (a, b) = (Route { id: 2, ..a }, Route { id: 1, ..b });
        let swapped = winner(&[b, a], None).map(|id| 3 - id);
        assert_eq!(first, swapped, "the order of arrival does not matter");
    }

    #[test]
    fn nothing_leads_back() {
        let routes = [route(1, &[7, 3], 0, true), route(2, &[7, 4], 1, true)];
        let asker = |session, hop| Some(Asker { session: SessionId(session), hop: HopId(hop), only_local: false });
        assert_eq!(winner(&routes, asker(9, 3)), Some(2));
        assert_eq!(winner(&routes, asker(1, 0)), Some(2));
        assert_eq!(winner(&routes, asker(9, 7)), None);
        let asker = Asker { session: SessionId(9), hop: HopId(0), only_local: true };
        assert_eq!(winner(&routes, Some(asker)), None, "what others have told is theirs to tell");
        assert_eq!(winner(&[route(3, &[7], 0, false)], Some(asker)), Some(3));
    }

    #[test]
    fn a_way_in_use_is_not_left_for_one_that_is_dearer_with_nothing_in_use() {
        let way = |hops, warm, cold| Route { cost: Cost { warm, cold }, ..route(1, hops, 0, true) };
        let (used, idle) = (InUse(true), InUse(false));
        let own = way(&[7, 1], 5, 5);
        let joined = way(&[7, 1, 2], 1, 6);
        assert_eq!((own.yields_to(&joined, used), own.yields_to(&joined, idle)), (false, true));
        assert!(own.yields_to(&way(&[7, 3], 1, 5), used), "it is no dearer");
        assert!(
            own.yields_to(&Route { learned: false, ..joined.clone() }, used),
            "whoever publishes here leads nowhere"
        );
        let leaving = Route { cost: Cost::LAST_RESORT, ..own.clone() };
        assert!(leaving.yields_to(&joined, used));

        let unknown = way(&[7, 1], 4, Cost::MAX);
        let longer = way(&[7, 1, 2], 3, Cost::MAX);
        assert!(!unknown.yields_to(&longer, idle), "what it costs is not known: its length counts");
        assert!(longer.yields_to(&unknown, used) && !own.yields_to(&longer, idle));
    }

    #[test]
    fn what_a_node_tells_over_two_connections_is_told_once() {
        let idle = InUse(false);
        let called = |name: &str, dialed| Neighbour { name: Some(name.into()), dialed };
        let told = |hops, dialed| Route { neighbour: Neighbour { name: None, dialed }, ..route(1, hops, 0, true) };
        let first = told(&[11, 0, 7], true);
        assert!(
            !first.yields_to(&told(&[12, 0, 7], false), idle),
            "each connection has put something of its own in front"
        );
        assert!(!told(&[3, 7], true).yields_to(&told(&[3, 7], false), idle));
        assert!(first.yields_to(&told(&[12, 0, 7], true), idle), "it has dialed again");
        assert!(first.yields_to(&told(&[12, 0, 8], false), idle), "another node");
        assert!(first.yields_to(&told(&[3, 7], false), idle), "another way");
        let dear = Route { cost: Cost { warm: 5, cold: 5 }, ..first.clone() };
        assert!(dear.yields_to(&told(&[12, 0, 7], false), idle), "the other connection is cheaper");
        let lost = Route { lost: Some(Instant::now()), ..first };
        assert!(lost.yields_to(&told(&[12, 0, 7], false), idle));

        // Nodes of the 0.10 line have no identity, but a name.
        let (dialed, accepted) = (told(&[11, 0], true), told(&[12, 0], false));
        assert!(dialed.yields_to(&accepted, idle), "it may be another node");
        let dialed = Route { neighbour: called("a", true), ..dialed };
        assert!(!dialed.yields_to(&Route { neighbour: called("a", false), ..accepted.clone() }, idle));
        assert!(dialed.yields_to(&Route { neighbour: called("b", false), ..accepted }, idle), "another node");
    }
}
