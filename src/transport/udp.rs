//! UDP and TCP sockets on the same address, and the QUIC endpoint on top.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, congestion, crypto::rustls::QuicServerConfig,
};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of the kernel's socket buffers. Halved, a burst to a thousand viewers overflows on busy machines; doubled, a
/// receive flood waits in memory for longer.
const SOCKET_BUFFER: usize = 4 << 20;

/// Silence after which a peer is gone. Halved, mobile peers are cut off in tunnels; doubled, dead publishers hold
/// their broadcasts that much longer.
pub const IDLE: Duration = Duration::from_secs(10);
/// Well within [`IDLE`], so that three packets must be lost before it strikes.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// A stream's receive window. Fixed by QUIC when the connection is accepted.
const STREAM_WINDOW: u32 = 1 << 20;
/// What a stranger may make the relay buffer.
const STRANGER_WINDOW: u32 = 256 << 10;
/// Received datagrams that wait to be read. Nothing reads them: older ones are dropped.
const DATAGRAM_BUFFER: usize = 64 << 10;

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

/// A QUIC endpoint on a socket, driven by the calling runtime.
pub fn endpoint(socket: std::net::UdpSocket, tls: QuicServerConfig, streams: u32) -> io::Result<Endpoint> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport(streams)));
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(quinn::TokioRuntime))
}

fn transport(streams: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(streams.into())
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(STRANGER_WINDOW.into())
        .send_window(u64::from(STRANGER_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .congestion_controller_factory(Arc::new(congestion::CubicConfig::default()));
    transport
}
