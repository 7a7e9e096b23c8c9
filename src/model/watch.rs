//! One value, many readers: the only way to wait in the model, and the only place in it that touches wakers.
//!
//! A change marks each reader and wakes it by reference; a reader already marked has not looked since and is skipped,
//! so a burst costs it one wake-up. A reader registers its waker once and keeps it. Dropping a reader forgets it.
//!
//! Readers are listed by the [`Worker`] they wait on. To wake a task of another thread takes a system call, so a change
//! wakes one dispatcher per foreign worker, which then wakes that worker's readers where they are.
//!
//! Readers look at the value beside each other: those of different workers are woken together, and one that waited for
//! another's look would take two system calls and lose its core.
//!
//! Why nothing is lost: a reader clears its mark *before* it locks the value to look, and a change unlocks the value
//! *before* it marks. So either the look sees the change, or the mark is set after it was cleared, with a wake-up. A
//! dispatcher likewise forgets that a list is due *before* it marks the readers in it. `dev/loom` tries every
//! interleaving of these files.

mod list;
mod worker;

#[cfg(loom)]
use loom::sync::{
    Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, Ordering::AcqRel},
};
#[cfg(not(loom))]
use std::sync::{
    Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
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
    value: RwLock<T>,
    /// Who to wake. Locked apart from the value, so that a reader woken on another thread finds the value unlocked.
    readers: Mutex<Vec<Arc<List>>>,
}

impl<T> Watch<T> {
    /// A value nobody reads yet.
    pub fn new(value: T) -> Arc<Self> {
        Arc::new(Self { value: RwLock::new(value), readers: Mutex::default() })
    }

    /// Looks at the value.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&read(&self.value))
    }

    /// Changes what no reader waits for.
    pub fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut write(&self.value))
    }

    /// Changes the value and wakes every reader that has looked since the last change.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = self.with(change);
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
    pub fn poll<R>(&mut self, cx: &mut Context<'_>, look: impl FnOnce(&T) -> Option<R>) -> Poll<R> {
        self.clear(cx.waker());
        self.watch.look(look).map_or(Poll::Pending, Poll::Ready)
    }

    /// The same for a reader that takes what it finds, which other readers do not hear of.
    pub fn poll_take<R>(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&mut T) -> Option<R>) -> Poll<R> {
        self.clear(cx.waker());
        self.watch.with(take).map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits until `look` finds something. It runs once per wake-up.
    pub async fn wait<R>(&mut self, mut look: impl FnMut(&T) -> Option<R>) -> R {
        poll_fn(|cx| self.poll(cx, &mut look)).await
    }

    /// Waits until there is something to take.
    pub async fn take<R>(&mut self, mut take: impl FnMut(&mut T) -> Option<R>) -> R {
        poll_fn(|cx| self.poll_take(cx, &mut take)).await
    }

    /// Sees to it that the next change wakes the task.
    fn clear(&mut self, waker: &Waker) {
        self.register(waker);
        self.marked.swap(false, AcqRel);
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

fn read<T>(value: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    value.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write<T>(value: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    value.write().unwrap_or_else(|poisoned| poisoned.into_inner())
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
    fn readers_look_beside_each_other() {
        let watch = Watch::new(7);
        let other = watch.clone();
        let (done, seen) = std::sync::mpsc::channel();
        let looking = || Reader::new(other).poll(&mut Context::from_waker(Waker::noop()), |value| Some(*value));
        watch.look(|_| {
            let thread = std::thread::spawn(move || done.send(looking()));
            assert_eq!(seen.recv_timeout(std::time::Duration::from_secs(10)), Ok(Poll::Ready(7)));
            thread.join().unwrap().unwrap();
        });
    }

    #[test]
    fn what_is_taken_is_nobody_elses() {
        let watch = Watch::new(vec![1]);
        let mut readers = [Reader::new(watch.clone()), Reader::new(watch.clone())];
        let mut cx = Context::from_waker(Waker::noop());
        let taken = readers.each_mut().map(|reader| reader.poll_take(&mut cx, Vec::pop));
        assert_eq!(taken, [Poll::Ready(1), Poll::Pending]);
        watch.update(|values| values.push(2));
        assert_eq!(readers[1].poll_take(&mut cx, Vec::pop), Poll::Ready(2));
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
