//! What the relay does not do yet. Each of these goes once it does; the programs of the seeds stay what they are.

use std::time::Duration;

use super::topology::Shape;

/// Whether a track that changes its route goes on with the very next group. Without that, groups made around a change of
/// links or publishers may be missed, and one that nobody remembers comes again.
pub const RESUMES: bool = false;

/// How long routes that are lost are kept for their return.
pub const LINGER: Duration = Duration::ZERO;

/// Whether a node at the other end of a moq-lite-04 link hears of another chain to a broadcast. Without that it holds
/// the first one, sees no loops by it, and keeps names alive that are gone: such links are only where there is no ring.
pub const OLD_LINKS_FOLLOW: bool = false;

/// Whether routes come to rest where moq-lite-06 meets older dialects. What a link costs is forgotten by those, so that
/// two nodes may each like the other's way better for ever: all speak 06, or nobody does.
pub const COSTS_MEET: bool = false;

/// The dialects of a cluster's nodes and publishers. Always as many, so that a seed draws alike.
pub fn dialects(shape: Shape, newest: bool) -> [&'static str; 3] {
    let old_links = OLD_LINKS_FOLLOW || matches!(shape, Shape::Chain | Shape::Star);
    match (COSTS_MEET, newest) {
        (false, true) => ["06", "06", "06"],
        (false, false) if old_links => ["04", "05", "05"],
        (false, false) => ["05", "05", "05"],
        (true, _) if old_links => ["04", "05", "06"],
        (true, _) => ["05", "05", "06"],
    }
}
