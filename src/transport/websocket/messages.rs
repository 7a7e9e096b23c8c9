//! Carries QMux: each of its records, or frames of the older framings, is a binary message.
//!
//! The QMux crate's own way reads on a task of its own and hands messages over in a channel, 3 KB for every session, and
//! closes a session whose peer takes what it is sent and says nothing: a browser does not ping by itself, and no ping
//! is sent while other messages wait. Here progress in sending counts as a sign of life.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{
    Sink, SinkExt, Stream, StreamExt,
    stream::{SplitSink, SplitStream},
};
use qmux::{
    Config, Error,
    transport::{Reader, Transport, Writer},
    ws::tungstenite::{self, Message},
};
use tokio::time::{Instant, Interval, interval_at, timeout_at};

/// Between pings. Halved, idle sessions cost more packets; doubled, a dead peer is noticed later.
const PING: Duration = Duration::from_secs(5);
/// Silence after which a peer is gone: three pings without an answer.
const DEAD: Duration = Duration::from_secs(15);

/// A WebSocket.
pub(super) trait Socket:
    Stream<Item = tungstenite::Result<Message>> + Sink<Message, Error = tungstenite::Error> + Send + Unpin + 'static
{
}

impl<T> Socket for T where
    T: Stream<Item = tungstenite::Result<Message>> + Sink<Message, Error = tungstenite::Error> + Send + Unpin + 'static
{
}

/// A WebSocket that carries a session.
pub(super) struct Messages<S> {
    socket: S,
    largest: u64,
}

impl<S: Socket> Messages<S> {
    pub(super) fn new(socket: S, config: &Config) -> Self {
        let largest = if config.version.uses_records() { config.max_record_size } else { u64::MAX };
        Self { socket, largest }
    }
}

impl<S: Socket> Transport for Messages<S> {
    type Writer = Sending<S>;
    type Reader = Receiving<S>;

    fn split(self) -> (Sending<S>, Receiving<S>) {
        let (sink, stream) = self.socket.split();
        let progress = Arc::new(Progress { begun: Instant::now(), last: AtomicU64::new(0) });
        let pings = interval_at(progress.begun + PING, PING);
        let half = Box::new(Half { sink, pings, progress: progress.clone() });
        (Sending(half), Receiving { stream, largest: self.largest, progress })
    }
}

/// When the peer last took what it was sent.
struct Progress {
    begun: Instant,
    /// Milliseconds since.
    last: AtomicU64,
}

impl Progress {
    fn note(&self) {
        self.last.store(self.begun.elapsed().as_millis() as u64, Relaxed);
    }

    fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last.load(Relaxed))
    }
}

/// Its sending half, in a box: the task that writes comes down a size class of the allocator without it.
pub(super) struct Sending<S>(Box<Half<S>>);

struct Half<S> {
    sink: SplitSink<S, Message>,
    pings: Interval,
    progress: Arc<Progress>,
}

impl<S: Socket> Writer for Sending<S> {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        self.feed(data).await?;
        self.flush().await
    }

    async fn feed(&mut self, data: Bytes) -> Result<(), Error> {
        self.0.sink.feed(Message::Binary(data)).await?;
        // It had room: the messages before it have left.
        self.0.progress.note();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        Ok(self.0.sink.flush().await?)
    }

    async fn close(&mut self) -> Result<(), Error> {
        Ok(self.0.sink.close().await?)
    }

    async fn maintain(&mut self) -> Result<(), Error> {
        self.0.pings.tick().await;
        Ok(self.0.sink.send(Message::Ping(Bytes::new())).await?)
    }
}

/// Its receiving half.
pub(super) struct Receiving<S> {
    stream: SplitStream<S>,
    largest: u64,
    progress: Arc<Progress>,
}

