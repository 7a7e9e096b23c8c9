//! UDP sockets that hold much: thousands of viewers may be sent a frame at the same moment.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Result;
use socket2::{Domain, Socket, Type};

/// What a socket holds until its packets are read, as far as the system allows.
const BUFFER: usize = 4 << 20;

/// A socket on a free port of the loopback address.
pub(crate) fn socket() -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(socket.into())
}
