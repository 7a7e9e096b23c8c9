//! A socket that joins what one connection sends in a row (UDP generic segmentation offload, udp(7) `UDP_SEGMENT`).

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{EcnCodepoint, RecvMeta, Transmit},
};
use tracing::debug;

/// As many packets as quinn writes at a time (`MAX_TRANSMIT_SEGMENTS`): more may follow, and the copy that joins them costs
/// less than a system call.
const FULL: usize = 10;
/// Linux takes no more packets at a time (`UDP_MAX_SEGMENTS`).
const MOST: usize = 64;
/// Bytes at a time: what an IP packet would hold.
const ROOM: usize = 65_000;

/// A socket that keeps full writes back until the burst's end. Whoever sends through it flushes it in the end.
#[derive(Debug)]
pub(super) struct Joined {
    socket: Arc<dyn AsyncUdpSocket>,
    packets: AtomicUsize,
    kept: Mutex<Kept>,
}

/// What a burst's packets have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Head {
    destination: SocketAddr,
    src_ip: Option<IpAddr>,
    ecn: Option<EcnCodepoint>,
}

/// The beginning of a burst.
#[derive(Default, Debug)]
struct Kept {
    /// `None` when nothing is kept.
    head: Option<Head>,
    /// Bytes of each packet.
    size: usize,
    bytes: Vec<u8>,
}

impl Joined {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        Self { socket, packets: AtomicUsize::new(0), kept: Mutex::default() }
    }

    /// How many packets were sent so far, modulo its size.
    pub(super) fn packets(&self) -> usize {
        self.packets.load(Relaxed)
    }

    /// Sends what is kept back. What the kernel has no room for stays.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.kept().flush(&*self.socket)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Fails only where there is no room. What the kernel refuses is lost, as it is without joining: whoever sends next may be
    /// somebody else's connection.
    fn flush(&mut self, socket: &dyn AsyncUdpSocket) -> io::Result<()> {
        let Some(Head { destination, src_ip, ecn }) = self.head else { return Ok(()) };
        let transmit = Transmit { destination, ecn, contents: &self.bytes, segment_size: Some(self.size), src_ip };
        match socket.try_send(&transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) => debug!(%error, %destination, "a burst is lost"),
            Ok(()) => {}
        }
        self.head = None;
        self.bytes.clear();
        Ok(())
    }

    fn send(&mut self, transmit: &Transmit<'_>, socket: &dyn AsyncUdpSocket) -> io::Result<()> {
        let Transmit { destination, ecn, contents, segment_size, src_ip } = *transmit;
        let head = Head { destination, src_ip, ecn };
        let is_full = segment_size.is_some_and(|size| contents.len() >= FULL * size && contents.len() % size == 0);
        if !self.takes(head, contents.len(), segment_size) {
            self.flush(socket)?;
            if !is_full {
                return socket.try_send(transmit);
            }
            self.head = Some(head);
            self.size = segment_size.unwrap_or(contents.len());
        }
        self.bytes.extend_from_slice(contents);
        if !is_full {
            // Its packets are the connection's by now: if there is no room, they wait for a flush.
            drop(self.flush(socket));
        }
        Ok(())
    }

    /// Whether these bytes continue the burst: only its last packet may be shorter.
    fn takes(&self, head: Head, len: usize, size: Option<usize>) -> bool {
        let is_whole = self.bytes.len().checked_rem(self.size) == Some(0);
        let fits = match size {
            Some(size) => size == self.size,
            None => len <= self.size,
        };
        let total = self.bytes.len() + len;
        self.head == Some(head) && is_whole && fits && total <= ROOM && total <= MOST * self.size
    }
}

impl AsyncUdpSocket for Joined {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.kept().send(transmit, &*self.socket)?;
        let packets = transmit.segment_size.map_or(1, |size| transmit.contents.len().div_ceil(size));
        self.packets.fetch_add(packets, Relaxed);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const SIZE: usize = 1200;
    static BYTES: [u8; MOST * SIZE] = [7; MOST * SIZE];

    /// A kernel that keeps what it was sent.
    #[derive(Default, Debug)]
    pub(in super::super) struct Fake {
        sent: Mutex<Vec<(u16, usize)>>,
        blocked: AtomicBool,
        broken: AtomicBool,
        waiting: AtomicUsize,
    }

    impl Fake {
        /// How many packets each system call sent.
        pub(in super::super) fn sent(&self) -> Vec<usize> {
            self.sent.lock().unwrap().iter().map(|(_, bytes)| bytes.div_ceil(SIZE)).collect()
        }

        pub(in super::super) fn block(&self, blocked: bool) {
            self.blocked.store(blocked, Relaxed);
        }

        /// Refuses what it has room for, and waiting for room fails.
        pub(in super::super) fn shatter(&self, broken: bool) {
            self.broken.store(broken, Relaxed);
        }

        /// How often somebody waited for room.
        pub(in super::super) fn waiting(&self) -> usize {
            self.waiting.load(Relaxed)
        }
    }

    #[derive(Debug)]
    struct Room(Arc<Fake>);

