//! The chain of relays an announcement passed, publisher first (moq-lite, announcements).

use std::fmt;

/// The identity of one relay or publisher; 0 means "no identity" and equals nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct HopId(pub u64);

impl HopId {
    /// The anonymous hop.
    pub const NONE: Self = Self(0);
    /// Old JavaScript clients read hop ids as doubles, so ids we draw stay below this.
    pub const LIMIT: u64 = 1 << 53;

    /// An id from random bits: never 0, below [`HopId::LIMIT`].
    pub const fn from_random(bits: u64) -> Self {
        Self(1 + bits % (Self::LIMIT - 1))
    }

    /// Whether two hops are known to be the same node. Anonymous hops never are.
    pub const fn is(self, other: Self) -> bool {
        self.0 != 0 && self.0 == other.0
    }

    /// Whether this hop has no identity.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for HopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// At most [`Hops::MAX`] hops, publisher first.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Hops(Vec<HopId>);

/// The chain has reached [`Hops::MAX`] entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("more than {} hops", Hops::MAX)]
pub struct TooManyHops;

impl Hops {
    /// The longest chain peers accept.
    pub const MAX: usize = 32;

    /// A chain of these hops, publisher first.
    pub fn new(hops: impl IntoIterator<Item = HopId>) -> Result<Self, TooManyHops> {
        let hops: Vec<_> = hops.into_iter().take(Self::MAX + 1).collect();
        if hops.len() > Self::MAX { Err(TooManyHops) } else { Ok(Self(hops)) }
    }

    /// A chain of `count` hops without identity, all that moq-lite-03 tells.
    pub fn anonymous(count: u64) -> Result<Self, TooManyHops> {
        let count = usize::try_from(count).map_err(|_| TooManyHops)?;
        if count > Self::MAX { Err(TooManyHops) } else { Ok(Self(vec![HopId::NONE; count])) }
    }

    /// Appends the next relay on the way.
    pub fn push(&mut self, hop: HopId) -> Result<(), TooManyHops> {
        if self.0.len() == Self::MAX {
            return Err(TooManyHops);
        }
        self.0.push(hop);
        Ok(())
    }

    /// Inserts `hop` in front, as the publisher.
    pub fn push_front(&mut self, hop: HopId) -> Result<(), TooManyHops> {
        if self.0.len() == Self::MAX {
            return Err(TooManyHops);
        }
        self.0.insert(0, hop);
        Ok(())
    }

    /// The publisher, when the chain names one.
    pub fn publisher(&self) -> Option<HopId> {
        self.0.first().copied().filter(|hop| !hop.is_none())
    }

    /// The chain without what a receiver has put before a publisher that has no identity.
    pub fn as_told(&self) -> &[HopId] {
        match self.0.as_slice() {
            [_, told @ ..] if told.first().is_some_and(|hop| hop.is_none()) => told,
            told => told,
        }
    }

    /// Who has announced it; [`HopId::NONE`] without an identity.
    pub fn last(&self) -> HopId {
        self.0.last().copied().unwrap_or_default()
    }

    /// Whether `hop` is known to be in the chain.
    pub fn contains(&self, hop: HopId) -> bool {
        self.0.iter().any(|h| h.is(hop))
    }

    /// Whether any hop lacks an identity.
    pub fn is_anonymous(&self) -> bool {
        self.0.iter().any(|h| h.is_none())
    }

    /// Whether an identified hop occurs twice.
    pub fn has_repeat(&self) -> bool {
        self.0.iter().enumerate().any(|(i, hop)| self.0[..i].iter().any(|h| h.is(*hop)))
    }

    /// The hops, publisher first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = HopId> + DoubleEndedIterator + '_ {
        self.0.iter().copied()
    }

    /// How many hops.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no hop at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_nobody() {
        let hops = Hops::new([HopId(7), HopId(0), HopId(0)]).unwrap();
        assert!(!hops.contains(HopId(0)) && hops.contains(HopId(7)));
        assert!(hops.is_anonymous() && !hops.has_repeat());
        assert!(Hops::new([HopId(7), HopId(7)]).unwrap().has_repeat());
    }

    #[test]
    fn never_longer_than_peers_accept() {
        let mut hops = Hops::anonymous(32).unwrap();
        assert_eq!(hops.push(HopId(1)), Err(TooManyHops));
        assert_eq!(hops.push_front(HopId(1)), Err(TooManyHops));
        assert_eq!(Hops::anonymous(33), Err(TooManyHops));
    }

    #[test]
    fn drawn_ids_are_safe_for_javascript() {
        assert_eq!(HopId::from_random(0), HopId(1));
        assert!(HopId::from_random(u64::MAX).0 < HopId::LIMIT);
    }
}
