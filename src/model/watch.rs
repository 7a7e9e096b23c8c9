//! One value, many readers: the only way to wait in the model, and the only place in it that touches wakers.
//!
//! A change marks each reader and wakes it by reference; a reader already marked has not looked since and is skipped,
//! so a burst costs it one wake-up. A reader registers its waker once and keeps it. Dropping a reader forgets it.
//!
//! Readers are listed by the [`Worker`] they wait on. To wake a task of another thread takes a system call, so a change
//! wakes one dispatcher per foreign worker, which then wakes that worker's readers where they are.
//!
//! Why nothing is lost: a reader clears its mark *before* it locks the value to look, and a change unlocks the value
//! *before* it marks. So either the look sees the change, or the mark is set after it was cleared, with a wake-up. A
//! dispatcher likewise forgets that a list is due *before* it marks the readers in it. `dev/loom` tries every
//! interleaving of these files.

mod list;
mod worker;

#[cfg(loom)]
use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering::AcqRel},
};
#[cfg(not(loom))]
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering::AcqRel},
};
use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use list::List;
pub use worker::Worker;

/// A value whose changes wake its [`Reader`]s.
#[derive(Debug)]
pub struct Watch<T> {
    value: Mutex<T>,
    /// Who to wake. Locked apart from the value, so that a reader woken on another thread finds the value unlocked.
    readers: Mutex<Vec<Arc<List>>>,
}

impl<T> Watch<T> {
    /// A value nobody reads yet.
    pub fn new(value: T) -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(value), readers: Mutex::default() })
    }

    /// Looks at the value, or changes what no reader waits for.
    pub fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut lock(&self.value))
    }

    /// Changes the value and wakes every reader that has looked since the last change.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut lock(&self.value));
        worker::here(|here| lock(&self.readers).iter().for_each(|list| List::notify(list, here)));
        result
    }
}

/// One waiter on a [`Watch`], used by one task at a time.
#[derive(Debug)]
pub struct Reader<T> {
    watch: Arc<Watch<T>>,
    marked: Arc<AtomicBool>,
    /// Where it is listed, once polled.
    listed: Option<Listed>,
}

#[derive(Debug)]
struct Listed {
    list: Arc<List>,
    key: usize,
    waker: Waker,
}

impl<T> Reader<T> {
    /// A reader that has not looked yet.
    pub fn new(watch: Arc<Watch<T>>) -> Self {
        Self { watch, marked: Arc::new(AtomicBool::new(true)), listed: None }
    }

    /// Looks at the value; on `None` the task is woken by the next change.
    pub fn poll<R>(&mut self, cx: &mut Context<'_>, look: impl FnOnce(&mut T) -> Option<R>) -> Poll<R> {
        self.register(cx.waker());
        self.marked.swap(false, AcqRel);
        look(&mut lock(&self.watch.value)).map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits until `look` finds something. It runs once per wake-up.
    pub async fn wait<R>(&mut self, mut look: impl FnMut(&mut T) -> Option<R>) -> R {
        poll_fn(|cx| self.poll(cx, &mut look)).await
    }

    /// The value this reader waits on.
    pub const fn watch(&self) -> &Arc<Watch<T>> {
        &self.watch
    }

    fn register(&mut self, waker: &Waker) {
        if self.listed.as_ref().is_some_and(|listed| listed.waker.will_wake(waker)) {
            return;
        }
        self.leave();
        let marked = self.marked.clone();
        let mut readers = lock(&self.watch.readers);
        let list = worker::here(|here| match readers.iter().find(|list| list.is_at(here)) {
            Some(list) => list.clone(),
            None => {
                let list = Arc::new(List::new(here.cloned()));
                readers.push(list.clone());
                list
            }
        });
        let key = list.insert(marked, waker.clone());
        drop(readers);
        self.listed = Some(Listed { list, key, waker: waker.clone() });
    }

    fn leave(&mut self) {
        let Some(Listed { list, key, .. }) = self.listed.take() else { return };
        let mut readers = lock(&self.watch.readers);
        let (before, empty) = list.remove(key);
        if empty {
            readers.retain(|other| !Arc::ptr_eq(other, &list));
            if readers.is_empty() {
                *readers = Vec::new();
            }
        }
        drop(readers);
        drop(before); // the last of a task's wakers may drop the task, with readers of its own
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A panic while a lock was held ends its session only; the value is consistent between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::Wake,
    };

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_burst_wakes_once() {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let count = Arc::new(Count::default());
        let waker = count.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(reader.poll(&mut cx, |_| None::<()>).is_pending());
        for _ in 0..5 {
            watch.update(|v| *v += 1);
        }
        assert_eq!(count.0.load(Relaxed), 1);
        assert_eq!(reader.poll(&mut cx, |v| Some(*v)), Poll::Ready(5));
        watch.update(|v| *v += 1);
        assert_eq!(count.0.load(Relaxed), 2);
    }

    #[test]
    fn dropped_readers_leave_nothing() {
        let watch = Watch::new(());
        let mut cx = Context::from_waker(Waker::noop());
        let mut readers: Vec<_> = (0..10).map(|_| Reader::new(watch.clone())).collect();
        for reader in &mut readers {
            assert!(reader.poll(&mut cx, |()| None::<()>).is_pending());
        }
        readers.remove(3);
        watch.update(|()| ());
        drop(readers);
        assert_eq!(lock(&watch.readers).capacity(), 0);
    }
}
