//! ANNOUNCE_INIT of moq-lite-01 and 02.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::{
    types::Path,
    wire::{Codec, Decoder, integer::Form},
};

/// ANNOUNCE_INIT: everything that is live, in one message. Kept as bytes: it may be large, and is read once.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Init {
    count: u64,
    /// Length and text of each suffix, canonical.
    suffixes: BytesMut,
}

impl Init {
    /// Adds what follows the requested prefix.
    pub fn push(&mut self, suffix: &Path) {
        self.count += 1;
        Form::Quic.put(&mut self.suffixes, suffix.as_str().len() as u64);
        self.suffixes.put_slice(suffix.as_str().as_bytes());
    }

    /// How many suffixes there are.
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether nothing is live.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The suffixes in order.
    pub fn iter(&self) -> impl Iterator<Item = Path> + '_ {
        let mut input = Decoder::new(&self.suffixes, Form::Quic);
        std::iter::from_fn(move || input.path().ok())
    }
}

impl FromIterator<Path> for Init {
    fn from_iter<I: IntoIterator<Item = Path>>(suffixes: I) -> Self {
        let mut init = Self::default();
        suffixes.into_iter().for_each(|suffix| init.push(&suffix));
        init
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// ANNOUNCE_INIT of moq-lite-01 and 02.
pub const INIT_01: Codec<Init> = Codec {
    tagged: false,
    write: |init, out| {
        out.varint(init.count);
        out.bytes(&init.suffixes);
        0
    },
    read: |_, input| {
        let count = input.at("suffix count").varint()?;
        // No suffix is longer in canonical form than on the wire.
        let mut init = Init { count: 0, suffixes: BytesMut::with_capacity(input.remaining()) };
        // The count is only believed as far as there are bytes.
        for _ in 0..count {
            init.push(&input.at("suffix").path()?);
        }
        Ok(init)
    },
};
