//! Few system calls for whoever sends much, and no buffer for whoever is silent.
//!
//! The WebSocket library keeps what it reads into for as long as the session lives, and reads no more at a time. So it is
//! given little, and a connection that fills that has more to say: what follows is read many times as much at once, into
//! memory that is given back when nothing is left.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at a time while much comes in. Halved, large frames take twice the system calls; doubled, whoever sends
/// much holds that much more.
const AHEAD: usize = (16 << 10) - size_of::<[usize; 2]>(); // with its bounds, a size class of the allocator

/// A connection that is read ahead while it has much to say.
pub(super) struct ReadAhead<T> {
    io: T,
    /// What has been read and not been asked for yet; there from the first read that took all there was room for.
    ahead: Option<Box<Ahead>>,
}

struct Ahead {
    start: usize,
    end: usize,
    bytes: [u8; AHEAD],
}

impl<T> ReadAhead<T> {
    pub(super) const fn new(io: T) -> Self {
        Self { io, ahead: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadAhead<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { io, ahead } = self.get_mut();
        let Some(held) = ahead else {
            ready!(Pin::new(io).poll_read(cx, buf))?;
            *ahead = (buf.remaining() == 0).then(Ahead::new);
            return Poll::Ready(Ok(()));
        };
        if held.start == held.end {
            let mut room = ReadBuf::new(&mut held.bytes);
            let read = Pin::new(io).poll_read(cx, &mut room);
            (held.start, held.end) = (0, room.filled().len());
            if held.end == 0 {
                *ahead = None;
                return read;
            }
        }
        let rest = &held.bytes[held.start..held.end];
        let taken = buf.remaining().min(rest.len());
        buf.put_slice(&rest[..taken]);
        held.start += taken;
        if held.start == held.end && held.end < AHEAD {
            *ahead = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl Ahead {
    fn new() -> Box<Self> {
        Box::new(Self { start: 0, end: 0, bytes: [0; AHEAD] })
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadAhead<T> {
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
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::timeout,
    };

    use super::*;

    /// Counts what is asked of it.
    struct Counted<T>(T, usize);

    impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    #[tokio::test]
    async fn all_is_read_in_order_and_in_few_reads() {
        let sent: Vec<u8> = (0..200_000_usize).map(|byte| (byte % 251) as u8).collect();
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(&sent).await.unwrap();
        drop(theirs);
        let mut io = ReadAhead::new(Counted(ours, 0));
        let mut read = Vec::new();
        let mut piece = [0; 1000];
        loop {
            match io.read(&mut piece).await.unwrap() {
                0 => break,
                some => read.extend_from_slice(&piece[..some]),
            }
        }
        assert!(read == sent);
        assert!(io.io.1 <= 200_000 / AHEAD + 4, "{} reads", io.io.1);
        assert!(io.ahead.is_none());
    }

    #[tokio::test]
    async fn nothing_is_held_between_messages() {
        let (ours, mut theirs) = duplex(1 << 20);
        let mut io = ReadAhead::new(ours);
        for size in [1, 999, 1000, 1001, 2000, 1000 + AHEAD, 1001 + AHEAD, 5000] {
            theirs.write_all(&vec![7; size]).await.unwrap();
            let mut left = size;
            while left > 0 {
                left -= io.read(&mut [0; 1000]).await.unwrap();
            }
            let silence = timeout(Duration::from_millis(1), io.read(&mut [0; 1000])).await;
            assert!(silence.is_err() && io.ahead.is_none(), "after {size} bytes");
        }
    }
}
