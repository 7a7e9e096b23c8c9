//! A link in user space: what lies between a client and a server that are far from each other.
//!
//! ```text
//!  client ─▶ near ─▶ up: queue at a rate, loss, delay ─▶ far ─▶ server
//!         ◀─ near ◀─ down: the same the other way     ◀─ far ◀─
//! ```
//!
//! Each link has a thread that waits for packets and for the moments at which they are due; it says how late it was.

mod pipe;

use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use pipe::Pipe;

use crate::socket::socket;

/// How often a thread looks whether the link is still wanted.
const REST: Duration = Duration::from_millis(50);

/// What both directions of a link are like.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    /// There and back.
    pub(crate) rtt: Duration,
    pub(crate) bits_per_s: f64,
    /// Of all packets, by chance.
    pub(crate) loss: f64,
    /// How long a packet may wait for its turn; one that would wait longer is dropped.
    pub(crate) queue: Duration,
}

/// A link for one client. It ends when it is dropped.
pub(crate) struct Link {
    /// Where the client finds it.
    pub(crate) addr: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Passed>>,
}

/// What happened on a link.
#[derive(Clone)]
pub(crate) struct Passed {
    pub(crate) packets: u64,
    /// By chance.
    pub(crate) lost: u64,
    /// Because the queue was full.
    pub(crate) dropped: u64,
    /// By how much packets left too late because the thread did not run, in microseconds.
    pub(crate) late: Histogram<u32>,
}

impl Link {
    /// `seed` decides which packets are lost.
    pub(crate) fn new(server: SocketAddr, profile: Profile, seed: u64) -> Result<Self> {
        let (near, far) = (socket()?, socket()?);
        far.connect(server)?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let addr = near.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let (up, down) = (Pipe::new(profile, seed), Pipe::new(profile, !seed));
        let forward = Forward { near, far, client: None, up, down, over: over.clone() };
        let thread = std::thread::Builder::new().name("link".into()).spawn(move || forward.run())?;
        Ok(Self { addr, over, thread: Some(thread) })
    }

    pub(crate) fn stop(mut self) -> Result<Passed> {
        self.over.store(true, Relaxed);
        let thread = self.thread.take().context("a link stops once")?;
        thread.join().ok().context("a link's thread panicked")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

struct Forward {
    near: UdpSocket,
    far: UdpSocket,
    /// Who was last heard of.
    client: Option<SocketAddr>,
    up: Pipe,
    down: Pipe,
    over: Arc<AtomicBool>,
}

impl Forward {
    fn run(mut self) -> Passed {
        let mut buf = vec![0; 65_536];
        let mut late = Histogram::new(3).expect("three digits are possible");
        while !self.over.load(Relaxed) {
            self.wait();
            while let Ok((size, from)) = self.near.recv_from(&mut buf) {
                self.client = Some(from);
                self.up.take(&buf[..size], Instant::now());
            }
            while let Ok(size) = self.far.recv(&mut buf) {
                self.down.take(&buf[..size], Instant::now());
            }
            // What cannot be sent is lost, as it would be anywhere.
            let mut was_due = |due: Instant| {
                late.record(due.elapsed().as_micros() as u64).expect("a histogram grows with what it is given");
            };
            while let Some((due, packet)) = self.up.ripe(Instant::now()) {
                was_due(due);
                let _ = self.far.send(&packet);
            }
            while let Some((due, packet)) = self.down.ripe(Instant::now()) {
                was_due(due);
                let _ = self.client.map(|client| self.near.send_to(&packet, client));
            }
        }
        let sum = |count: fn(&Pipe) -> u64| count(&self.up) + count(&self.down);
        Passed { packets: sum(|p| p.packets), lost: sum(|p| p.lost), dropped: sum(|p| p.dropped), late }
    }

    /// Until a packet comes or is due.
    fn wait(&self) {
        let now = Instant::now();
        let due = [&self.up, &self.down].into_iter().filter_map(Pipe::due).min();
        let rest = due.map_or(REST, |due| due.saturating_duration_since(now).min(REST));
        let mut sockets = [&self.near, &self.far].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        // Whatever ends the wait, all that may have happened is looked at.
        let _ = ppoll(&mut sockets, Some(TimeSpec::from_duration(rest)), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_takes_its_time_there_and_back() {
        let server = socket().unwrap();
        let rtt = Duration::from_millis(40);
        let profile = Profile { rtt, bits_per_s: 1e9, loss: 0.0, queue: Duration::from_millis(100) };
        let link = Link::new(server.local_addr().unwrap(), profile, 1).unwrap();
        let client = socket().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();

        let started = Instant::now();
        client.send_to(b"there", link.addr).unwrap();
        let mut buf = [0; 16];
        let (size, from) = server.recv_from(&mut buf).unwrap();
        assert_eq!(&buf[..size], b"there");
        server.send_to(b"back", from).unwrap();
        let size = client.recv(&mut buf).unwrap();
        assert_eq!(&buf[..size], b"back");
        assert!(started.elapsed() >= rtt);
        let passed = link.stop().unwrap();
        assert_eq!((passed.packets, passed.lost, passed.dropped), (2, 0, 0));
    }
}
