//! The peer that says anything.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use moq_relay::{
    transport::{Connection, RecvStream, SendStream},
    types::HopId,
    wire::{
        Dialect, Encoder,
        in_band::{ClientSetup, Framing},
        lite::{setup::Setup, stream},
    },
};
use tokio::{task::yield_now, time::sleep};

use super::{condition, step};
use crate::{
    input::Input,
    peers::{Door, World},
};

/// Its connection and every stream so far, in the order they came.
pub struct Liar {
    pub conn: Connection,
    dialect: &'static Dialect,
    streams: Vec<(Option<SendStream>, Option<RecvStream>)>,
}

impl Liar {
    pub async fn new(world: &World, dialect: &'static Dialect, conditions: u8) -> Self {
        let is = |condition| conditions & condition != 0;
        let mut door = Door { node: is(condition::NODE), ..Door::new(dialect) };
        if is(condition::SCOPES) {
            door = door.publish(&["cam"]).subscribe(&["room"]);
        }
        if is(condition::ROOT) {
            door = door.root("room");
        }
        let mut liar = Self { conn: world.dial(&door), dialect, streams: Vec::new() };
        if !is(condition::SILENT) {
            liar.greet().await;
        }
        liar
    }

    async fn greet(&mut self) {
        if let Some(codec) = &self.dialect.setup {
            let mut out = Encoder::new(self.dialect.integers());
            out.varint(stream::SETUP);
            codec.encode(&Setup { hop: HopId(7), ..Setup::default() }, &mut out);
            self.uni(&out.into_bytes()).await;
        }
        if self.dialect.in_band {
            let setup = ClientSetup { versions: vec![self.dialect.code], parameters: Bytes::from_static(&[0]) };
            self.bi(&Framing::Setup.client(&setup)).await;
        }
    }

    pub async fn act(&mut self, kind: u8, input: &mut Input<'_>) {
        match kind {
            step::BI => self.bi(input.block()).await,
            step::UNI => self.uni(input.block()).await,
            step::WRITE => {
                let (at, bytes) = (input.byte(), input.block());
                self.write(at, bytes);
            }
            step::DRIP => {
                let at = input.byte();
                for byte in input.block() {
                    self.write(at, &[*byte]);
                    yield_now().await;
                }
            }
            step::MESSAGE => {
                let (at, tag, body) = (input.byte(), input.byte(), input.block());
                let mut out = Encoder::new(self.dialect.integers());
                if tag < u8::MAX {
                    out.varint(tag.into());
                }
                out.varint(body.len() as u64);
                out.bytes(body);
                self.write(at, &out.into_bytes());
            }
            step::FINISH => self.sending(input.byte(), SendStream::finish),
            step::RESET => {
                let (at, code) = (input.byte(), input.byte());
                self.sending(at, |send| send.reset(code.into()));
            }
            step::STOP => {
                let (at, code) = (input.byte(), input.byte());
                self.receiving(at, |recv| recv.stop(code.into()));
            }
            step::READ => {
                let all = |recv: &mut RecvStream| while let Some(Ok(Some(_))) = recv.read().now_or_never() {};
                self.receiving(input.byte(), all);
            }
            step::DATAGRAM => self.conn.send_datagram(Bytes::copy_from_slice(input.block())),
            step::WAIT => sleep(input.pick(&[10, 999, 1001, 5001, 10_001, 31_000].map(Duration::from_millis))).await,
            step::CLOSE => self.conn.close(input.byte().into(), "bye"),
            _ => unreachable!("a step of the others"),
        }
    }

    async fn bi(&mut self, bytes: &[u8]) {
        if let Ok((send, recv)) = self.conn.open_bi().await {
            self.streams.push((Some(send), Some(recv)));
            self.write(self.streams.len() as u8 - 1, bytes);
        }
    }

    async fn uni(&mut self, bytes: &[u8]) {
        if let Ok(send) = self.conn.open_uni().await {
            self.streams.push((Some(send), None));
            self.write(self.streams.len() as u8 - 1, bytes);
        }
    }

    /// Takes the streams that the relay has opened.
    pub fn accept(&mut self) {
        while let Some(Ok((send, recv))) = self.conn.accept_bi().now_or_never() {
            self.streams.push((Some(send), Some(recv)));
        }
        while let Some(Ok(recv)) = self.conn.accept_uni().now_or_never() {
            self.streams.push((None, Some(recv)));
        }
    }

    fn write(&mut self, at: u8, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.sending(at, |send| {
            let _ = send.write(bytes).now_or_never();
        });
    }

    fn sending(&mut self, at: u8, act: impl FnOnce(&mut SendStream)) {
        let count = self.streams.len().max(1);
        if let Some((Some(send), _)) = self.streams.get_mut(usize::from(at) % count) {
            act(send);
        }
    }

    fn receiving(&mut self, at: u8, act: impl FnOnce(&mut RecvStream)) {
        let count = self.streams.len().max(1);
        if let Some((_, Some(recv))) = self.streams.get_mut(usize::from(at) % count) {
            act(recv);
        }
    }
}
