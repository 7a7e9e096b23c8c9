//! What precedes a session on WebTransport and WebSocket: the parts of HTTP/3 that `web-transport-proto` reads for the
//! relay, and the choice of a subprotocol.
//!
//! The first byte tells which.

use std::fmt::Debug;

use moq_relay::{
    transport::websocket::{Subprotocol, accept_key},
    types::Path,
    wire::{Dialect, Offer, dialect::Choice},
};
use url::Url;
use web_transport_proto::{Capsule, ConnectRequest, Settings};

use crate::input::Input;

const CONNECT: u8 = 0;
const SETTINGS: u8 = 1;
const CAPSULE: u8 = 2;
const SUBPROTOCOL: u8 = 3;

pub fn body(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        CONNECT => connect(input.0),
        SETTINGS => settings(input.0),
        CAPSULE => capsule(input.0),
        _ => subprotocol(input.0),
    }
}

fn connect(data: &[u8]) {
    let once = ConnectRequest::decode(&mut &data[..]);
    // As the relay reads it: off a stream.
    let read = whole(ConnectRequest::read(&mut &data[..]));
    assert_eq!(read.is_ok(), once.is_ok(), "{read:?} {once:?}");
    let Ok(request) = read else { return };
    assert_eq!(request.url.as_str(), once.expect("read").url.as_str());
    let path = Path::parse(request.url.path());
    let offer = Offer::new(&Dialect::every().collect::<Vec<_>>());
    let chosen = request.protocols.iter().find_map(|protocol| offer.select(Some(protocol)));
    let _ = format!("{path:?} {chosen:?} {request:?}");
}

fn settings(data: &[u8]) {
    let once = Settings::decode(&mut &data[..]);
    let read = whole(Settings::read(&mut &data[..]));
    assert_eq!(read.is_ok(), once.is_ok(), "{read:?} {once:?}");
    if let Ok(settings) = read {
        settings.supports_webtransport();
    }
}

fn capsule(data: &[u8]) {
    let once = Capsule::decode(&mut &data[..]);
    let read = whole(Capsule::read(&mut &data[..]));
    let Ok(capsule) = once else { return };
    let _ = format!("{capsule:?} {read:?}");
    let mut out = Vec::new();
    capsule.encode(&mut out);
    assert_eq!(Capsule::decode(&mut &out[..]).ok(), Some(capsule));
}

/// Bytes are all there, so nothing is waited for.
fn whole<T: Debug>(read: impl Future<Output = T>) -> T {
    futures::FutureExt::now_or_never(read).expect("nothing to wait for")
}

/// A byte for what is offered here, and the value of `Sec-WebSocket-Protocol`.
fn subprotocol(data: &[u8]) {
    let mut input = Input(data);
    let all: Vec<_> = Dialect::every().filter(|_| input.byte() & 1 == 0).collect();
    let offer = Offer::new(&all);
    let in_band = offer.select(None).is_some();
    let _ = accept_key(input.0);
    let Ok(header) = str::from_utf8(input.0) else { return };
    let offered: Vec<_> = header.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let Some(chosen) = Subprotocol::choose(&offered, &offer.alpns(), in_band) else { return };
    match chosen.header() {
        None => assert!(offered.is_empty() && in_band),
        Some(header) => {
            assert!(offered.contains(&header), "{header} was not offered");
            let alpn = header.split_once('.').map_or(header, |(_, alpn)| alpn);
            let choice = offer.select(Some(alpn));
            let bare = matches!(header, "webtransport" | "qmux-00" | "qmux-01" | "qmux-02");
            assert!(matches!(choice, Some(Choice::Dialect(_) | Choice::InBand)) || (bare && in_band), "{header}");
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut connect = vec![CONNECT];
    let url = Url::parse("https://relay.example:4443/room/a?jwt=x").expect("a URL");
    let request = ConnectRequest::new(url).with_protocols(["moq-lite-06", "moql"].map(Into::into));
    request.encode(&mut connect).expect("a request");
    let mut settings = Settings::default();
    settings.enable_webtransport(1);
    let mut said = vec![SETTINGS];
    settings.encode(&mut said);
    let mut close = vec![CAPSULE];
    Capsule::CloseWebTransportSession { code: 7, reason: "over".into() }.encode(&mut close);
    let subprotocol = |header: &str| [&[SUBPROTOCOL], &[0; 7][..], header.as_bytes()].concat();
    let offers =
        ["", "qmux-02.moq-lite-06, qmux-01.moq-lite-06, webtransport", "moq-lite-04", "qmux-00, webtransport.moql"];
    [connect, said, close].into_iter().chain(offers.map(subprotocol)).collect()
}
