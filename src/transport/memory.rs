//! A pair of connections in this process, for tests: ordered streams, a window per stream, no loss and no clock.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{Closed, ReadError, WriteError};

/// Bytes a stream takes before its reader reads.
const WINDOW: usize = 256 << 10;

/// What a QUIC packet leaves room for.
pub(super) const MAX_DATAGRAM: usize = 1200;

/// One end of the pair.
#[derive(Clone, Debug)]
pub struct Connection {
    ours: Arc<Inbox>,
    theirs: Arc<Inbox>,
    state: Arc<State>,
}

#[derive(Default, Debug)]
struct Inbox {
    bi: Mutex<VecDeque<(SendStream, RecvStream)>>,
    uni: Mutex<VecDeque<RecvStream>>,
    datagrams: Mutex<VecDeque<Bytes>>,
    arrived: Notify,
}

#[derive(Default, Debug)]
struct State {
    closed: Mutex<Option<Closed>>,
    notify: Notify,
    pipes: Mutex<Vec<std::sync::Weak<Mutex<Pipe>>>>,
}

/// Two ends that talk to each other.
pub fn pair() -> (Connection, Connection) {
    let (a, b, state) = (Arc::<Inbox>::default(), Arc::<Inbox>::default(), Arc::<State>::default());
    let one = Connection { ours: a.clone(), theirs: b.clone(), state: state.clone() };
    (one, Connection { ours: b, theirs: a, state })
}

impl Connection {
    pub(super) async fn accept_bi(&self) -> Result<(super::SendStream, super::RecvStream), Closed> {
        let (send, recv) = self.accept(|inbox| lock(&inbox.bi).pop_front()).await?;
        Ok((send.into(), super::RecvStream::Memory(recv)))
    }

    pub(super) async fn accept_uni(&self) -> Result<super::RecvStream, Closed> {
        self.accept(|inbox| lock(&inbox.uni).pop_front()).await.map(super::RecvStream::Memory)
    }

    async fn accept<T>(&self, take: impl Fn(&Inbox) -> Option<T>) -> Result<T, Closed> {
        loop {
            let arrived = self.ours.arrived.notified();
            let over = self.state.notify.notified();
            tokio::pin!(arrived, over);
            arrived.as_mut().enable();
            over.as_mut().enable();
            if let Some(found) = take(&self.ours) {
                return Ok(found);
            }
            self.check()?;
            tokio::select! { () = arrived => {}, () = over => {} }
        }
    }

    pub(super) async fn open_bi(&self) -> Result<(super::SendStream, super::RecvStream), Closed> {
        self.check()?;
        let (there, back) = (self.pipe(), self.pipe());
        lock(&self.theirs.bi).push_back((SendStream(back.clone()), RecvStream(there.clone())));
        self.theirs.arrived.notify_waiters();
        Ok((SendStream(there).into(), super::RecvStream::Memory(RecvStream(back))))
    }

    pub(super) fn open_uni(&self) -> Result<super::SendStream, Closed> {
        self.check()?;
        let pipe = self.pipe();
        lock(&self.theirs.uni).push_back(RecvStream(pipe.clone()));
        self.theirs.arrived.notify_waiters();
        Ok(SendStream(pipe).into())
    }

    pub(super) async fn read_datagram(&self) -> Result<Bytes, Closed> {
        self.accept(|inbox| lock(&inbox.datagrams).pop_front()).await
    }

    pub(super) fn send_datagram(&self, datagram: Bytes) {
        lock(&self.theirs.datagrams).push_back(datagram);
        self.theirs.arrived.notify_waiters();
    }

    pub(super) fn close(&self, code: u32, reason: &str) {
        lock(&self.state.closed).get_or_insert(Closed::with_code(code, reason));
        for pipe in lock(&self.state.pipes).drain(..).filter_map(|pipe| pipe.upgrade()) {
            let mut pipe = lock(&pipe);
            pipe.dead = true;
            pipe.wake();
        }
        self.state.notify.notify_waiters();
    }

    pub(super) async fn closed(&self) -> Closed {
        loop {
            let over = self.state.notify.notified();
            tokio::pin!(over);
            over.as_mut().enable();
            if let Some(closed) = lock(&self.state.closed).clone() {
                return closed;
            }
            over.await;
        }
    }

    fn check(&self) -> Result<(), Closed> {
        lock(&self.state.closed).clone().map_or(Ok(()), Err)
    }

