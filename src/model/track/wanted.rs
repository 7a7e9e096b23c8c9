//! What all viewers of a track want together, for the one subscription upstream.

use std::sync::Arc;

use super::Track;
use crate::{
    model::watch::Watch,
    types::{Preferences, Start},
};

/// Who holds the track and what they ask of it.
#[derive(Default, Debug)]
pub struct Wanted {
    /// Which of the track's sources is to serve it.
    pub(super) source: u64,
    interests: usize,
    wishes: Vec<(u64, Preferences)>,
    next: u64,
}

impl Wanted {
    /// Whether nobody holds an interest: the source may leave after a while.
    pub const fn is_unwanted(&self) -> bool {
        self.interests == 0
    }

    /// One subscription that serves everybody: highest priority, widest age, lowest start, furthest end. `None` when
    /// nobody asks for groups. A start in the past of `latest` serves those who want the latest too.
    pub fn merged(&self, latest: Option<u64>) -> Option<Preferences> {
        let mut wishes = self.wishes.iter().map(|(_, wish)| wish);
        let first = wishes.next()?.clone();
        Some(wishes.fold(first, |a, b| Preferences {
            priority: a.priority.max(b.priority),
            max_age: a.max_age.zip(b.max_age).map(|(a, b)| a.max(b)),
            start: lower(a.start, b.start, latest),
            start_frame: if a.start == b.start { a.start_frame.min(b.start_frame) } else { 0 },
            end: a.end.zip(b.end).map(|(a, b)| a.max(b)),
            end_frame: if a.end == b.end { a.end_frame.zip(b.end_frame).map(|(a, b)| a.max(b)) } else { None },
        }))
    }
}

/// The start that covers both.
fn lower(a: Start, b: Start, latest: Option<u64>) -> Start {
    match (a, b) {
        (Start::Fresh { floor: a }, Start::Fresh { floor: b } | Start::At(b))
        | (Start::At(a), Start::Fresh { floor: b }) => Start::Fresh { floor: a.min(b) },
        (Start::Fresh { .. }, Start::Latest) | (Start::Latest, Start::Fresh { .. }) => Start::Fresh { floor: 0 },
        (Start::At(a), Start::At(b)) => Start::At(a.min(b)),
        (Start::At(at), Start::Latest) | (Start::Latest, Start::At(at)) => match latest {
            Some(latest) if at <= latest => Start::At(at),
            _ => Start::Latest,
        },
        (Start::Latest, Start::Latest) => Start::Latest,
    }
}

/// Keeps a track and its source alive.
#[derive(Debug)]
pub struct Interest {
    track: Arc<Track>,
    wanted: Arc<Watch<Wanted>>,
}

impl Interest {
    pub(super) fn new(track: Arc<Track>, wanted: Arc<Watch<Wanted>>) -> Self {
        wanted.update(|wanted| wanted.interests += 1);
        Self { track, wanted }
    }
}

impl std::ops::Deref for Interest {
    type Target = Arc<Track>;

    fn deref(&self) -> &Arc<Track> {
        &self.track
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.wanted.update(|wanted| wanted.interests -= 1);
    }
}

/// One viewer's wish; dropping it takes the wish back.
#[derive(Debug)]
pub struct Subscription {
    interest: Interest,
    key: u64,
}

impl Subscription {
    pub(super) fn new(track: Arc<Track>, wanted: Arc<Watch<Wanted>>, preferences: Preferences) -> Self {
        let key = wanted.update(|wanted| {
            let key = wanted.next;
            wanted.next += 1;
            wanted.wishes.push((key, preferences));
            key
        });
        Self { interest: Interest::new(track, wanted), key }
    }

    /// Replaces the wish.
    pub fn change(&self, preferences: Preferences) {
        self.interest.wanted.update(|wanted| {
            if let Some((_, wish)) = wanted.wishes.iter_mut().find(|(key, _)| *key == self.key) {
                *wish = preferences;
            }
        });
    }

    /// The track subscribed to.
    pub fn track(&self) -> &Arc<Track> {
        &self.interest
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.interest.wanted.update(|wanted| wanted.wishes.retain(|(key, _)| *key != self.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_merged_wish_covers_everybody() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.merged(None), None);
        let a = Preferences { priority: 3, max_age: Some(Duration::from_secs(1)), end: Some(7), ..Default::default() };
        let b = Preferences { priority: 9, max_age: None, start: Start::At(4), end: Some(9), ..Default::default() };
        wanted.wishes = vec![(0, a.clone()), (1, b)];
        let merged = wanted.merged(Some(5)).unwrap();
        assert_eq!((merged.priority, merged.max_age, merged.end), (9, None, Some(9)));
        assert_eq!(merged.start, Start::At(4));
        assert_eq!(wanted.merged(Some(3)).unwrap().start, Start::Latest, "the future would starve the other viewer");
        wanted.wishes.push((2, Preferences { start: Start::Fresh { floor: 2 }, ..a }));
        assert_eq!(wanted.merged(Some(5)).unwrap().start, Start::Fresh { floor: 2 });
        assert_eq!(wanted.merged(None).unwrap().start, Start::Fresh { floor: 0 });
    }
}
