//! A whole session, told what to do by a program: one peer says anything at all, in any order; others are honest and
//! must not notice. When all have gone, nothing is left.
//!
//! ```text
//!  dialect, dialect of the others, conditions, steps...
//! ```

mod honest;
mod liar;
mod seeds;

use crate::{
    input::Input,
    peers::{self, World, settle},
};
use honest::Honest;
use liar::Liar;

pub use seeds::seeds;

pub fn body(data: &[u8]) {
    peers::run(run(Input(data)));
}

/// Conditions of a program.
mod condition {
    /// The peer is another node.
    pub const NODE: u8 = 1;
    /// It may publish below `cam` and watch below `room` alone.
    pub const SCOPES: u8 = 2;
    /// SETUP is left to the program.
    pub const SILENT: u8 = 4;
    /// Its names begin at `room`.
    pub const ROOT: u8 = 8;
}

/// Steps of a program. The highest bit: the next one comes at once.
mod step {
    /// Opens a bidirectional stream with a block.
    pub const BI: u8 = 0;
    /// Opens a unidirectional stream with a block.
    pub const UNI: u8 = 1;
    /// Writes a block: stream, block.
    pub const WRITE: u8 = 2;
    /// Writes a block byte by byte: stream, block.
    pub const DRIP: u8 = 3;
    /// Writes a message: stream, tag or 255 for none, block.
    pub const MESSAGE: u8 = 4;
    /// Ends a half: stream.
    pub const FINISH: u8 = 5;
    /// Resets a half: stream, code.
    pub const RESET: u8 = 6;
    /// Stops a half of the relay's: stream, code.
    pub const STOP: u8 = 7;
    /// Reads all there is: stream.
    pub const READ: u8 = 8;
    /// Sends a datagram: block.
    pub const DATAGRAM: u8 = 9;
    /// Time passes: how much.
    pub const WAIT: u8 = 10;
    /// Leaves: code.
    pub const CLOSE: u8 = 11;
    /// Somebody else announces: which name, or takes it back.
    pub const ANNOUNCE: u8 = 12;
    /// Somebody else watches: which name, from which frame on, how.
    pub const WATCH: u8 = 13;
    /// Somebody else sends a group, or ends the track: what.
    pub const FEED: u8 = 14;
    /// A node or player of a second connection comes or goes, or the relay asks everybody to move: what.
    pub const SECOND: u8 = 15;
}

async fn run(mut input: Input<'_>) {
    let (dialect, others, conditions) = (peers::dialect(input.byte()), peers::dialect(input.byte()), input.byte());
    let world = World::new();
    let mut honest = Honest::new(&world, others).await;
    let mut liar = Liar::new(&world, dialect, conditions).await;
    settle().await;
    liar.accept();
    // More steps find nothing that fewer do not.
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        let kind = input.byte();
        match kind & 0x0f {
            step::ANNOUNCE => honest.announce(input.byte()).await,
            step::WATCH => honest.watch(input.byte(), input.byte()).await,
            step::FEED => honest.feed(input.byte(), input.byte()).await,
            step::SECOND => honest.second(&world, input.byte()).await,
            kind => liar.act(kind, &mut input).await,
        }
        if kind < 0x80 {
            settle().await;
        }
        liar.accept();
    }
    settle().await;
    honest.leave().await;
    liar.conn.close(0, "");
    drop(liar);
    peers::deserted(&world).await;
}
