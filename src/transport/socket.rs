//! UDP and TCP sockets on the same address, and Unix sockets.

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    os::unix::net,
    path::Path,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::ReusePort};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::sleep;
use tracing::warn;

/// Bytes of the kernel's socket buffers. Halved, a burst to a thousand viewers overflows on busy machines; doubled, a
/// receive flood waits in memory for longer.
const SOCKET_BUFFER: usize = 4 << 20;

/// Binds a UDP socket. On IPv6 it serves that family alone unless the address is unspecified, which serves both.
pub fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = udp(addr)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Binds more sockets to the port of the first, until there are `count`. Only now can others of this user share the port:
/// had `first` been bound for that, a second relay would go unnoticed.
pub(super) fn multiply(first: UdpSocket, count: u16) -> io::Result<Vec<UdpSocket>> {
    setsockopt(&first, ReusePort, &true)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let socket = udp(addr)?;
        setsockopt(&socket, ReusePort, &true)?;
        socket.bind(&addr.into())?;
        sockets.push(socket.into());
    }
    Ok(sockets)
}

/// A UDP socket for an address.
fn udp(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Kernels cap these silently; what is granted is enough to run.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    Ok(socket)
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

/// Between attempts to accept when the process has no file descriptor left. Half or double: just as many log lines.
const PAUSE: Duration = Duration::from_millis(250);

/// The next connection of a listener for `what`, however long it takes.
pub async fn accept<T, F: Future<Output = io::Result<T>>>(what: &str, mut next: impl FnMut() -> F) -> T {
    let mut failing = false;
    loop {
        match next().await {
            Ok(accepted) => return accepted,
            // accept(2): errors of the connection that was to be accepted.
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "cannot accept {what} connections, trying on");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Binds a Unix socket. One that nobody listens on any more, left by a process that was killed, is replaced.
pub fn bind_unix(path: &Path) -> io::Result<net::UnixListener> {
    let listener = match net::UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path)?;
            net::UnixListener::bind(path)?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket, and nobody answers on it.
fn is_stale(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && net::UnixStream::connect(path).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stale_sockets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let first = bind_unix(&path).unwrap();
        assert_eq!(bind_unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse, "somebody listens");
        drop(first);
        assert!(bind_unix(&path).is_ok(), "nobody does");

        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert!(bind_unix(&file).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    }
}
