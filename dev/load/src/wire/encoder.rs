//! Writes a message field by field.

use bytes::{BufMut, Bytes, BytesMut};

use super::Varint;

/// The body of a message in the making.
pub(super) struct Encoder {
    varint: Varint,
    body: BytesMut,
}

impl Encoder {
    pub(super) fn new(varint: Varint) -> Self {
        Self { varint, body: BytesMut::new() }
    }

    pub(super) fn int(&mut self, v: u64) -> &mut Self {
        self.varint.put(&mut self.body, v);
        self
    }

    pub(super) fn byte(&mut self, v: u8) -> &mut Self {
        self.body.put_u8(v);
        self
    }

    pub(super) fn text(&mut self, s: &str) -> &mut Self {
        self.int(s.len() as u64);
        self.body.put_slice(s.as_bytes());
        self
    }

    /// The body behind its size, behind whatever type bytes `head` holds.
    pub(super) fn framed(&self, head: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(self.body.len() + 16);
        out.put_slice(head);
        self.varint.put(&mut out, self.body.len() as u64);
        out.put_slice(&self.body);
        out.freeze()
    }
}
