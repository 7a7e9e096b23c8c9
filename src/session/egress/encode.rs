//! Headers that go in front of what the model stores, cut from a small block so that they need no allocation each.
//! The transport keeps every chunk until it is acknowledged, so a scratch buffer would not do.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::group::Frame;
use crate::wire::lite::{
    group::{FrameHeader, Framing, Header, MAX_FRAME_HEADER, MAX_GROUP_HEADER},
    stream,
};

/// Writes the headers of one subscription.
#[derive(Debug)]
pub(in crate::session) struct Headers {
    framing: Framing,
    block: BytesMut,
}

impl Headers {
    /// Room for some forty headers. Halved, busy subscriptions allocate twice as often; doubled, idle ones hold twice
    /// as much.
    const BLOCK: usize = 512;

    pub(in crate::session) fn new(framing: Framing) -> Self {
        Self { framing, block: BytesMut::new() }
    }

    /// Stream type and GROUP.
    pub(super) fn group(&mut self, header: &Header) -> Bytes {
        self.room(1 + MAX_GROUP_HEADER);
        self.block.put_u8(stream::GROUP as u8);
        self.framing.encode_group(header, &mut self.block);
        self.block.split().freeze()
    }

    /// What precedes a frame's payload, its timestamp counted from `previous`, which moves on to it.
    pub(in crate::session) fn next_frame(&mut self, frame: &Frame, previous: &mut u64) -> Bytes {
        let delta = frame.timestamp.wrapping_sub(std::mem::replace(previous, frame.timestamp)).cast_signed();
        self.frame(FrameHeader { delta, size: frame.size })
    }

    /// How the peer wants them.
    pub(super) const fn framing(&self) -> Framing {
        self.framing
    }

    fn frame(&mut self, header: FrameHeader) -> Bytes {
        self.room(MAX_FRAME_HEADER);
        self.framing.encode_frame(header, &mut self.block);
        self.block.split().freeze()
    }

    fn room(&mut self, bytes: usize) {
        if self.block.capacity() < bytes {
            self.block = BytesMut::with_capacity(Self::BLOCK);
        }
    }
}
