//! Hands packets that came to another worker to their own.
//!
//! The kernel steers nearly all of them. What remains: packets of several connections that a network card has merged into
//! one, which is steered as a whole, and machines whose kernel takes no program.

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures::task::AtomicWaker;
use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use super::{Place, steering};

/// Packets that wait for a worker; more are lost, as in the kernel's buffer. Halved, a burst is; doubled, a worker that is
/// stuck holds twice as much.
const WAITING: usize = 2048;

/// What every worker of a port can reach.
#[derive(Debug)]
pub(super) struct Exchange {
    inboxes: Vec<Inbox>,
    /// As long as one socket is served none may close: the kernel counts those that are left.
    _sockets: Vec<UdpSocket>,
}

#[derive(Default, Debug)]
struct Inbox {
    packets: Mutex<VecDeque<Packet>>,
    endpoint: AtomicWaker,
}

#[derive(Debug)]
struct Packet {
    meta: RecvMeta,
    bytes: Box<[u8]>,
}

impl Exchange {
    /// Between the workers whose sockets these are.
    pub(super) fn new(sockets: &[UdpSocket]) -> io::Result<Self> {
        let _sockets = sockets.iter().map(UdpSocket::try_clone).collect::<Result<_, _>>()?;
        Ok(Self { inboxes: sockets.iter().map(|_| Inbox::default()).collect(), _sockets })
    }

    fn hand_over(&self, worker: u16, packet: Packet) {
        let Some(inbox) = self.inboxes.get(usize::from(worker)) else { return };
        let mut packets = inbox.packets.lock().unwrap_or_else(PoisonError::into_inner);
        if packets.len() < WAITING {
            packets.push_back(packet);
        }
        drop(packets);
        inbox.endpoint.wake();
    }
}

/// A worker's socket, and what others have received for it.
#[derive(Debug)]
pub(super) struct Sorted {
    socket: Arc<dyn AsyncUdpSocket>,
    place: Place,
    exchange: Arc<Exchange>,
}

impl Sorted {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, place: Place, exchange: Arc<Exchange>) -> Self {
        Self { socket, place, exchange }
    }

    /// Takes what was handed over.
    fn take(&self, inbox: &Inbox, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        let mut packets = inbox.packets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = 0;
        while taken < bufs.len().min(meta.len()) {
            let Some(packet) = packets.pop_front() else { break };
            // Every socket has buffers of one size; what did not fit would be lost like any packet.
            let Some(room) = bufs[taken].get_mut(..packet.bytes.len()) else { continue };
            room.copy_from_slice(&packet.bytes);
            meta[taken] = packet.meta;
            taken += 1;
        }
        taken
    }

    /// Hands over what is not ours and moves the rest to the front. Returns how many buffers are left.
    fn sort(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        let mut kept = 0;
        for at in 0..meta.len() {
            let len = self.sift(&mut bufs[at], meta[at]);
            if len == 0 {
                continue;
            }
            if kept < at {
                let (before, here) = bufs.split_at_mut(at);
                before[kept][..len].copy_from_slice(&here[0][..len]);
            }
            meta[kept] = RecvMeta { len, ..meta[at] };
            kept += 1;
        }
        kept
    }

    /// Does so within one buffer, which may hold several packets. Returns how many bytes are left.
    fn sift(&self, buf: &mut [u8], meta: RecvMeta) -> usize {
        let Place { worker, of } = self.place;
        let stride = meta.stride.max(1);
        let mut kept = 0;
        for start in (0..meta.len).step_by(stride) {
            let packet = start..meta.len.min(start + stride);
            let theirs = steering::worker(&buf[packet.clone()], of);
            if theirs == worker {
                if kept < start {
                    buf.copy_within(packet.clone(), kept);
                }
                kept += packet.len();
            } else {
                let bytes: Box<[u8]> = buf[packet].into();
                let meta = RecvMeta { len: bytes.len(), stride: bytes.len(), ..meta };
                self.exchange.hand_over(theirs, Packet { meta, bytes });
            }
        }
        kept
    }
}

