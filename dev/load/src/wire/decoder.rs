//! Reads a message field by field.

use anyhow::{Context, Result, bail, ensure};

use super::Varint;

/// What is left of a message's body.
pub(super) struct Decoder<'a> {
    varint: Varint,
    left: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(varint: Varint, body: &'a [u8]) -> Self {
        Self { varint, left: body }
    }

    pub(super) fn int(&mut self) -> Result<u64> {
        self.varint.get(&mut self.left).context("a message ends within an integer")
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let (first, left) = self.left.split_first().context("a message ends before a byte")?;
        self.left = left;
        Ok(*first)
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => bail!("{other} is no flag"),
        }
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let size = self.int()? as usize;
        let (text, left) = self.left.split_at_checked(size).context("a message ends within a text")?;
        self.left = left;
        Ok(String::from_utf8(text.into())?)
    }

    /// A message has no bytes that its version does not know.
    pub(super) fn end(self) -> Result<()> {
        ensure!(self.left.is_empty(), "{} bytes too many in a message", self.left.len());
        Ok(())
    }
}
