//! Clusters by their shape: which node dials which.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use moq_relay::cluster::config::Peer;
use tokio::time::sleep;

use super::{ANYWHERE, TestRelay, credulous};

/// Nodes that are to be started, whose addresses are known before.
#[derive(Debug)]
pub struct Shape {
    addresses: Vec<SocketAddr>,
    connect: Vec<Vec<Peer>>,
    root: bool,
    mesh: bool,
    named: bool,
}

/// How to dial an address.
pub fn url(address: SocketAddr, query: &str) -> Peer {
    Peer::parse(&format!("https://{address}/{query}")).unwrap()
}

/// Waits until a node has so many links at least.
pub async fn linked(node: &TestRelay, links: usize) {
    while node.cluster.links().live().len() < links {
        sleep(Duration::from_millis(20)).await;
    }
}

impl Shape {
    /// Nodes without links.
    pub fn new(nodes: usize) -> Self {
        // Held until all are known, so that no two are the same.
        let held: Vec<_> = (0..nodes).map(|_| free()).collect();
        let addresses = held.iter().map(|(socket, _)| socket.local_addr().unwrap()).collect();
        Self { addresses, connect: vec![Vec::new(); nodes], root: false, mesh: false, named: false }
    }

    /// The first is the root of the others.
    pub fn root(nodes: usize) -> Self {
        Self { root: true, named: true, ..Self::new(nodes) }
    }

    /// Each dials the one before.
    pub fn chain(nodes: usize) -> Self {
        let shape = Self::new(nodes);
        (1..nodes).fold(shape, |shape, node| {
            let before = url(shape.addresses[node - 1], "");
            shape.connect(node, vec![before])
        })
    }

    /// A chain whose first dials the last.
    pub fn ring(nodes: usize) -> Self {
        let shape = Self::chain(nodes);
        let last = url(shape.addresses[nodes - 1], "");
        shape.connect(0, vec![last])
    }

    /// All of them dial the first, and hear of each other there.
    pub fn mesh(nodes: usize) -> Self {
        let shape = Self { mesh: true, named: true, ..Self::new(nodes) };
        let first = url(shape.addresses[0], "");
        (1..nodes).fold(shape, |shape, node| shape.connect(node, vec![first.clone()]))
    }

    /// One node dials these.
    pub fn connect(mut self, node: usize, peers: Vec<Peer>) -> Self {
        self.connect[node] = peers;
        self
    }

    /// Every node has a name.
    pub fn named(self) -> Self {
        Self { named: true, ..self }
    }

    /// And tells it to those it dials.
    pub fn introduced(self) -> Self {
        Self { mesh: true, ..self }
    }

    pub fn address(&self, node: usize) -> SocketAddr {
        self.addresses[node]
    }

    pub async fn start(self) -> Vec<TestRelay> {
        let mut nodes = Vec::new();
        for (node, address) in self.addresses.iter().enumerate() {
            let relay = TestRelay::with(|config| {
                credulous(config);
                config.transport.server.listen = vec![(*address).into()];
                config.cluster.connect.clone_from(&self.connect[node]);
                config.cluster.mesh = self.mesh;
                config.cluster.node = self.named.then(|| format!("https://{address}/"));
                if self.root {
                    config.cluster.node = Some(address.to_string());
                    config.cluster.root = Some(self.addresses[0].to_string());
                }
            });
            nodes.push(relay.await);
        }
        nodes
    }
}

fn free() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind(ANYWHERE).unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}
