//! Which worker of a relay a connection goes to.
//!
//! A relay with several workers looks at the first two bytes of the connection id that a packet is sent to, as a number
//! and modulo the number of workers. A client makes up the id that its first packets are sent to, so it has the choice.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use quinn::ConnectionId;
use rustls::crypto::aws_lc_rs;

#[derive(Clone)]
pub(crate) struct Steering {
    /// None: wherever chance leads.
    to: Option<u16>,
    /// By worker: the connections that went there.
    went: Arc<[AtomicU64]>,
}

impl Steering {
    pub(crate) fn new(workers: u16, to: Option<u16>) -> Self {
        Self { to, went: (0..workers.max(1)).map(|_| AtomicU64::default()).collect() }
    }

    /// The id that another connection's first packets are sent to.
    pub(crate) fn id(&self) -> ConnectionId {
        let mut bytes = [0; 20];
        aws_lc_rs::default_provider().secure_random.fill(&mut bytes).expect("the system has random bytes");
        if let Some(worker) = self.to {
            bytes[..2].copy_from_slice(&worker.to_be_bytes());
        }
        let worker = usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % self.went.len();
        self.went[worker].fetch_add(1, Relaxed);
        ConnectionId::new(&bytes)
    }

    pub(crate) fn went(&self) -> Vec<u64> {
        self.went.iter().map(|count| count.load(Relaxed)).collect()
    }
}

/// One worker, or many and no matter which.
impl Default for Steering {
    fn default() -> Self {
        Self::new(1, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_they_are_sent() {
        let steering = Steering::new(3, Some(2));
        let (a, b) = (steering.id(), steering.id());
        assert_eq!((&a[..2], &b[..2]), (&[0, 2][..], &[0, 2][..]));
        assert_ne!(a, b);
        assert_eq!(steering.went(), [0, 0, 2]);
    }

    #[test]
    fn chance_leads_everywhere() {
        let steering = Steering::new(4, None);
        for _ in 0..1000 {
            steering.id();
        }
        assert!(steering.went().into_iter().all(|count| count > 100));
    }
}
