//! What a viewer wants, and what a publisher answers.

use anyhow::{Result, bail};
use bytes::Bytes;

use super::{Accept, Version, decoder::Decoder, encoder::Encoder};

/// How old groups may get before they are dropped, in ms.
const MAX_AGE: u64 = 10_000;
/// Of everything that this publisher sends.
const PRIORITY: u8 = 127;

/// SUBSCRIBE for everything from the latest group on, stream type included.
pub(crate) fn subscribe(version: &Version, id: u64, broadcast: &str, track: &str, priority: u8) -> Bytes {
    subscribe_aged(version, id, broadcast, track, priority, MAX_AGE)
}

/// The same for groups that are not older than so many ms, where the version can say so.
pub(crate) fn subscribe_aged(
    version: &Version,
    id: u64,
    broadcast: &str,
    track: &str,
    priority: u8,
    max_age: u64,
) -> Bytes {
    let mut body = Encoder::new(version.varint);
    body.int(id).text(broadcast).text(track).byte(priority);
    if version.preferences {
        if version.ordered {
            body.byte(0);
        }
        body.int(max_age);
        body.int(0).int(0); // start: latest, or no floor; end: open
    }
    if version.frame_bounds {
        body.int(0).int(0);
    }
    body.framed(&[0x2])
}

/// The id that a SUBSCRIBE gives to itself, and the track it is about.
pub(crate) fn requested(version: &Version, body: &[u8]) -> Result<(u64, String)> {
    let mut body = Decoder::new(version.varint, body);
    let (id, _broadcast, track, _priority) = (body.int()?, body.text()?, body.text()?, body.byte()?);
    if version.preferences {
        if version.ordered {
            body.byte()?;
        }
        let (_max_age, _start, _end) = (body.int()?, body.int()?, body.int()?);
    }
    if version.frame_bounds {
        let (_start, _end) = (body.int()?, body.int()?);
    }
    body.end()?;
    Ok((id, track))
}

/// The positive answer to SUBSCRIBE: SUBSCRIBE_OK or SUBSCRIBE_START.
pub(crate) fn accept(version: &Version, group: u64) -> Bytes {
    let mut body = Encoder::new(version.varint);
    match version.accept {
        Accept::Priority => body.byte(PRIORITY).framed(&[]),
        Accept::Empty => body.framed(&[]),
        // Not ordered, and no end.
        Accept::Preferences => body.byte(PRIORITY).byte(0).int(MAX_AGE).int(group + 1).int(0).framed(&[0x0]),
        Accept::Start => body.int(group).framed(&[0x0]),
    }
}

/// Whether this may be said in answer to SUBSCRIBE. `kind` is its type where answers are typed.
pub(crate) fn check_reply(version: &Version, kind: Option<u64>, body: &[u8]) -> Result<()> {
    let mut body = Decoder::new(version.varint, body);
    match (version.accept, kind) {
        (Accept::Priority, None) => drop(body.byte()?),
        (Accept::Empty, None) => {}
        (Accept::Preferences, Some(0)) => {
            let (_priority, _ordered) = (body.byte()?, body.byte()?);
            let (_max_age, _start, _end) = (body.int()?, body.int()?, body.int()?);
        }
        (Accept::Start, Some(0)) => drop(body.int()?),
        (Accept::Start, Some(1)) if version.stream_count => drop((body.int()?, body.int()?)),
        (Accept::Start, Some(1)) => drop(body.int()?),
        (Accept::Start, Some(2)) if !version.stream_count => drop((body.int()?, body.int()?, body.int()?)),
        _ => bail!("no answer to SUBSCRIBE has the type {kind:?}"),
    }
    body.end()
}

pub(crate) fn track_info(version: &Version) -> Bytes {
    let mut body = Encoder::new(version.varint);
    body.byte(PRIORITY);
    if version.ordered {
        body.byte(0);
    }
    body.int(MAX_AGE).int(1000); // timescale
    body.framed(&[])
}
