//! A peer that takes what it is sent is alive, even if it says nothing.
//!
//! The QMux crate closes a session that is silent for too long, but sends no ping while other messages wait. A viewer on
//! a saturated link would be cut off, as browsers do not ping by themselves. So progress in sending counts as a sign of
//! life: the reading side is given a pong that nobody sent, which only resets the deadline.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::{Sink, Stream};
use qmux::ws::tungstenite::{Error, Message};
use tokio::time::Instant;

/// The most often that progress is told. Far below the silence that ends a session.
const OFTEN: Duration = Duration::from_secs(2);

/// A WebSocket.
pub(super) struct Alive<S> {
    socket: S,
    told: Instant,
    /// There was progress since.
    progress: bool,
    reader: Option<Waker>,
}

impl<S> Alive<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, told: Instant::now(), progress: false, reader: None }
    }
}

impl<S: Stream<Item = Result<Message, Error>> + Unpin> Stream for Alive<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) {
            return Poll::Ready(message);
        }
        if std::mem::take(&mut self.progress) {
            return Poll::Ready(Some(Ok(Message::Pong(Bytes::new()))));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<S: Sink<Message, Error = Error> + Unpin> Sink<Message> for Alive<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_ready(cx)
    }

    /// What is taken here had room: the messages before it have left. A ping is the question and not the answer.
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        if !message.is_ping() && self.told.elapsed() >= OFTEN {
            self.told = Instant::now();
            self.progress = true;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Pin::new(&mut self.socket).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt, StreamExt};

    use super::*;

    /// Never says anything and takes everything.
    struct Mute;

    impl Stream for Mute {
        type Item = Result<Message, Error>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }

    impl Sink<Message> for Mute {
        type Error = Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(self: Pin<&mut Self>, _: Message) -> Result<(), Error> {
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sending_is_a_sign_of_life_and_silence_is_none() {
        let (mut sink, source) = Alive::new(Mute).split();
        let heard = tokio::spawn(source.take(3).count());
        for _ in 0..100 {
            sink.send(Message::Binary(Bytes::new())).await.unwrap();
            tokio::time::sleep(OFTEN / 20).await;
        }
        assert_eq!(heard.await.unwrap(), 3, "of the four or five of ten seconds");

        let (mut sink, mut source) = Alive::new(Mute).split();
        for _ in 0..10 {
            sink.send(Message::Ping(Bytes::new())).await.unwrap();
            assert!(tokio::time::timeout(2 * OFTEN, source.next()).await.is_err(), "a ping is no sign of life");
        }
    }
}
