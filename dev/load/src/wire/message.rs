//! Messages as bytes: those a publisher or a viewer writes, and the announcements a viewer reads.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Hops, Version, get_varint, put_varint};

/// The hop id that this publisher goes by.
const HOP: u64 = 0x5eed;
/// How old groups may get before they are dropped, in ms.
const MAX_AGE: u64 = 10_000;

/// An empty SETUP, stream type included.
pub(crate) fn setup() -> Bytes {
    framed(&[0x1], &[0])
}

/// ANNOUNCE_REQUEST, stream type included.
pub(crate) fn announce_request(version: &Version, prefix: &str) -> Bytes {
    let mut body = BytesMut::new();
    put_str(&mut body, prefix);
    if version.exclude_hop {
        put_varint(&mut body, 0); // none
    }
    framed(&[0x1], &body)
}

pub(crate) fn announce_ok(count: u64) -> Bytes {
    let mut body = BytesMut::new();
    put_varint(&mut body, HOP);
    put_varint(&mut body, count);
    framed(&[], &body)
}

pub(crate) fn announce_active(version: &Version, suffix: &str) -> Bytes {
    let mut body = BytesMut::new();
    if !version.typed_announce {
        body.put_u8(1); // active
    }
    put_str(&mut body, suffix);
    match version.hops {
        Hops::Count => put_varint(&mut body, 1),
        Hops::SenderLast => {
            put_varint(&mut body, 1);
            put_varint(&mut body, HOP);
        }
        Hops::SenderApart => put_varint(&mut body, 0),
    }
    if version.typed_announce {
        put_varint(&mut body, 0); // warm cost
        put_varint(&mut body, 0); // cold cost
        return framed(&[0x0], &body); // START
    }
    framed(&[], &body)
}

/// The suffix that an announcement makes available, if it does. `kind` is its type where announcements are typed.
pub(crate) fn announced(version: &Version, kind: Option<u64>, mut body: Bytes) -> Option<String> {
    let active = match version.typed_announce {
        true => kind == Some(0),
        false => body.has_remaining() && body.get_u8() == 1,
    };
    if active { get_str(&mut body) } else { None }
}

/// SUBSCRIBE for everything from the latest group on, stream type included.
pub(crate) fn subscribe(version: &Version, id: u64, broadcast: &str, track: &str, priority: u8) -> Bytes {
    let mut body = BytesMut::new();
    put_varint(&mut body, id);
    put_str(&mut body, broadcast);
    put_str(&mut body, track);
    body.put_u8(priority);
    if version.ordered {
        body.put_u8(0);
    }
    put_varint(&mut body, MAX_AGE);
    put_varint(&mut body, 0); // start: latest, or no floor
    put_varint(&mut body, 0); // end: open
    if version.frame_bounds {
        put_varint(&mut body, 0);
        put_varint(&mut body, 0);
    }
    framed(&[0x2], &body)
}

/// The publisher's positive answer to SUBSCRIBE: SUBSCRIBE_OK or SUBSCRIBE_START.
pub(crate) fn subscribe_ok(version: &Version, group: u64) -> Bytes {
    let mut body = BytesMut::new();
    if version.subscribe_ok {
        body.put_u8(127); // priority
        body.put_u8(0); // ordered
        put_varint(&mut body, MAX_AGE);
        put_varint(&mut body, group + 1);
        put_varint(&mut body, 0); // end: open
    } else {
        put_varint(&mut body, group);
    }
    framed(&[0x0], &body)
}

pub(crate) fn track_info(version: &Version) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(127); // priority
    if version.ordered {
        body.put_u8(0);
    }
    put_varint(&mut body, MAX_AGE);
    put_varint(&mut body, 1000); // timescale
    framed(&[], &body)
}

/// GROUP, stream type included.
pub(crate) fn group_header(version: &Version, subscribe: u64, sequence: u64) -> Bytes {
    let mut body = BytesMut::new();
    put_varint(&mut body, subscribe);
    put_varint(&mut body, sequence);
    if version.frame_bounds {
        put_varint(&mut body, 0);
    }
    framed(&[0x0], &body)
}

/// The bytes ahead of a frame's payload. `delta` is the timestamp's distance from the previous frame's, in ms.
pub(crate) fn frame_header(version: &Version, delta: u64, size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    if version.timestamps {
        put_varint(&mut out, delta << 1); // zigzag
    }
    put_varint(&mut out, size as u64);
    out.freeze()
}

pub(crate) fn get_str(buf: &mut Bytes) -> Option<String> {
    let n = get_varint(buf)? as usize;
    if buf.remaining() < n {
        return None;
    }
    String::from_utf8(buf.split_to(n).to_vec()).ok()
}

fn put_str(out: &mut BytesMut, s: &str) {
    put_varint(out, s.len() as u64);
    out.put_slice(s.as_bytes());
}

/// A size-prefixed message body, behind whatever type bytes `head` holds.
fn framed(head: &[u64], body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 16);
    for h in head {
        put_varint(&mut out, *h);
    }
    put_varint(&mut out, body.len() as u64);
    out.put_slice(body);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str) -> &'static Version {
        Version::parse(name).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
    }

    /// Every row differs from a golden vector of the wire reference only in the values this generator fixes.
    #[test]
    fn golden() {
        for (bytes, expected) in [
            (setup(), "01 01 00"),
            (announce_request(version("03"), ""), "01 01 00"),
            (announce_request(version("05"), ""), "01 02 00 00"),
            (announce_request(version("06"), ""), "01 01 00"),
            (announce_active(version("03"), "cam"), "06 01 03 63 61 6d 01"),
            (announce_active(version("04"), "cam"), "0a 01 03 63 61 6d 01 80 00 5e ed"),
            (announce_active(version("05"), "cam"), "06 01 03 63 61 6d 00"),
            (announce_active(version("06"), "cam"), "00 07 03 63 61 6d 00 00 00"),
            (subscribe(version("05"), 1, "a", "t", 7), "02 0b 01 01 61 01 74 07 00 67 10 00 00"),
            (subscribe(version("06"), 1, "a", "t", 7), "02 0c 01 01 61 01 74 07 67 10 00 00 00 00"),
            (subscribe_ok(version("03"), 0), "00 06 7f 00 67 10 01 00"),
            (subscribe_ok(version("06"), 42), "00 01 2a"),
            (track_info(version("05")), "06 7f 00 67 10 43 e8"),
            (track_info(version("06")), "05 7f 67 10 43 e8"),
            (group_header(version("05"), 1, 42), "00 02 01 2a"),
            (group_header(version("06"), 1, 42), "00 03 01 2a 00"),
            (frame_header(version("04"), 1000, 2), "02"),
            (frame_header(version("05"), 1000, 2), "47 d0 02"),
        ] {
            assert_eq!(hex(&bytes), expected);
        }
    }

    #[test]
    fn reads_its_own_announcements() {
        for version in super::super::version::ALL {
            let mut bytes = announce_active(version, "cam");
            let kind = version.typed_announce.then(|| get_varint(&mut bytes).unwrap());
            assert_eq!(get_varint(&mut bytes), Some(bytes.len() as u64));
            assert_eq!(announced(version, kind, bytes), Some("cam".into()));
        }
    }
}
