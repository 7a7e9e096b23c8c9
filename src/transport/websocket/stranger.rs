//! What a peer may send before it is trusted. The `webtransport` framing has no windows, so that the relay would keep
//! whatever comes on streams that nobody reads yet.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes a stranger may send: SETUP and what an eager publisher adds to it.
const MOST: usize = 1 << 20;

/// A connection that breaks off when a stranger sends more than [`MOST`] bytes.
pub(super) struct Stranger<T> {
    io: T,
    read: usize,
    trusted: Arc<AtomicBool>,
}

impl<T> Stranger<T> {
    /// Counts until `trusted` is raised.
    pub(super) const fn new(io: T, trusted: Arc<AtomicBool>) -> Self {
        Self { io, read: 0, trusted }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stranger<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if !self.trusted.load(Relaxed) {
            self.read += buf.filled().len() - before;
            if self.read > MOST {
                return Poll::Ready(Err(io::Error::other("too much before the session has begun")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stranger<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn only_strangers_are_counted() {
        for trusted in [false, true] {
            let (ours, mut theirs) = duplex(1 << 16);
            let flag = Arc::new(AtomicBool::new(false));
            let mut io = Stranger::new(ours, flag.clone());
            let writing = tokio::spawn(async move { while theirs.write_all(&[0; 1 << 14]).await.is_ok() {} });
            io.read_exact(&mut vec![0; MOST]).await.unwrap();
            flag.store(trusted, Relaxed);
            assert_eq!(io.read_exact(&mut [0; 1]).await.is_ok(), trusted);
            drop(io);
            writing.await.unwrap();
        }
    }
}
