//! A link that is wanted: dialed again and again, as long as it is not cut.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use moq_relay::{
    transport::{Connection, memory},
    wire::Dialect,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    content::Ledger,
    node::{Node, Other},
};

/// The nodes as they are now: one that restarts is replaced.
pub type Nodes = Arc<Mutex<Vec<Node>>>;

/// The longest wait before a link is dialed again.
pub const BACKOFF: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Link {
    /// The node that dials, and the other.
    pub ends: (usize, usize),
    pub dialect: &'static Dialect,
    pub price: Option<u64>,
    /// Whether dialing helps.
    whole: watch::Sender<bool>,
    current: Arc<Mutex<Option<Connection>>>,
    _dialer: JoinSet<()>,
}

impl Link {
    pub fn new(
        ends: (usize, usize),
        dialects: &[&'static Dialect],
        rng: &mut StdRng,
        nodes: &Nodes,
        ledger: &Ledger,
    ) -> Self {
        let dialect = dialects[rng.random_range(0..dialects.len())];
        let price = rng.random_bool(0.5).then(|| rng.random_range(1..4));
        let (whole, current) = (watch::Sender::new(true), Arc::<Mutex<Option<Connection>>>::default());
        let dialer = Dialer {
            ends,
            dialect,
            price,
            whole: whole.subscribe(),
            current: current.clone(),
            nodes: nodes.clone(),
            ledger: ledger.clone(),
            rng: StdRng::seed_from_u64(rng.random()),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(dialer.run());
        Self { ends, dialect, price, whole, current, _dialer: tasks }
    }

    pub fn is_whole(&self) -> bool {
        *self.whole.borrow()
    }

    /// The connection fails at both ends, and dialing fails until the link is healed.
    pub fn cut(&self) {
        self.whole.send_replace(false);
        self.fail();
    }

    /// Dialing helps again.
    pub fn heal(&self) {
        self.whole.send_replace(true);
    }

    /// The connection fails at both ends.
    pub fn fail(&self) {
        if let Some(conn) = &*self.current.lock().unwrap() {
            conn.close(0, "");
        }
    }
}

struct Dialer {
    ends: (usize, usize),
    dialect: &'static Dialect,
    price: Option<u64>,
    whole: watch::Receiver<bool>,
    current: Arc<Mutex<Option<Connection>>>,
    nodes: Nodes,
    ledger: Ledger,
    rng: StdRng,
}

impl Dialer {
    async fn run(mut self) {
        while self.whole.wait_for(|whole| *whole).await.is_ok() {
            sleep(BACKOFF.mul_f64(self.rng.random())).await;
            if *self.whole.borrow() {
                let conn = self.dial();
                conn.closed().await;
                self.ledger.lock().unwrap().changes += 1;
            }
        }
    }

    fn dial(&self) -> Connection {
        let (ours, theirs) = memory::pair();
        let (ours, theirs) = (Connection::Memory(ours), Connection::Memory(theirs));
        *self.current.lock().unwrap() = Some(ours.clone());
        self.ledger.lock().unwrap().changes += 1;
        let mut nodes = self.nodes.lock().unwrap();
        nodes[self.ends.0].connect(ours.clone(), self.dialect, self.price);
        nodes[self.ends.1].accept(theirs, self.dialect, Other::Node);
        ours
    }
}
