//! Readers are tasks that poll until they have seen what they wait for and sleep in between. If a wake-up can get
//! lost, some interleaving leaves a task asleep for ever, which loom reports as a deadlock.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::model::watch::{Reader, Watch, Worker};

/// Every interleaving with at most three preemptions.
fn check(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

/// Puts a thread to sleep until it is woken, like an executor with one task.
#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    wake: Condvar,
    wakes: AtomicUsize,
}

impl Parker {
    fn park(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !*woken {
            woken = self.wake.wait(woken).unwrap();
        }
        *woken = false;
    }

    fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        *self.woken.lock().unwrap() = true;
        self.wake.notify_one();
    }
}

fn parker() -> (Arc<Parker>, Waker) {
    let parker = Arc::<Parker>::default();
    (parker.clone(), parker.into())
}

/// Runs a reader until the value has reached `goal`.
fn read_up_to(reader: &mut Reader<usize>, goal: usize) {
    let (parker, waker) = parker();
    let mut cx = Context::from_waker(&waker);
    while reader.poll(&mut cx, |value| (*value >= goal).then_some(())).is_pending() {
        parker.park();
    }
}

/// Looks once, finds nothing and goes away to sleep.
fn look_in_vain(reader: &mut Reader<usize>, waker: &Waker) {
    let never = reader.poll(&mut Context::from_waker(waker), |_| None::<()>);
    assert_eq!(never, Poll::Pending);
}

#[test]
fn one_reader_misses_nothing() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let writer = thread::spawn(move || {
            watch.update(|value| *value += 1);
            watch.update(|value| *value += 1);
        });
        read_up_to(&mut reader, 1);
        read_up_to(&mut reader, 2);
        writer.join().unwrap();
    });
}

#[test]
fn two_readers_miss_nothing() {
    check(|| {
        let watch = Watch::new(0);
        let [mut one, mut two] = [0; 2].map(|_| Reader::new(watch.clone()));
        let writer = thread::spawn(move || {
            watch.update(|value| *value += 1);
            watch.update(|value| *value += 1);
        });
        let other = thread::spawn(move || read_up_to(&mut two, 2));
        read_up_to(&mut one, 2);
        writer.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn two_writers_wake_one_reader() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let writers = [0; 2].map(|_| {
            let watch = watch.clone();
            thread::spawn(move || watch.update(|value| *value += 1))
        });
        read_up_to(&mut reader, 2);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}

#[test]
fn a_reader_that_has_not_looked_again_is_woken_once() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let (parker, waker) = parker();
        look_in_vain(&mut reader, &waker);
        let writers = [0; 2].map(|_| {
            let watch = watch.clone();
            thread::spawn(move || watch.update(|value| *value += 1))
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(parker.wakes(), 1);
        let mut cx = Context::from_waker(&waker);
        assert_eq!(reader.poll(&mut cx, |value| Some(*value)), Poll::Ready(2), "and then sees everything");
    });
}

#[test]
fn a_reader_that_changes_its_task_misses_nothing() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let (_, before) = parker();
        look_in_vain(&mut reader, &before);
        let writer = thread::spawn(move || {
            watch.update(|value| *value += 1);
            watch.update(|value| *value += 1);
        });
        // Another task takes the reader over while the old one is being woken.
        read_up_to(&mut reader, 1);
        read_up_to(&mut reader, 2);
        writer.join().unwrap();
    });
}

#[test]
fn a_reader_that_leaves_disturbs_nobody() {
    check(|| {
        let watch = Watch::new(0);
        let mut leaving = Reader::new(watch.clone());
        let (_, waker) = parker();
        look_in_vain(&mut leaving, &waker);
        let mut staying = Reader::new(watch.clone());
        let writer = thread::spawn(move || {
            watch.update(|value| *value += 1);
        });
        let other = thread::spawn(move || drop(leaving));
        read_up_to(&mut staying, 1);
        writer.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_reader_that_comes_into_a_free_place_misses_nothing() {
    check(|| {
        let watch = Watch::new(0);
        let (_, waker) = parker();
        let [mut leaving, mut staying, mut late] = [0; 3].map(|_| Reader::new(watch.clone()));
        look_in_vain(&mut leaving, &waker);
        look_in_vain(&mut staying, &waker);
        let writer = thread::spawn(move || {
            watch.update(|value| *value += 1);
        });
        let other = thread::spawn(move || {
            drop(leaving);
            read_up_to(&mut late, 1);
        });
        read_up_to(&mut staying, 1);
        writer.join().unwrap();
        other.join().unwrap();
    });
}

/// A task that owns a reader and goes away with its last waker.
struct Owner(#[expect(dead_code, reason = "held to be dropped")] Reader<usize>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn the_last_waker_may_take_readers_with_it() {
    check(|| {
        let watch = Watch::new(0);
        let owned = {
            let mut owned = Reader::new(watch.clone());
            look_in_vain(&mut owned, Waker::noop());
            owned
        };
        let mut reader = Reader::new(watch.clone());
        {
            let owner: Waker = Arc::new(Owner(owned)).into();
            look_in_vain(&mut reader, &owner);
        }
        let writer = thread::spawn(move || watch.update(|value| *value += 1));
        // Registering this task's waker drops the other one, and with it the other reader.
        read_up_to(&mut reader, 1);
        drop(reader);
        writer.join().unwrap();
    });
}

/// Polls a worker's dispatcher until the value of `reader` has reached `goal`, as the worker's own thread does.
fn work_up_to(reader: &mut Reader<usize>, worker: &Worker, goal: usize) {
    let (parker, waker) = parker();
    let mut cx = Context::from_waker(&waker);
    let mut dispatch = Box::pin(worker.dispatch());
    loop {
        assert!(dispatch.as_mut().poll(&mut cx).is_pending());
        if reader.poll(&mut cx, |value| (*value >= goal).then_some(())).is_ready() {
            return;
        }
        parker.park();
    }
}

#[test]
fn another_worker_is_told() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let worker = thread::spawn(move || {
            let worker = Worker::enter();
            work_up_to(&mut reader, &worker, 1);
            work_up_to(&mut reader, &worker, 2);
        });
        watch.update(|value| *value += 1);
        watch.update(|value| *value += 1);
        worker.join().unwrap();
    });
}

#[test]
fn another_worker_is_told_by_two() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let writer = {
            let watch = watch.clone();
            thread::spawn(move || watch.update(|value| *value += 1))
        };
        let worker = thread::spawn(move || {
            let worker = Worker::enter();
            work_up_to(&mut reader, &worker, 2);
        });
        watch.update(|value| *value += 1);
        worker.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn a_worker_that_ends_wakes_who_is_left() {
    check(|| {
        let watch = Watch::new(0);
        let mut reader = Reader::new(watch.clone());
        let (parker, waker) = parker();
        let (listed, ready) = loom::sync::mpsc::channel();
        let worker = thread::spawn(move || {
            let worker = Worker::enter();
            look_in_vain(&mut reader, &waker);
            listed.send(reader).unwrap();
            drop(worker);
        });
        let mut reader = ready.recv().unwrap();
        watch.update(|value| *value += 1);
        parker.park();
        worker.join().unwrap();
        let seen = reader.poll(&mut Context::from_waker(Waker::noop()), |value| Some(*value));
        assert_eq!(seen, Poll::Ready(1));
    });
}
