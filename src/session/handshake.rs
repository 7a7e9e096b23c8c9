//! What both sides say before anything else: SETUP on streams of its own, SETUP in band, or nothing.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Violation, typed};
use crate::{
    transport::{Connection, SendStream},
    types::{HopId, code},
    wire::{
        Dialect, Offer,
        dialect::Choice,
        in_band::{self, ClientSetup, Framing, ServerSetup},
        integer::Form,
        lite::{
            setup::{self, Setup},
            stream,
        },
    },
};

/// How long a peer may take from its first packet to SETUP.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What this side answers on a probe stream: reports.
const PROBE_REPORTS: u64 = 1;

/// A peer whose handshake is over.
#[derive(Debug)]
pub struct Peer {
    /// What both speak.
    pub dialect: &'static Dialect,
    /// What the peer said of itself; empty where the dialect has no such message.
    pub setup: Setup,
    /// What this side takes for the link, whatever the peer says of it.
    pub price: Option<u64>,
    /// The stream that lives as long as the session.
    pub(super) stream: Option<Box<SessionStream>>,
}

/// What a side that dials says of itself, as far as the dialect has words for it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Hello {
    /// Its identity.
    pub hop: HopId,
    /// Path and query, where the door has no URL.
    pub path: Option<String>,
    /// What the link costs, either way.
    pub price: Option<u64>,
}

/// The stream of an in-band SETUP. Its end is the peer's goodbye; what comes on it (SESSION_INFO) nobody needs.
#[derive(Debug)]
pub(super) struct SessionStream {
    /// Kept open: peers take its end for the end of the session.
    _send: SendStream,
    reader: typed::Reader,
}

impl SessionStream {
    /// Waits for the peer to end it.
    pub(super) async fn ended(&mut self) {
        self.reader.ended().await;
    }
}

/// Serves a client's handshake until `deadline`. What the transport has settled is `choice`; SETUP may choose among
/// `offer`.
pub async fn accept(
    conn: &Connection,
    choice: Choice,
    offer: &Offer,
    hop: HopId,
    deadline: Instant,
) -> Result<Peer, Violation> {
    let exchange = async {
        match choice {
            Choice::InBand => in_band(conn, offer).await,
            Choice::Dialect(dialect) => on_streams(conn, dialect, Setup { hop, ..Setup::default() }).await,
        }
    };
    timeout_at(deadline, exchange).await.unwrap_or(Err(Violation::NoSetup))
}

/// The same from the side that has dialed.
pub async fn connect(
    conn: &Connection,
    choice: Choice,
    offer: &Offer,
    hello: Hello,
    deadline: Instant,
) -> Result<Peer, Violation> {
    let Hello { hop, path, price } = hello;
    let exchange = async {
        let peer = match choice {
            Choice::InBand => offer_in_band(conn, offer).await,
            Choice::Dialect(dialect) => {
                on_streams(conn, dialect, Setup { hop, path, cost: price, ..Setup::default() }).await
            }
        };
        peer.map(|peer| Peer { price, ..peer })
    };
    timeout_at(deadline, exchange).await.unwrap_or(Err(Violation::NoSetup))
}

/// Sends our SETUP and reads the peer's, where the dialect has it.
///
/// Other unidirectional streams that overtake SETUP are refused, as nobody has been asked for anything yet.
async fn on_streams(conn: &Connection, dialect: &'static Dialect, ours: Setup) -> Result<Peer, Violation> {
    let peer = |setup| Peer { dialect, setup, price: None, stream: None };
    let Some(codec) = &dialect.setup else { return Ok(peer(Setup::default())) };
    let form = dialect.integers();
    let ours = Setup { probe: PROBE_REPORTS, ..ours };
    let mut send = conn.open_uni().await.map_err(|_| Violation::NoSetup)?;
    send.set_priority(i32::MAX);
    typed::send(&mut send, form, Some(stream::SETUP), codec, &ours).await.map_err(|_| Violation::NoSetup)?;
    send.finish();
    loop {
        let recv = conn.accept_uni().await.map_err(|_| Violation::NoSetup)?;
        let mut reader = typed::Reader::new(recv, form);
        match reader.varint().await {
            Ok(stream::SETUP) => {
                return reader.message(codec, setup::MAX_BYTES).await.map(peer).map_err(|error| unreadable(&error));
            }
            _ => reader.stop(code::INTERNAL),
        }
    }
}

/// Reads SETUP off the first stream and answers with a version.
async fn in_band(conn: &Connection, offer: &Offer) -> Result<Peer, Violation> {
    let (mut send, recv) = conn.accept_bi().await.map_err(|_| Violation::NoSetup)?;
    let mut reader = typed::Reader::new(recv, Form::Quic);
    let stream_type = reader.varint().await.map_err(|error| unreadable(&error))?;
    let framing = Framing::by_type(stream_type).ok_or(Violation::NoSetup)?;
    let body =
        if framing.has_wide_lengths() { reader.wide_body().await } else { reader.body(in_band::MAX_BYTES).await };
    let body = body.map_err(|error| unreadable(&error))?;
    let setup = ClientSetup::decode(&body).map_err(|error| Violation::Malformed { what: "SETUP", error })?;
    let dialect = offer.by_code(&setup.versions).ok_or_else(|| Violation::no_version(&setup.versions, offer))?;
    let answer = framing.server(&ServerSetup::plain(dialect.code));
    send.write(answer).await.map_err(|_| Violation::NoSetup)?;
    Ok(Peer {
        dialect,
        setup: Setup::default(),
        price: None,
        stream: Some(Box::new(SessionStream { _send: send, reader })),
    })
}

/// Says on the first stream what this side speaks, and reads which of it the server has chosen.
async fn offer_in_band(conn: &Connection, offer: &Offer) -> Result<Peer, Violation> {
    let (mut send, recv) = conn.open_bi().await.map_err(|_| Violation::NoSetup)?;
    let versions = offer.dialects().filter(|dialect| dialect.in_band).map(|dialect| dialect.code).collect();
    let setup = ClientSetup { versions, parameters: NO_PARAMETERS };
    send.write(Framing::Setup.client(&setup)).await.map_err(|_| Violation::NoSetup)?;
    let mut reader = typed::Reader::new(recv, Form::Quic);
    match reader.varint().await.map_err(|error| unreadable(&error))? {
        in_band::SERVER_SETUP => {}
        _ => return Err(Violation::NoSetup),
    }
    let body = reader.wide_body().await.map_err(|error| unreadable(&error))?;
    let answer = ServerSetup::decode(&body).map_err(|error| Violation::Malformed { what: "SETUP", error })?;
    let dialect = offer.by_code(&[answer.version]).ok_or_else(|| Violation::no_version(&[answer.version], offer))?;
    Ok(Peer {
        dialect,
        setup: Setup::default(),
        price: None,
        stream: Some(Box::new(SessionStream { _send: send, reader })),
    })
}

/// An empty list, whichever way it is read.
const NO_PARAMETERS: Bytes = Bytes::from_static(&[0]);

const fn unreadable(error: &typed::Error) -> Violation {
    match error {
        typed::Error::Decode(error) => Violation::Malformed { what: "SETUP", error: *error },
        typed::Error::Ended | typed::Error::Stream(_) => Violation::NoSetup,
    }
}