    impl UdpPoller for Room {
        fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.waiting.fetch_add(1, Relaxed);
            if self.0.broken.load(Relaxed) {
                return Poll::Ready(Err(io::ErrorKind::Other.into()));
            }
            if self.0.blocked.load(Relaxed) { Poll::Pending } else { Poll::Ready(Ok(())) }
        }
    }

    impl AsyncUdpSocket for Fake {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            Box::pin(Room(self))
        }

        fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
            if self.blocked.load(Relaxed) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.broken.load(Relaxed) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            assert!(transmit.contents.len() <= 65_507 && transmit.segment_size.is_none_or(|size| size == SIZE));
            self.sent.lock().unwrap().push((transmit.destination.port(), transmit.contents.len()));
            Ok(())
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            _: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }
    }

    /// So many packets for a port.
    pub(in super::super) fn packets(port: u16, count: usize) -> Transmit<'static> {
        bytes(port, count * SIZE)
    }

    fn bytes(port: u16, bytes: usize) -> Transmit<'static> {
        let destination = ([127, 0, 0, 1], port).into();
        let segment_size = (bytes > SIZE).then_some(SIZE);
        Transmit { destination, ecn: None, contents: &BYTES[..bytes], segment_size, src_ip: None }
    }

    fn socket() -> (Arc<Fake>, Joined) {
        let fake = Arc::new(Fake::default());
        (fake.clone(), Joined::new(fake))
    }

    #[test]
    fn a_burst_is_one_write() {
        let (fake, socket) = socket();
        for count in [10, 10, 8] {
            socket.try_send(&packets(1, count)).unwrap();
        }
        assert_eq!((fake.sent(), socket.packets()), (vec![28], 28));
        socket.flush().unwrap();
        assert_eq!(fake.sent(), [28], "nothing is left");
    }

    #[test]
    fn a_burst_ends_with_its_only_short_packet() {
        let (fake, socket) = socket();
        socket.try_send(&packets(1, 10)).unwrap();
        socket.try_send(&bytes(1, 100)).unwrap();
        socket.try_send(&packets(1, 10)).unwrap();
        socket.try_send(&bytes(1, 2 * SIZE + 100)).unwrap();
        socket.try_send(&bytes(1, 100)).unwrap();
        assert_eq!(*fake.sent.lock().unwrap(), [(1, 10 * SIZE + 100), (1, 12 * SIZE + 100), (1, 100)]);
    }

    #[test]
    fn what_is_not_full_is_not_kept() {
        let (fake, socket) = socket();
        for count in [1, 3, 9] {
            socket.try_send(&packets(1, count)).unwrap();
        }
        socket.try_send(&bytes(1, 9 * SIZE + 1)).unwrap();
        assert_eq!(fake.sent(), [1, 3, 9, 10]);
    }

    #[test]
    fn others_are_not_joined_and_do_not_overtake() {
        let (fake, socket) = socket();
        socket.try_send(&packets(1, 10)).unwrap();
        socket.try_send(&packets(2, 10)).unwrap();
        let marked = Transmit { ecn: Some(EcnCodepoint::Ce), ..packets(2, 10) };
        socket.try_send(&marked).unwrap();
        let from = Transmit { src_ip: Some([127, 0, 0, 2].into()), ..marked };
        socket.try_send(&from).unwrap();
        let probe = Transmit { contents: &BYTES[..SIZE + 1], segment_size: None, ..from };
        socket.try_send(&probe).unwrap();
        let len = 10 * SIZE;
        assert_eq!(*fake.sent.lock().unwrap(), [(1, len), (2, len), (2, len), (2, len), (2, SIZE + 1)]);
    }

    #[test]
    fn no_write_is_larger_than_the_kernel_takes() {
        let (fake, socket) = socket();
        for _ in 0..7 {
            socket.try_send(&packets(1, 10)).unwrap();
        }
        socket.flush().unwrap();
        assert_eq!(fake.sent(), [50, 20]);
        let small =
            |count: usize| Transmit { contents: &BYTES[..count * 100], segment_size: Some(100), ..packets(1, 1) };
        let kept = &mut *socket.kept();
        kept.head = Some(Head { destination: small(1).destination, src_ip: None, ecn: None });
        (kept.size, kept.bytes) = (100, vec![0; 60 * 100]);
        let takes = |count| kept.takes(kept.head.unwrap(), small(count).contents.len(), Some(100));
        assert!(takes(4) && !takes(5), "64 packets");
    }

    #[test]
    fn without_room_nothing_is_lost_or_kept_without_end() {
        let (fake, socket) = socket();
        fake.block(true);
        let send = |count| socket.try_send(&packets(1, count)).map_err(|error| error.kind());
        assert_eq!(send(3), Err(io::ErrorKind::WouldBlock), "quinn keeps it");
        assert_eq!([send(10), send(10), send(1), send(10), send(10), send(10)], [Ok(()); 6]);
        assert_eq!(send(10), Err(io::ErrorKind::WouldBlock));
        assert_eq!(socket.flush().map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        fake.block(false);
        assert_eq!(send(2), Ok(()));
        assert_eq!((fake.sent(), socket.packets()), (vec![53], 53));
    }

    #[test]
    fn what_the_kernel_refuses_is_lost_and_fails_nobody_else() {
        let (fake, socket) = socket();
        socket.try_send(&packets(1, 10)).unwrap();
        fake.shatter(true);
        socket.flush().unwrap();
        socket.try_send(&packets(1, 10)).unwrap();
        socket.try_send(&packets(2, 10)).unwrap();
        fake.shatter(false);
        socket.flush().unwrap();
        assert_eq!(*fake.sent.lock().unwrap(), [(2, 10 * SIZE)]);
    }
}
