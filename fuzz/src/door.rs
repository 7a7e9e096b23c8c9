//! The doors of QMux: any bytes on a Unix socket (as on TCP) and any messages on a WebSocket, with a session behind.
//!
//! A program of steps says them. Frames of QMux can be had in one byte, so that programs get past the first check: a
//! framed step is put into a record, or into a message of the WebSocket. `socket` begins with nothing else, `websocket`
//! with the number of an offer.

use std::{collections::HashMap, future::ready, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BufMut;
use moq_relay::{
    model::{
        cache::{Cache, Limits},
        origin::{Origin, View},
    },
    session::{self, handshake},
    transport::{
        Incoming,
        websocket::{Io, Subprotocol, WebSocket},
    },
    types::{Path, Scope},
    wire::{Dialect, Offer, integer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    input::{Input, block},
    peers::{self, RELAY, settle},
    samples,
};

pub fn socket(data: &[u8]) {
    peers::run(async {
        let (client, server) = UnixStream::pair().expect("a pair of sockets");
        run(Incoming::Unix(server), client, Carrier::Records, Input(data)).await;
    });
}

pub fn websocket(data: &[u8]) {
    let mut input = Input(data);
    let offered = input.pick(&OFFERS);
    let offer = offer();
    let subprotocol = Subprotocol::choose(offered, &offer.alpns(), true).expect("something in common");
    peers::run(async {
        let (client, server) = tokio::io::duplex(1 << 16);
        let upgrading = Box::pin(ready(Ok(Box::new(server) as Box<dyn Io>)));
        let socket = WebSocket { subprotocol, upgrading };
        run(Incoming::WebSocket(socket, SocketAddr::from(([127, 0, 0, 1], 1))), client, Carrier::Messages, input).await;
    });
}

/// Framings and dialects that a WebSocket agrees on.
const OFFERS: [&[&str]; 8] = [
    &["qmux-02.moq-lite-06"],
    &["qmux-01.moq-lite-05"],
    &["qmux-00.moq-lite-04"],
    &["webtransport.moq-lite-03"],
    &["webtransport"],
    &[],
    &["moq-lite-07-wip"],
    &["qmux-02"],
];

fn offer() -> Offer {
    Offer::new(&Dialect::every().collect::<Vec<_>>())
}

async fn run(incoming: Incoming, client: impl AsyncRead + AsyncWrite, carrier: Carrier, input: Input<'_>) {
    let origin = Origin::new(RELAY, Cache::new(Limits::default()));
    let mut clock = JoinSet::new();
    clock.spawn(tick());
    let mut sessions = JoinSet::new();
    sessions.spawn(serve(incoming, origin.clone()));
    let (mut read, write) = tokio::io::split(client);
    let mut client = Client { write, carrier, sent: HashMap::new() };
    let mut sink = tokio::io::sink();
    let talk = async {
        client.talk(input).await;
        settle().await;
        let _ = client.write.shutdown().await;
    };
    // The end of the client's half is the end of the session, whatever it has said.
    let both = async { tokio::join!(talk, tokio::io::copy(&mut read, &mut sink)) };
    timeout(PATIENCE, both).await.expect("the session ends").1.ok();
    let ended = timeout(PATIENCE, sessions.join_next()).await.expect("the session ends");
    ended.expect("one session").expect("no session panics");
    settle().await;
    assert!(origin.is_empty(), "{origin:#?}");
    assert_eq!(origin.cache().used(), 0);
}

/// Longer than any program and all that a session may wait for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Paused time does not stand still while the kernel has something for us, so it may not jump far either.
async fn tick() {
    loop {
        sleep(Duration::from_millis(50)).await;
    }
}

/// The life of a client as in `relay/connection.rs`, without credentials.
async fn serve(incoming: Incoming, origin: Arc<Origin>) {
    let offer = offer();
    let deadline = Instant::now() + handshake::DEADLINE;
    let Ok(Ok(greeting)) = timeout_at(deadline, incoming.greet(&offer.alpns())).await else { return };
    let conn = greeting.conn;
    let Some(choice) = offer.select(greeting.protocol.as_deref()) else { return conn.close(1, "no dialect in common") };
    let peer = match handshake::accept(&conn, choice, &offer, origin.hop(), deadline).await {
        Ok(peer) => peer,
        Err(violation) => return conn.close(violation.code(), &violation.to_string()),
    };
    let everything = Scope::everything;
    let view = View::new(origin.clone(), origin.session(), Path::root(), everything(), everything(), false);
    let (_session, driver) = session::start(conn, peer, view, session::Limits::default());
    driver.run().await;
}

/// What frames are put into.
#[derive(Clone, Copy)]
enum Carrier {
    Records,
    Messages,
}

/// Steps of a program.
mod step {
    /// Bytes as they are: a block.
    pub const RAW: u8 = 0;
    /// A frame: a block.
    pub const FRAME: u8 = 1;
    /// Transport parameters, well-formed: a block with the protocol.
    pub const PARAMETERS: u8 = 2;
    /// The next bytes of a stream: its id and a block.
    pub const STREAM: u8 = 3;
    /// The same and the end of the stream.
    pub const FINISH: u8 = 4;
    /// The same without offset and length, as in the `webtransport` framing.
    pub const LEGACY: u8 = 5;
    /// Another kind of WebSocket message: first byte and a block.
    pub const MESSAGE: u8 = 6;
    /// Time passes: how much.
    pub const WAIT: u8 = 7;
    /// How many there are.
    pub const COUNT: u8 = 8;
}

struct Client<W> {
    write: W,
    carrier: Carrier,
    /// Bytes of each stream so far.
    sent: HashMap<u8, u64>,
}

impl<W: AsyncWrite + Unpin> Client<W> {
    async fn talk(&mut self, mut input: Input<'_>) {
        // More steps find nothing that fewer do not.
        for _ in 0..32 {
            if input.is_empty() {
                break;
            }
            let kind = input.byte();
            match kind % step::COUNT {
                step::RAW => self.raw(input.block()).await,
                step::FRAME => self.framed(input.block()).await,
                step::PARAMETERS => self.framed(&parameters(input.block())).await,
                step::STREAM => self.stream(&mut input, 0).await,
                step::FINISH => self.stream(&mut input, 1).await,
                step::LEGACY => {
                    let (kind, id) = (8 | input.byte() & 1, input.byte());
                    self.framed(&[&[kind, id & 0x3f], input.block()].concat()).await;
                }
                step::MESSAGE => self.message(input.byte(), input.block()).await,
                _ => sleep(input.pick(&[1, 10, 999, 5001, 10_001, 15_001].map(Duration::from_millis))).await,
            }
            // Steps come one after the other, or at once.
            if kind < 0x80 {
                settle().await;
            }
        }
    }

    async fn stream(&mut self, input: &mut Input<'_>, fin: u8) {
        let (id, data) = (input.byte() & 0x3f, input.block());
        let sent = self.sent.entry(id).or_default();
        let mut frame = vec![0x0e | fin, id];
        integer::put(&mut frame, *sent);
        integer::put(&mut frame, data.len() as u64);
        frame.extend_from_slice(data);
        *sent += data.len() as u64;
        self.framed(&frame).await;
    }

    async fn framed(&mut self, frame: &[u8]) {
        match self.carrier {
            Carrier::Records => {
                let mut record = Vec::new();
                integer::put(&mut record, frame.len() as u64);
                self.raw(&[&record, frame].concat()).await;
            }
            Carrier::Messages => self.message(0x82, frame).await,
        }
    }

    /// RFC 6455 §5.2: masked, with zeros.
    async fn message(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ ..=125 => frame.put_u8(0x80 | len as u8),
            len => {
                frame.put_u8(0x80 | 126);
                frame.put_u16(len as u16);
            }
        }
        frame.put_u32(0);
        frame.extend_from_slice(payload);
        self.raw(&frame).await;
    }

    /// The relay may be gone.
    async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.write.write_all(bytes).await;
    }
}

