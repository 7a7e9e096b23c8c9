//! A peer's last words are read before the failure of a write is told.
//!
//! Who closes a socket with something unread in it resets the connection, and what is written to it fails, while the
//! reason for the close still waits to be read. The QMux crate ends a session with whatever comes first, so that a peer
//! that has said goodbye looks like one that was torn away.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long what has come is read before a failed write ends the session. Halved, a busy machine may miss the reason;
/// doubled, a session that nobody reads ends that much later.
const READING: Duration = Duration::from_secs(1);

/// A connection whose writes fail a moment after they have failed.
pub(super) struct LastWords<T> {
    io: T,
    failed: Option<(io::ErrorKind, Pin<Box<Sleep>>)>,
}

impl<T> LastWords<T> {
    pub(super) const fn new(io: T) -> Self {
        Self { io, failed: None }
    }
}

impl<T: AsyncWrite + Unpin> LastWords<T> {
    fn poll_writing<R>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if self.failed.is_none() {
            match ready!(write(Pin::new(&mut self.io), cx)) {
                Ok(written) => return Poll::Ready(Ok(written)),
                Err(error) => self.failed = Some((error.kind(), Box::pin(sleep(READING)))),
            }
        }
        let Some((kind, over)) = &mut self.failed else { return Poll::Pending };
        ready!(over.as_mut().poll(cx));
        Poll::Ready(Err((*kind).into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for LastWords<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for LastWords<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_writing(cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_writing(cx, |io, cx| io.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::Instant,
    };

    use super::*;

    /// A connection that the far side has reset after its last words, which are unread.
    async fn reset() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut ours, _) = listener.accept().await.unwrap();
        ours.write_all(b"unread").await.unwrap();
        theirs.readable().await.unwrap();
        theirs.write_all(b"goodbye").await.unwrap();
        drop(theirs);
        let mut failed = false;
        while !failed {
            failed = ours.write_all(b"more").await.is_err();
        }
        ours
    }

    #[tokio::test]
    async fn the_last_words_of_a_peer_come_before_the_failure_of_a_write() {
        let mut socket = LastWords::new(reset().await);
        let (mut read, mut write) = tokio::io::split(&mut socket);
        let writing = async {
            let before = Instant::now();
            write.write_all(b"more").await.expect_err("nobody is there");
            write.flush().await.expect_err("nor afterwards");
            before.elapsed()
        };
        let reading = async {
            let mut heard = [0; 7];
            read.read_exact(&mut heard).await.unwrap();
            heard
        };
        tokio::select! {
            biased;
            waited = writing => panic!("it failed first, after {waited:?}"),
            heard = reading => assert_eq!(&heard, b"goodbye"),
        }
    }

    #[tokio::test]
    async fn a_failed_write_fails_in_the_end() {
        let mut socket = LastWords::new(reset().await);
        let before = Instant::now();
        socket.write_all(b"more").await.expect_err("nobody is there");
        assert!(before.elapsed() >= READING);
        socket.flush().await.expect_err("nor afterwards");
    }
}
