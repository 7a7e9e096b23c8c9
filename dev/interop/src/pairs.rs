//! Who publishes to whom.

use crate::dialect::Seat;

/// A publisher and a viewer.
pub type Pair = (Seat, Seat);

/// How many seats along the viewer of a ring sits: another dialect, through another door. It has no divisor in common
/// with the number of seats there are, nor with that of fewer dialects.
const STEP: usize = 7;

/// Each with itself.
pub fn same(seats: &[Seat]) -> Vec<Pair> {
    seats.iter().map(|seat| (*seat, *seat)).collect()
}

/// Everybody to everybody.
pub fn every(publishers: &[Seat], viewers: &[Seat]) -> Vec<Pair> {
    publishers.iter().flat_map(|publisher| viewers.iter().map(|viewer| (*publisher, *viewer))).collect()
}

/// Everybody to one other, and from one other, as far as the shorter list has to be used again.
pub fn ring(publishers: &[Seat], viewers: &[Seat]) -> Vec<Pair> {
    let count = publishers.len().max(viewers.len());
    (0..count).map(|at| (publishers[at % publishers.len()], viewers[(at + STEP) % viewers.len()])).collect()
}