    fn pipe(&self) -> Arc<Mutex<Pipe>> {
        let pipe = Arc::default();
        let mut pipes = lock(&self.state.pipes);
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.push(Arc::downgrade(&pipe));
        pipe
    }
}

/// One direction of a stream.
#[derive(Default, Debug)]
struct Pipe {
    chunks: VecDeque<Bytes>,
    buffered: usize,
    finished: bool,
    reset: Option<u32>,
    stopped: Option<u32>,
    dead: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// The sending half.
#[derive(Debug)]
pub struct SendStream(Arc<Mutex<Pipe>>);

impl SendStream {
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, chunks: &mut Vec<Bytes>) -> Poll<Result<(), WriteError>> {
        let mut pipe = lock(&self.0);
        if pipe.dead {
            return Poll::Ready(Err(WriteError::Closed));
        }
        if let Some(code) = pipe.stopped {
            return Poll::Ready(Err(WriteError::Stopped(code)));
        }
        while let Some(first) = chunks.first_mut() {
            let room = WINDOW.saturating_sub(pipe.buffered);
            if room == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let chunk = first.split_to(room.min(first.len()));
            pipe.buffered += chunk.len();
            pipe.chunks.push_back(chunk);
            if first.is_empty() {
                chunks.remove(0);
            }
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn finish(&self) {
        let mut pipe = lock(&self.0);
        pipe.finished = true;
        pipe.wake();
    }

    pub(super) fn reset(&self, code: u32) {
        let mut pipe = lock(&self.0);
        if !pipe.finished {
            pipe.reset = Some(code);
            pipe.wake();
        }
    }

    pub(super) async fn stopped(&self) -> Result<Option<u32>, Closed> {
        std::future::poll_fn(|cx| {
            let mut pipe = lock(&self.0);
            if pipe.dead {
                Poll::Ready(Err(Closed::broken("closed")))
            } else if pipe.stopped.is_some() || (pipe.finished && pipe.chunks.is_empty()) {
                Poll::Ready(Ok(pipe.stopped))
            } else {
                pipe.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct RecvStream(Arc<Mutex<Pipe>>);

impl RecvStream {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut [Bytes],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        let mut pipe = lock(&self.0);
        if let Some(code) = pipe.reset {
            return Poll::Ready(Err(ReadError::Reset(code)));
        }
        if pipe.dead {
            return Poll::Ready(Err(ReadError::Closed));
        }
        let mut read = 0;
        while let Some(slot) = out.get_mut(read)
            && let Some(chunk) = pipe.chunks.pop_front()
        {
            pipe.buffered -= chunk.len();
            *slot = chunk;
            read += 1;
        }
        if read > 0 {
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
            Poll::Ready(Ok(Some(read)))
        } else if pipe.finished {
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
            Poll::Ready(Ok(None))
        } else {
            pipe.reader = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    pub(super) fn stop(&self, code: u32) {
        let mut pipe = lock(&self.0);
        if !pipe.finished && pipe.reset.is_none() {
            pipe.stopped.get_or_insert(code);
            pipe.wake();
        }
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        self.stop(0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Connection as Any;

    fn ends() -> (Any, Any) {
        let (a, b) = pair();
        (Any::Memory(a), Any::Memory(b))
    }

    #[tokio::test]
    async fn streams_end_reset_and_stop() {
        let (a, b) = ends();
        let mut send = a.open_uni().await.unwrap();
        send.write(Bytes::from_static(b"hi")).await.unwrap();
        send.finish();
        drop(send);
        let mut recv = b.accept_uni().await.unwrap();
        assert_eq!(recv.read().await, Ok(Some(Bytes::from_static(b"hi"))));
        assert_eq!(recv.read().await, Ok(None));

        drop(a.open_uni().await.unwrap());
        assert_eq!(b.accept_uni().await.unwrap().read().await, Err(ReadError::Reset(crate::types::code::CANCELLED)));

        let mut send = a.open_uni().await.unwrap();
        b.accept_uni().await.unwrap().stop(7);
        assert_eq!(send.write(Bytes::from_static(b"x")).await, Err(WriteError::Stopped(7)));
    }

    #[tokio::test]
    async fn a_close_ends_everything() {
        let (a, b) = ends();
        let (_send, mut recv) = a.open_bi().await.unwrap();
        b.close(3, "bye");
        assert_eq!(recv.read().await, Err(ReadError::Closed));
        assert_eq!(a.closed().await, Closed::with_code(3, "bye"));
        assert!(a.accept_bi().await.is_err());
    }
}
