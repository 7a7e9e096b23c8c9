//! How nodes are linked.

use rand::{Rng, rngs::StdRng};

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Chain,
    Ring,
    Star,
    Mesh,
}

impl Shape {
    pub fn draw(rng: &mut StdRng) -> Self {
        [Self::Chain, Self::Ring, Self::Star, Self::Mesh][rng.random_range(0..4)]
    }

    /// Pairs of nodes, the one that dials first.
    pub fn links(self, nodes: usize) -> Vec<(usize, usize)> {
        let pairs = (0..nodes).flat_map(|b| (0..b).map(move |a| (a, b)));
        let linked = |&(a, b): &(usize, usize)| match self {
            Self::Chain => b == a + 1,
            Self::Ring => b == a + 1 || (a, b) == (0, nodes - 1),
            Self::Star => a == 0,
            Self::Mesh => true,
        };
        pairs.filter(linked).collect()
    }
}

/// Which nodes reach one another over `links`: to each node a number that it shares with them.
pub fn islands(nodes: usize, links: impl Iterator<Item = (usize, usize)> + Clone) -> Vec<usize> {
    let mut island: Vec<_> = (0..nodes).collect();
    for _ in 0..nodes {
        for (a, b) in links.clone() {
            let least = island[a].min(island[b]);
            (island[a], island[b]) = (least, least);
        }
    }
    island
}
