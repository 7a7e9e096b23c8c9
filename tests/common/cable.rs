//! A cable for UDP that can be cut: a proxy in this process, in the place of a network that misbehaves.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::ANYWHERE;

/// Larger than any UDP datagram.
const MOST: usize = 65_536;
/// A stalled cable carries what is smaller: acknowledgements and signs of life.
const SMALL: usize = 300;
/// And this often a larger one each way, which is next to nothing of media. QUIC puts its acknowledgements into those when
/// there is more to send than may be sent, so that without any the link would count as dead.
const TRICKLE: Duration = Duration::from_millis(500);

/// What becomes of datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Open,
    Cut,
    /// Nothing gets to the target.
    CutThere,
    /// Nothing comes back from it.
    CutBack,
    /// Small ones pass, and hardly any others.
    Stalled,
}

/// What even an open cable does to them.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Wire {
    /// Each way.
    pub delay: Duration,
    /// The share that is lost, from 0 to 1.
    pub loss: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    There,
    Back,
}

/// Datagrams that the mode has dropped, each way. Those lost by chance are not among them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Dropped {
    pub there: u64,
    pub back: u64,
}

/// Forwards datagrams between a target and whoever sends to [`Cable::address`], until dropped.
#[derive(Debug)]
pub struct Cable {
    pub address: SocketAddr,
    state: Arc<State>,
    _carrying: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    wire: Wire,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    mode: Mode,
    dropped: Dropped,
    /// When a larger one has passed, there and back, while stalled.
    trickled: [Option<Instant>; 2],
    luck: StdRng,
}

impl Cable {
    pub async fn to(target: SocketAddr) -> Self {
        Self::with(target, Wire::default()).await
    }

    pub async fn with(target: SocketAddr, wire: Wire) -> Self {
        let front = Arc::new(UdpSocket::bind(ANYWHERE).await.unwrap());
        let address = front.local_addr().unwrap();
        let now =
            Now { mode: Mode::Open, dropped: Dropped::default(), trickled: [None; 2], luck: StdRng::seed_from_u64(1) };
        let state = Arc::new(State { wire, now: Mutex::new(now) });
        let mut carrying = JoinSet::new();
        carrying.spawn(carry(front, target, state.clone()));
        Self { address, state, _carrying: carrying }
    }

    pub fn set(&self, mode: Mode) {
        self.state.now.lock().unwrap().mode = mode;
    }

    pub fn dropped(&self) -> Dropped {
        self.state.now.lock().unwrap().dropped
    }
}

impl State {
    fn passes(&self, way: Way, size: usize) -> bool {
        let mut now = self.now.lock().unwrap();
        let dropped = match now.mode {
            Mode::Open => false,
            Mode::Cut => true,
            Mode::CutThere => way == Way::There,
            Mode::CutBack => way == Way::Back,
            Mode::Stalled if size > SMALL => {
                let last = &mut now.trickled[way as usize];
                let is_early = last.is_some_and(|last| last.elapsed() < TRICKLE);
                if !is_early {
                    *last = Some(Instant::now());
                }
                is_early
            }
            Mode::Stalled => false,
        };
        if dropped {
            match way {
                Way::There => now.dropped.there += 1,
                Way::Back => now.dropped.back += 1,
            }
        }
        !dropped && (self.wire.loss == 0.0 || !now.luck.random_bool(self.wire.loss))
    }
}

/// Reads what comes from clients; each has a socket of its own towards the target.
async fn carry(front: Arc<UdpSocket>, target: SocketAddr, state: Arc<State>) {
    let mut tasks = JoinSet::new();
    let mut clients = HashMap::<SocketAddr, Line>::new();
    let mut buffer = vec![0; MOST];
    loop {
        // A port that nobody listens at makes errors of sends before.
        let Ok((size, client)) = front.recv_from(&mut buffer).await else { continue };
        if !state.passes(Way::There, size) {
            continue;
        }
        let there = match clients.entry(client) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let socket = Arc::new(UdpSocket::bind(ANYWHERE).await.unwrap());
                socket.connect(target).await.unwrap();
                let back = Line::new(state.wire.delay, front.clone(), Some(client), &mut tasks);
                tasks.spawn(carry_back(socket.clone(), back, state.clone()));
                new.insert(Line::new(state.wire.delay, socket, None, &mut tasks))
            }
        };
        there.send(&buffer[..size]).await;
    }
}

async fn carry_back(socket: Arc<UdpSocket>, line: Line, state: Arc<State>) {
    let mut buffer = vec![0; MOST];
    loop {
        let Ok(size) = socket.recv(&mut buffer).await else { continue };
        if state.passes(Way::Back, size) {
            line.send(&buffer[..size]).await;
        }
    }
}

/// One way of one client: datagrams keep their order, whatever the delay.
struct Line {
    socket: Arc<UdpSocket>,
    to: Option<SocketAddr>,
    /// Where datagrams wait, if they have to.
    late: Option<(Duration, mpsc::UnboundedSender<(Instant, Bytes)>)>,
}

impl Line {
    fn new(delay: Duration, socket: Arc<UdpSocket>, to: Option<SocketAddr>, tasks: &mut JoinSet<()>) -> Self {
        if delay.is_zero() {
            return Self { socket, to, late: None };
        }
        let (late, mut waiting) = mpsc::unbounded_channel::<(Instant, Bytes)>();
        let arriving = Self { socket: socket.clone(), to, late: None };
        tasks.spawn(async move {
            while let Some((due, datagram)) = waiting.recv().await {
                sleep_until(due).await;
                arriving.send(&datagram).await;
            }
        });
        Self { socket, to, late: Some((delay, late)) }
    }

    async fn send(&self, datagram: &[u8]) {
        let _ = match (&self.late, self.to) {
            (Some((delay, late)), _) => {
                let _ = late.send((Instant::now() + *delay, Bytes::copy_from_slice(datagram)));
                return;
            }
            (None, Some(to)) => self.socket.send_to(datagram, to).await,
            (None, None) => self.socket.send(datagram).await,
        };
    }
}
