//! UDP and TCP sockets on the same address.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of the kernel's socket buffers. Halved, a burst to a thousand viewers overflows on busy machines; doubled, a
/// receive flood waits in memory for longer.
const SOCKET_BUFFER: usize = 4 << 20;

/// Binds a UDP socket. On IPv6 it serves that family alone unless the address is unspecified, which serves both.
pub fn bind(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Kernels cap these silently; what is granted is enough to run.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Binds a TCP listener, with the same rule for IPv6.
pub fn bind_tcp(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // A restart must not wait for connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}
