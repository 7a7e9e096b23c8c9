//! What happens to the cluster, step by step.

use std::fmt;

use super::publisher::Left;

/// Numbers are those of nodes and links, and the ids of people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Publish {
        publisher: u64,
        node: usize,
        broadcast: &'static str,
        dialect: &'static str,
    },
    Produce {
        publisher: u64,
        groups: u64,
        frames: u64,
        left: Left,
    },
    /// Politely; it may leave before anybody has read the end.
    Unpublish {
        publisher: u64,
        leaves_at_once: bool,
    },
    KillPublisher {
        publisher: u64,
    },
    Arrive {
        viewer: u64,
        node: usize,
        dialect: &'static str,
    },
    Subscribe {
        viewer: u64,
        broadcast: &'static str,
        track: usize,
    },
    Unsubscribe {
        viewer: u64,
        subscription: usize,
    },
    KillViewer {
        viewer: u64,
    },
    /// The link fails and is dialed again.
    Fail {
        link: usize,
    },
    /// The link fails, and dialing does, too.
    Cut {
        link: usize,
    },
    Heal {
        link: usize,
    },
    Restart {
        node: usize,
    },
    Pause {
        milliseconds: u64,
    },
}

/// Whether the world may settle before the next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// Nothing at all comes between.
    AtOnce,
    /// Everything that needs no clock.
    Shortly,
    /// Links are dialed again, routes are told to everybody.
    Settled,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { publisher, node, broadcast, dialect } => {
                write!(f, "publisher {publisher} brings {broadcast} to node {node}, speaking {dialect}")
            }
            Self::Produce { publisher, groups, frames, left } => {
                write!(f, "publisher {publisher} makes {groups} groups of {frames} frames, the last one left {left:?}")
            }
            Self::Unpublish { publisher, leaves_at_once } => {
                write!(f, "publisher {publisher} ends{}", if *leaves_at_once { " and leaves" } else { "" })
            }
            Self::KillPublisher { publisher } => write!(f, "publisher {publisher} is killed"),
            Self::Arrive { viewer, node, dialect } => {
                write!(f, "viewer {viewer} comes to node {node}, speaking {dialect}")
            }
            Self::Subscribe { viewer, broadcast, track } => {
                write!(f, "viewer {viewer} subscribes to {broadcast}, track {track}")
            }
            Self::Unsubscribe { viewer, subscription } => {
                write!(f, "viewer {viewer} leaves its subscription {subscription}")
            }
            Self::KillViewer { viewer } => write!(f, "viewer {viewer} is killed"),
            Self::Fail { link } => write!(f, "link {link} fails"),
            Self::Cut { link } => write!(f, "link {link} is cut"),
            Self::Heal { link } => write!(f, "link {link} is healed"),
            Self::Restart { node } => write!(f, "node {node} restarts"),
            Self::Pause { milliseconds } => write!(f, "{milliseconds} ms pass"),
        }
    }
}