impl AsyncUdpSocket for Sorted {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let inbox = &self.exchange.inboxes[usize::from(self.place.worker)];
        inbox.endpoint.register(cx.waker());
        loop {
            let taken = self.take(inbox, bufs, meta);
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
            let received = ready!(self.socket.poll_recv(cx, bufs, meta))?;
            let kept = self.sort(&mut bufs[..received], &mut meta[..received]);
            if kept > 0 {
                return Poll::Ready(Ok(kept));
            }
        }
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
mod tests {
    use std::net::Ipv4Addr;

    use futures::future::poll_fn;
    use quinn::Runtime;

    use super::*;
    use crate::transport::socket;

    const WORKERS: u16 = 3;

    /// Workers of a port whose kernel steers nothing.
    fn workers() -> (SocketAddr, Vec<Arc<Sorted>>) {
        let first = socket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let to = first.local_addr().unwrap();
        let sockets = socket::multiply(first, WORKERS).unwrap();
        let exchange = Arc::new(Exchange::new(&sockets).unwrap());
        let sorted = sockets.into_iter().zip(0..).map(|(socket, worker)| {
            let socket = quinn::TokioRuntime.wrap_udp_socket(socket).unwrap();
            Arc::new(Sorted::new(socket, Place { worker, of: WORKERS }, exchange.clone()))
        });
        (to, sorted.collect())
    }

    /// What comes next, packet by packet.
    async fn receive(worker: &Sorted) -> Vec<Vec<u8>> {
        let mut room = vec![[0; 4096]; 4];
        let mut meta = [RecvMeta::default(); 4];
        let mut bufs: Vec<_> = room.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
        let count = poll_fn(|cx| worker.poll_recv(cx, &mut bufs, &mut meta)).await.unwrap();
        drop(bufs);
        let packets = room.iter().zip(&meta[..count]).flat_map(|(buf, meta)| buf[..meta.len].chunks(meta.stride));
        packets.map(<[u8]>::to_vec).collect()
    }

    #[tokio::test]
    async fn each_gets_its_own_wherever_they_came() {
        let (to, workers) = workers();
        let mut readers = tokio::task::JoinSet::new();
        for worker in workers {
            readers.spawn(async move {
                let mut got = Vec::new();
                while got.len() < 20 {
                    got.extend(receive(&worker).await);
                }
                assert!(got.iter().all(|packet| packet[2] == worker.place.worker as u8), "{got:?}");
                let order: Vec<_> = got.iter().map(|packet| packet[3]).collect();
                assert!(order.is_sorted(), "{order:?}");
            });
        }
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for number in 0..20 {
            for worker in 0..WORKERS as u8 {
                client.send_to(&[0x40, 0, worker, number], to).unwrap();
            }
        }
        while let Some(done) = readers.join_next().await {
            done.unwrap();
        }
    }

    #[tokio::test]
    async fn what_was_merged_is_taken_apart() {
        let (_, workers) = workers();
        let mut buf: Vec<u8> = (0..7).flat_map(|number| [0x40, 0, number % 3, number]).collect();
        buf.truncate(27);
        let meta = RecvMeta { len: buf.len(), stride: 4, ..RecvMeta::default() };
        let kept = workers[1].sift(&mut buf, meta);
        assert_eq!(buf[..kept], [0x40, 0, 1, 1, 0x40, 0, 1, 4]);
        assert_eq!(receive(&workers[0]).await, [vec![0x40, 0, 0, 0], vec![0x40, 0, 0, 3], vec![0x40, 0, 0]]);
        assert_eq!(receive(&workers[2]).await, [[0x40, 0, 2, 2], [0x40, 0, 2, 5]]);
    }

    #[tokio::test]
    async fn buffers_that_are_empty_are_filled_from_behind() {
        let (_, workers) = workers();
        let packets = [[0x40, 0, 0, 1], [0x40, 0, 1, 2], [0x40, 0, 2, 3], [0x40, 0, 1, 4]];
        let mut room = packets;
        let mut bufs: Vec<_> = room.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
        let mut meta = [RecvMeta { len: 4, stride: 4, ..RecvMeta::default() }; 4];
        assert_eq!(workers[1].sort(&mut bufs, &mut meta), 2);
        assert_eq!((&*bufs[0], &*bufs[1]), (&packets[1][..], &packets[3][..]));
    }
}
