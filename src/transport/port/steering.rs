//! Which worker a packet is for: the first two bytes of its destination connection id, modulo the number of workers.
//!
//! That holds for the ids a worker gives out, and for those that clients make up for their first packets, so a connection
//! begins on the worker that it stays on, whatever its client's address becomes (RFC 9000 §5.1, §9).

use std::{io, net::UdpSocket, time::Duration};

use quinn::{ConnectionId, ConnectionIdGenerator};

use super::Place;

/// Bytes of a connection id: two for the worker, six that are nobody else's.
const ID_BYTES: usize = 8;

/// What precedes the destination connection id: flags, version and length; or flags alone (RFC 9000 §17.2, §17.3).
const LONG: usize = 6;
const SHORT: usize = 1;
/// The flag of a long header.
const IS_LONG: u8 = 0x80;

/// The worker that a packet is for.
pub(super) fn worker(packet: &[u8], workers: u16) -> u16 {
    let at = if packet.first().is_some_and(|flags| flags & IS_LONG != 0) { LONG } else { SHORT };
    let id = packet.get(at..).and_then(|id| id.first_chunk());
    id.map_or(0, |bytes| u16::from_be_bytes(*bytes) % workers)
}

/// Connection ids for a worker. They bear no mark of this process, as QUIC's usual ones do: packets for connections of the
/// process before would be dropped by it, and never answered with a reset.
#[derive(Clone, Copy)]
pub(in crate::transport) struct Ids(pub(in crate::transport) Place);

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let Place { worker, of } = self.0;
        let mut id = rand::random::<[u8; ID_BYTES]>();
        let rounds = (u16::MAX - worker) / of;
        let first = rand::random_range(0..=rounds) * of + worker;
        id[..2].copy_from_slice(&first.to_be_bytes());
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Lets the kernel hand each packet to its worker's socket. The sockets share a port and were bound in the workers' order;
/// it is enough to tell one of them.
#[cfg(target_os = "linux")]
pub(super) fn attach(socket: &UdpSocket, workers: u16) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::AttachReusePortCbpf};

    let mut program = program(workers);
    let filter = nix::libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    Ok(setsockopt(socket, AttachReusePortCbpf, &filter)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn attach(_: &UdpSocket, _: u16) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// [`worker`] in classic BPF, which sees a datagram's payload. A load beyond its end returns 0.
#[cfg(target_os = "linux")]
fn program(workers: u16) -> [nix::libc::sock_filter; 7] {
    use nix::libc::{
        BPF_A, BPF_ABS, BPF_ALU, BPF_B, BPF_H, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_MOD, BPF_RET, sock_filter,
    };

    let step = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    [
        step(BPF_LD | BPF_B | BPF_ABS, 0),
        sock_filter { jt: 0, jf: 2, ..step(BPF_JMP | BPF_JSET | BPF_K, IS_LONG.into()) },
        step(BPF_LD | BPF_H | BPF_ABS, LONG as u32),
        step(BPF_JMP | BPF_JA, 1),
        step(BPF_LD | BPF_H | BPF_ABS, SHORT as u32),
        step(BPF_ALU | BPF_MOD | BPF_K, workers.into()),
        step(BPF_RET | BPF_A, 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::transport::socket;

    #[test]
    fn ids_lead_to_their_worker() {
        for of in [1, 2, 3, 7, 64, 1000, u16::MAX] {
            for worker in [0, of / 2, of - 1] {
                let mut ids = Ids(Place { worker, of });
                for _ in 0..100 {
                    let id = ids.generate_cid();
                    let short: Vec<_> = [0x40].into_iter().chain(id.iter().copied()).collect();
                    let long: Vec<_> = [0xc0, 0, 0, 0, 1, 8].into_iter().chain(id.iter().copied()).collect();
                    assert_eq!(super::worker(&short, of), worker);
                    assert_eq!(super::worker(&long, of), worker);
                }
            }
        }
    }

    #[test]
    fn any_bytes_have_a_worker() {
        for packet in [&[][..], &[0x80], &[0x40, 1], &[0xc0, 0, 0, 0, 1, 1, 9]] {
            assert_eq!(worker(packet, 3), 0);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_follows_the_same_rule() {
        const WORKERS: u16 = 3;
        let first = socket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let to = first.local_addr().unwrap();
        let sockets = socket::multiply(first, WORKERS).unwrap();
        attach(&sockets[1], WORKERS).unwrap();
        for number in 0..300_u16 {
            let [high, low] = number.to_be_bytes();
            let packet = if number % 2 == 0 { vec![0x40, high, low, 9] } else { vec![0xc3, 0, 0, 0, 1, 8, high, low] };
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&packet, to).unwrap();
            let mut buf = [0; 16];
            let socket = &sockets[usize::from(worker(&packet, WORKERS))];
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let len = socket.recv(&mut buf).expect("at its worker");
            assert_eq!(buf[..len], packet);
        }
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&[0x40], to).unwrap();
        assert_eq!(sockets[0].recv(&mut [0; 16]).unwrap(), 1, "what has no id goes to the first");
    }
}
