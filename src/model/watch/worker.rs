//! Threads that serve sessions, and how one tells another that its readers have something to look at.

#![cfg_attr(not(loom), expect(clippy::missing_const_for_thread_local, reason = "loom knows no const blocks"))]

use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

#[cfg(loom)]
use loom::thread_local;

use super::{Arc, Mutex, list::List, lock};

thread_local! {
    static HERE: RefCell<Option<Arc<Mailbox>>> = RefCell::new(None);
}

/// A single-threaded runtime whose readers are woken from within: whoever changes a value on another thread leaves a note
/// and wakes [`Worker::dispatch`], once for all that was left before it runs.
#[derive(Debug)]
pub struct Worker(Arc<Mailbox>);

/// Lists that are due.
#[derive(Default, Debug)]
pub(super) struct Mailbox(Mutex<Post>);

#[derive(Default, Debug)]
struct Post {
    due: Vec<Arc<List>>,
    /// Wakes the dispatcher. None while it has not run for the first time, which it will.
    dispatcher: Option<Waker>,
    /// Nobody dispatches any more.
    closed: bool,
}

impl Worker {
    /// Makes the current thread a worker: readers polled on it from here on are woken by this worker's dispatcher.
    pub fn enter() -> Self {
        let mailbox = Arc::<Mailbox>::default();
        HERE.with(|here| *here.borrow_mut() = Some(mailbox.clone()));
        Self(mailbox)
    }

    /// Wakes this worker's readers when others have something for them, until dropped. To run on its own thread. After
    /// each batch those that were woken have their turn.
    pub async fn dispatch(&self) {
        let mut batch = Vec::new();
        poll_fn(|cx| {
            let mut post = lock(&self.0.0);
            if post.due.is_empty() {
                post.dispatcher = Some(cx.waker().clone());
                return Poll::Pending;
            }
            std::mem::swap(&mut post.due, &mut batch);
            drop(post);
            batch.drain(..).for_each(|list: Arc<List>| list.wake_due());
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut post = lock(&self.0.0);
        post.closed = true;
        let left = std::mem::take(&mut post.due);
        drop(post);
        left.iter().for_each(|list| list.wake_due());
    }
}

impl Mailbox {
    /// Leaves a note for the dispatcher; false when there is none.
    pub(super) fn post(&self, list: &Arc<List>) -> bool {
        let mut post = lock(&self.0);
        if post.closed {
            return false;
        }
        post.due.push(list.clone());
        let dispatcher = if post.due.len() == 1 { post.dispatcher.take() } else { None };
        drop(post);
        if let Some(waker) = dispatcher {
            waker.wake();
        }
        true
    }
}

/// Hands the mailbox of the worker whose thread this is to `then`.
pub(super) fn here<R>(then: impl FnOnce(Option<&Arc<Mailbox>>) -> R) -> R {
    HERE.with(|here| then(here.borrow().as_ref()))
}
