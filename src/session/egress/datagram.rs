//! A group that came as a datagram, as one for the peer.

use bytes::Bytes;

use crate::{
    model::group::{Cursor, Group, State},
    session::Shared,
    wire::{
        Encoder,
        lite::datagram::{Header, MAX_BYTES},
    },
};

/// The datagram, or `None` for a group that needs a stream: it did not come as one, the peer's dialect or transport has
/// none, or it is too long for the path.
pub(super) fn write(session: &Shared, id: u64, group: &Group) -> Option<Bytes> {
    let [frame] = group.frames() else { return None };
    if !group.datagram || !session.dialect.datagrams || group.state() != State::Finished {
        return None;
    }
    let mut out = Encoder::new(session.form());
    Header { subscribe: id, sequence: group.sequence, timestamp: frame.timestamp }.encode(&mut out);
    // moq-lite "Datagram": longer ones are taken, but not sent.
    let most = session.conn.max_datagram_size()?.min(MAX_BYTES) as u64;
    if out.len() as u64 + frame.size > most {
        return None;
    }
    let mut payload = Vec::new();
    Cursor::start().frames(group, None, usize::MAX, |_| None, &mut payload);
    payload.iter().for_each(|bytes| out.bytes(bytes));
    Some(out.into_bytes())
}