/// QX_TRANSPORT_PARAMETERS with room for everything.
fn parameters(protocol: &[u8]) -> Vec<u8> {
    const PROTOCOLS: u64 = 0x3d4f_9c2a_8b1e_6075;
    let mut content = Vec::new();
    for id in 0x04..=0x09 {
        integer::put(&mut content, id);
        integer::put(&mut content, 4);
        integer::put(&mut content, 1 << 20);
    }
    integer::put(&mut content, 0x20);
    integer::put(&mut content, 2);
    integer::put(&mut content, 1200);
    if !protocol.is_empty() {
        let listed = block(&protocol[..protocol.len().min(0x3f)]);
        integer::put(&mut content, PROTOCOLS);
        integer::put(&mut content, listed.len() as u64);
        content.extend_from_slice(&listed);
    }
    let mut frame = Vec::new();
    integer::put(&mut frame, 0x3f51_5330_0d0a_0d0a);
    integer::put(&mut frame, content.len() as u64);
    [frame, content].concat()
}

pub fn socket_seeds() -> Vec<Vec<u8>> {
    let program = |dialect| [greeting(dialect), conversation(dialect, step::STREAM)].concat();
    Dialect::every().map(program).collect()
}

pub fn websocket_seeds() -> Vec<Vec<u8>> {
    let spoken = ["06", "05", "04", "03", "02", "01", "07-wip", "02"];
    let program = |(number, version): (usize, &str)| {
        let dialect = Dialect::by_name(&format!("moq-lite-{version}")).expect("a dialect");
        let legacy = [3, 4, 5].contains(&number);
        let said = conversation(dialect, if legacy { step::LEGACY } else { step::STREAM });
        [vec![number as u8], if legacy { Vec::new() } else { greeting(dialect) }, said].concat()
    };
    spoken.into_iter().enumerate().map(program).collect()
}

fn greeting(dialect: &Dialect) -> Vec<u8> {
    [&[step::PARAMETERS], &block(dialect.alpn.as_bytes())[..]].concat()
}

/// What the samples of a dialect open streams with, SETUP first, and how a session goes away.
fn conversation(dialect: &'static Dialect, kind: u8) -> Vec<u8> {
    let say = |id: u8, bytes: &[u8]| {
        let head = if kind == step::LEGACY { vec![kind, 0, id] } else { vec![kind, id] };
        [head, block(bytes)].concat()
    };
    let (mut uni, mut bi) = (2, 0);
    let mut program = Vec::new();
    for (message, bytes) in samples::streams(dialect) {
        let id = if matches!(message.as_str(), "setup" | "group") { &mut uni } else { &mut bi };
        program.extend(say(*id, &bytes));
        *id += 4;
    }
    // APPLICATION_CLOSE after a while.
    program.extend([step::WAIT, 2, step::FRAME, 3, 0x1d, 0, 0]);
    program
}
