//! A thread's socket and the viewers behind it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io::{ErrorKind, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use bytes::{Bytes, BytesMut};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use quinn::ClientConfig;
use quinn_proto::{ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::sync::mpsc;

use super::viewer::{News, Viewer};
use crate::{socket::socket, stats::Stats, subscribe};

/// The most that the kernel hands over as one: packets of a size, one behind the other.
const LARGEST: usize = 64 << 10;
/// Viewers that connect at the same time when they come at a pace: one whose packet is lost holds up nobody else.
const AT_ONCE: usize = 16;
/// Packets to a viewer that leave as one.
const BURST: usize = 10;

pub(super) struct Host {
    addr: SocketAddr,
    socket: UdpSocket,
    udp: UdpSocketState,
    endpoint: Endpoint,
    config: ClientConfig,
    viewers: HashMap<ConnectionHandle, Box<Viewer>>,
    /// When viewers have to be looked after, each once.
    timers: BTreeSet<(Instant, ConnectionHandle)>,
    doors: Doors,
    stats: Arc<Stats>,
    packet: Vec<u8>,
}

/// Who is still to come.
struct Doors {
    waiting: VecDeque<(usize, subscribe::Viewer)>,
    /// Between two of them.
    pace: Option<Duration>,
    next: Instant,
    /// Numbers of those who are on their way.
    connecting: HashMap<ConnectionHandle, usize>,
    /// Hears of each once.
    arrived: mpsc::Sender<Result<()>>,
}

impl Doors {
    fn are_open(&self) -> bool {
        let most = if self.pace.is_some() { AT_ONCE } else { 1 };
        !self.waiting.is_empty() && self.connecting.len() < most
    }
}

impl Host {
    pub(super) fn new(
        addr: SocketAddr,
        config: ClientConfig,
        viewers: Vec<(usize, subscribe::Viewer)>,
        (first, pace): (Instant, Option<Duration>),
        stats: Arc<Stats>,
        arrived: mpsc::Sender<Result<()>>,
    ) -> Result<Self> {
        let socket = socket()?;
        let udp = UdpSocketState::new((&socket).into())?;
        let endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, !udp.may_fragment(), None);
        let doors = Doors { waiting: viewers.into(), pace, next: first, connecting: HashMap::new(), arrived };
        Ok(Self {
            addr,
            socket,
            udp,
            endpoint,
            config,
            viewers: HashMap::new(),
            timers: BTreeSet::new(),
            doors,
            stats,
            packet: Vec::new(),
        })
    }

    pub(super) fn run(mut self) {
        let mut buffers = vec![0; LARGEST * BATCH_SIZE];
        loop {
            let idle = !self.receive(&mut buffers);
            while let Some((due, handle)) = self.timers.first().copied() {
                let now = Instant::now();
                if now < due {
                    break;
                }
                if let Some(viewer) = self.viewers.get_mut(&handle) {
                    viewer.conn.handle_timeout(now);
                }
                self.serve(handle, now);
            }
            self.let_in();
            if idle {
                self.wait();
            }
        }
    }

    /// Serves whoever a batch of packets is for; false when there is none.
    fn receive(&mut self, buffers: &mut [u8]) -> bool {
        let mut slices: [_; BATCH_SIZE] = {
            let mut chunks = buffers.chunks_mut(LARGEST);
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()))
        };
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let count = match self.udp.recv((&self.socket).into(), &mut slices, &mut metas) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("the viewers' socket: {error}"),
        };
        let mut last = None;
        for (meta, slice) in metas.iter().zip(&slices).take(count) {
            for data in slice[..meta.len].chunks(meta.stride.max(1)) {
                let now = Instant::now();
                let ecn = meta.ecn.and_then(|ecn| quinn_proto::EcnCodepoint::from_bits(ecn as u8));
                self.packet.clear();
                let (data, answer) = (BytesMut::from(data), &mut self.packet);
                let event = self.endpoint.handle(now, meta.addr, meta.dst_ip, ecn, data, answer);
                let Some(DatagramEvent::ConnectionEvent(handle, event)) = event else { continue };
                if let Some(before) = last.replace(handle).filter(|before| *before != handle) {
                    self.serve(before, now);
                }
                if let Some(viewer) = self.viewers.get_mut(&handle) {
                    viewer.conn.handle_event(event);
                }
            }
        }
        if let Some(handle) = last {
            self.serve(handle, Instant::now());
        }
        true
    }

    /// Does all that a connection has to do, and sends all that it has to say.
    fn serve(&mut self, handle: ConnectionHandle, now: Instant) {
        let Self { viewers, doors, .. } = self;
        let Some(viewer) = viewers.get_mut(&handle) else { return };
        let told = viewer.events(|news| match (news, doors.connecting.remove(&handle)) {
            (News::Connected, Some(_)) => drop(doors.arrived.try_send(Ok(()))),
            (News::Lost(reason), Some(number)) => {
                drop(doors.arrived.try_send(Err(anyhow!(reason).context(format!("subscriber {number}")))));
            }
            (News::Lost(reason), None) => eprintln!("subscriber: {reason}"),
            (News::Connected, None) => {}
        });
        if let Err(error) = told {
            eprintln!("subscriber: {error:#}");
            viewer.leave();
            viewer.conn.close(now, 0u32.into(), Bytes::new());
        }
        while let Some(event) = viewer.conn.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                viewer.conn.handle_event(event);
            }
        }
        if viewer.conn.is_drained() {
            if let Some(due) = viewer.due {
                self.timers.remove(&(due, handle));
            }
            viewers.remove(&handle);
            return;
        }
        let burst = self.udp.max_gso_segments().min(BURST);
        loop {
            self.packet.clear();
            let Some(transmit) = viewer.conn.poll_transmit(now, burst, &mut self.packet) else { break };
            // What the kernel does not take is lost on the way, and sent again in time.
            let _ = self.udp.try_send(
                (&self.socket).into(),
                &Transmit {
                    destination: transmit.destination,
                    ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
                    contents: &self.packet[..transmit.size],
                    segment_size: transmit.segment_size,
                    src_ip: transmit.src_ip,
                },
            );
        }
        self.remind(handle);
    }

    /// Sees to it that a viewer is looked after in time.
    fn remind(&mut self, handle: ConnectionHandle) {
        let Some(viewer) = self.viewers.get_mut(&handle) else { return };
        let at = viewer.conn.poll_timeout();
        if at == viewer.due {
            return;
        }
        if let Some(due) = std::mem::replace(&mut viewer.due, at) {
            self.timers.remove(&(due, handle));
        }
        self.timers.extend(at.map(|at| (at, handle)));
    }

    fn let_in(&mut self) {
        while self.doors.are_open() {
            let now = Instant::now();
            if now < self.doors.next {
                return;
            }
            let Some((number, viewer)) = self.doors.waiting.pop_front() else { return };
            self.doors.next += self.doors.pace.unwrap_or_default();
            match self.endpoint.connect(now, self.config.clone(), self.addr, "localhost") {
                Ok((handle, conn)) => {
                    self.doors.connecting.insert(handle, number);
                    let viewer = Viewer::new(conn, viewer, self.stats.clone());
                    self.viewers.insert(handle, Box::new(viewer));
                    self.serve(handle, now);
                }
                Err(error) => drop(self.doors.arrived.try_send(Err(error.into()))),
            }
        }
    }

    /// Until a packet comes or somebody has to be looked after.
    fn wait(&self) {
        let now = Instant::now();
        let door = self.doors.are_open().then_some(self.doors.next);
        let due = self.timers.first().map(|(due, _)| *due);
        let until = door.into_iter().chain(due).min();
        let rest = until.map(|at| TimeSpec::from_duration(at.saturating_duration_since(now)));
        let _ = ppoll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], rest, None);
    }
}
