//! One UDP port for all workers: each has a socket of its own, and gets every packet of its connections.
//!
//! ```text
//!  packet ─▶ kernel, by a program (`steering`) ─▶ its worker's socket ─▶ endpoint
//!                       └ what comes to another worker ─▶ `exchange` ───▶ ┘
//! ```

mod exchange;
mod steering;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use tracing::warn;

use self::exchange::{Exchange, Sorted};
pub(super) use self::steering::Ids;
use super::socket;

/// One of several workers on the same port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its number, from 0.
    pub worker: u16,
    /// How many there are, 1 or more.
    pub of: u16,
}

/// A worker's part of a port.
#[derive(Debug)]
pub struct Share {
    socket: UdpSocket,
    place: Place,
    /// Where the others are reached; none are when there is one worker.
    exchange: Option<Arc<Exchange>>,
}

/// Shares a bound socket's port between `workers`, in their order.
pub fn share(first: UdpSocket, workers: u16) -> io::Result<Vec<Share>> {
    if workers <= 1 {
        return Ok(vec![Share { socket: first, place: Place { worker: 0, of: 1 }, exchange: None }]);
    }
    let sockets = socket::multiply(first, workers)?;
    if let Err(error) = steering::attach(&sockets[0], workers) {
        warn!(%error, "the kernel does not steer packets, workers hand them to each other");
    }
    let exchange = Arc::new(Exchange::new(&sockets)?);
    let shares = sockets.into_iter().zip(0..).map(|(socket, worker)| Share {
        socket,
        place: Place { worker, of: workers },
        exchange: Some(exchange.clone()),
    });
    Ok(shares.collect())
}

impl Share {
    /// Where it is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// What an endpoint reads and writes, on the runtime it is called on.
    pub(super) fn open(self) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = TokioRuntime.wrap_udp_socket(self.socket)?;
        Ok(match self.exchange {
            Some(exchange) => Arc::new(Sorted::new(socket, self.place, exchange)),
            None => socket,
        })
    }
}
