//! The readers of a value that wait on one worker.

use std::task::Waker;

use super::{AcqRel, Arc, AtomicBool, Mutex, lock, worker::Mailbox};

/// Readers of one [`Watch`](super::Watch) on one worker, or on threads that are none.
#[derive(Debug)]
pub(super) struct List {
    home: Option<Arc<Mailbox>>,
    /// The dispatcher of its worker has been told and has not begun to wake.
    due: AtomicBool,
    entries: Mutex<Entries>,
}

#[derive(Default, Debug)]
struct Entries {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Entry {
    marked: Arc<AtomicBool>,
    waker: Waker,
}

impl List {
    pub(super) fn new(home: Option<Arc<Mailbox>>) -> Self {
        Self { home, due: AtomicBool::new(false), entries: Mutex::default() }
    }

    /// Whether a reader that is polled `here` belongs in it.
    pub(super) fn is_at(&self, here: Option<&Arc<Mailbox>>) -> bool {
        match (&self.home, here) {
            (Some(home), Some(here)) => Arc::ptr_eq(home, here),
            (home, here) => home.is_none() && here.is_none(),
        }
    }

    /// Sees to it that every reader is marked and woken, from a thread of the worker `here`.
    pub(super) fn notify(list: &Arc<Self>, here: Option<&Arc<Mailbox>>) {
        match &list.home {
            Some(home) if !list.is_at(here) => {
                if !list.due.swap(true, AcqRel) && !home.post(list) {
                    list.wake_due();
                }
            }
            _ => list.wake(),
        }
    }

    /// What the dispatcher does with a list that is due.
    pub(super) fn wake_due(&self) {
        self.due.swap(false, AcqRel);
        self.wake();
    }

    fn wake(&self) {
        for entry in lock(&self.entries).entries.iter().flatten() {
            if !entry.marked.swap(true, AcqRel) {
                entry.waker.wake_by_ref();
            }
        }
    }

    /// The key to remove it by.
    pub(super) fn insert(&self, marked: Arc<AtomicBool>, waker: Waker) -> usize {
        let mut entries = lock(&self.entries);
        let key = entries.free.pop().unwrap_or(entries.entries.len());
        if key == entries.entries.len() {
            entries.entries.push(None);
        }
        entries.entries[key] = Some(Entry { marked, waker });
        key
    }

    /// What was there, to be dropped without a lock, and whether nobody is left.
    pub(super) fn remove(&self, key: usize) -> (Option<Entry>, bool) {
        let mut entries = lock(&self.entries);
        let before = entries.entries[key].take();
        entries.free.push(key);
        (before, entries.free.len() == entries.entries.len())
    }
}
