//! One value, many readers: the only way to wait in the model, and the only place in it that touches wakers.
//!
//! A change marks each reader and wakes it by reference; a reader already marked has not looked since and is skipped,
//! so a burst costs it one wake-up. A reader registers its waker once and keeps it. Dropping a reader forgets it.
//!
//! Why nothing is lost: a reader clears its mark *before* it locks the value to look, and a change unlocks the value
//! *before* it marks. So either the look sees the change, or the mark is set after it was cleared, with a wake-up.
//! `dev/loom` tries every interleaving of this file.

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

/// A value whose changes wake its [`Reader`]s.
#[derive(Debug)]
pub struct Watch<T> {
    value: Mutex<T>,
    readers: Mutex<Readers>,
}

/// Who to wake. Locked apart from the value, so that a reader woken on another thread finds the value unlocked.
#[derive(Default, Debug)]
struct Readers {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    marked: Arc<AtomicBool>,
    waker: Waker,
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
        for entry in lock(&self.readers).entries.iter().flatten() {
            if !entry.marked.swap(true, AcqRel) {
                entry.waker.wake_by_ref();
            }
        }
        result
    }
}

/// One waiter on a [`Watch`], used by one task at a time.
#[derive(Debug)]
pub struct Reader<T> {
    watch: Arc<Watch<T>>,
    marked: Arc<AtomicBool>,
    /// Our entry in the watch and the waker it holds, once polled.
    registered: Option<(usize, Waker)>,
}

impl<T> Reader<T> {
    /// A reader that has not looked yet.
    pub fn new(watch: Arc<Watch<T>>) -> Self {
        Self { watch, marked: Arc::new(AtomicBool::new(true)), registered: None }
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
        if self.registered.as_ref().is_some_and(|(_, kept)| kept.will_wake(waker)) {
            return;
        }
        let entry = Entry { marked: self.marked.clone(), waker: waker.clone() };
        let mut readers = lock(&self.watch.readers);
        let key = match &self.registered {
            Some((key, _)) => *key,
            None => readers.free.pop().unwrap_or(readers.entries.len()),
        };
        if key == readers.entries.len() {
            readers.entries.push(None);
        }
        let before = readers.entries[key].replace(entry);
        drop(readers);
        drop(before); // the last of a task's wakers may drop the task, with readers of its own
        self.registered = Some((key, waker.clone()));
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        if let Some((key, _)) = self.registered.take() {
            let mut readers = lock(&self.watch.readers);
            let before = readers.entries[key].take();
            readers.free.push(key);
            if readers.free.len() == readers.entries.len() {
                *readers = Readers::default();
            }
            drop(readers);
            drop(before);
        }
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
        assert_eq!(lock(&watch.readers).entries.capacity(), 0);
    }
}