impl<S: Socket> Reader for Receiving<S> {
    /// Silence counts from here: what a busy session has left unread is not its peer's.
    async fn recv(&mut self) -> Result<Bytes, Error> {
        let mut heard = Instant::now();
        loop {
            let Ok(message) = timeout_at(heard + DEAD, self.stream.next()).await else {
                let taken = self.progress.last();
                if taken <= heard {
                    return Err(Error::Closed);
                }
                heard = taken;
                continue;
            };
            match message.transpose()? {
                Some(Message::Binary(data)) if data.len() as u64 > self.largest => return Err(Error::FrameTooLarge),
                Some(Message::Binary(data)) => return Ok(data),
                None | Some(Message::Close(_)) => return Err(Error::Closed),
                // Pings are answered by the library.
                Some(_) => heard = Instant::now(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use qmux::{
        Version,
        ws::{tokio_tungstenite::WebSocketStream, tungstenite::protocol::Role},
    };
    use tokio::{
        io::{DuplexStream, duplex, sink},
        time::timeout,
    };

    use super::*;

    type Halves = (Sending<WebSocketStream<DuplexStream>>, Receiving<WebSocketStream<DuplexStream>>);

    async fn halves(io: DuplexStream, role: Role, version: Version) -> Halves {
        let socket = WebSocketStream::from_raw_socket(io, role, None).await;
        Messages::new(socket, &Config::new(version)).split()
    }

    /// Both halves of a socket whose peer takes what it is sent and says nothing.
    async fn mute() -> Halves {
        let (ours, mut theirs) = duplex(1 << 16);
        tokio::spawn(async move { tokio::io::copy(&mut theirs, &mut sink()).await });
        halves(ours, Role::Server, Version::QMux01).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_session_in_spite_of_pings() {
        let (mut sending, mut receiving) = mute().await;
        let start = Instant::now();
        let pinging = async { while sending.maintain().await.is_ok() {} };
        tokio::select! {
            () = pinging => unreachable!("pings are taken"),
            end = receiving.recv() => assert!(matches!(end, Err(Error::Closed)), "{end:?}"),
        }
        assert_eq!(start.elapsed().as_secs(), DEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_what_it_is_sent_is_alive() {
        let (mut sending, mut receiving) = mute().await;
        let start = Instant::now();
        let sent = async {
            for _ in 0..100 {
                sending.send(Bytes::from_static(b"frame")).await.unwrap();
                tokio::time::sleep(DEAD / 10).await;
            }
            std::future::pending::<()>().await
        };
        tokio::select! {
            () = sent => unreachable!(),
            end = receiving.recv() => assert!(matches!(end, Err(Error::Closed)), "{end:?}"),
        }
        let silent = (start.elapsed() - 99 * DEAD / 10).as_millis();
        assert!(DEAD.as_millis().abs_diff(silent) < 10, "{silent} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_answers_pings_is_alive() {
        let (ours, theirs) = duplex(1 << 16);
        let (mut sending, mut receiving) = halves(ours, Role::Server, Version::QMux01).await;
        let (_peer, mut answering) = halves(theirs, Role::Client, Version::QMux01).await;
        let pinging = async { while sending.maintain().await.is_ok() {} };
        let ended = async {
            tokio::select! { end = receiving.recv() => end, end = answering.recv() => end }
        };
        let lasted = timeout(10 * DEAD, async {
            tokio::select! { () = pinging => {}, _ = ended => {} }
        })
        .await;
        assert!(lasted.is_err());
    }

    #[tokio::test]
    async fn messages_come_in_order_until_the_end() {
        let (ours, theirs) = duplex(1 << 16);
        let (_sending, mut receiving) = halves(ours, Role::Server, Version::QMux01).await;
        let (mut peer, _) = halves(theirs, Role::Client, Version::QMux01).await;
        for number in 0..3 {
            peer.feed(vec![number].into()).await.unwrap();
        }
        peer.flush().await.unwrap();
        for number in 0..3 {
            assert_eq!(receiving.recv().await.unwrap()[..], [number]);
        }
        // The answer to a close needs both sides to be read.
        let (closed, end) = tokio::join!(timeout(DEAD, peer.close()), receiving.recv());
        assert!(closed.is_ok() && matches!(end, Err(Error::Closed)), "{end:?}");
    }

    #[tokio::test]
    async fn a_record_is_no_larger_than_was_told() {
        let told = Config::default().max_record_size as usize;
        for (version, size, fits) in
            [(Version::QMux01, told, true), (Version::QMux01, told + 1, false), (Version::WebTransport, told + 1, true)]
        {
            let (ours, theirs) = duplex(1 << 16);
            let (_sending, mut receiving) = halves(ours, Role::Server, version).await;
            let (mut peer, _) = halves(theirs, Role::Client, version).await;
            peer.send(vec![0; size].into()).await.unwrap();
            match receiving.recv().await {
                Ok(data) => assert!(fits && data.len() == size),
                Err(error) => assert!(!fits && matches!(error, Error::FrameTooLarge), "{error}"),
            }
        }
    }
}
