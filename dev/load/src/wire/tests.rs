//! The golden vectors of the wire reference.

use super::{version::Hops, *};

fn version(name: &str) -> &'static Version {
    Version::parse(name).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

/// Takes the size off a message, and its type where it has one.
fn body(version: &Version, typed: bool, message: &[u8]) -> (Option<u64>, Vec<u8>) {
    let mut message = message;
    let kind = typed.then(|| version.varint.get(&mut message).unwrap());
    assert_eq!(version.varint.get(&mut message), Some(message.len() as u64));
    (kind, message.to_vec())
}

/// Every row differs from a golden vector only in the values that this generator fixes.
#[test]
fn writes() {
    let v = version;
    for (bytes, expected) in [
        (client_setup(0xff0d_ad01), "20 00 0a 01 c0 00 00 00 ff 0d ad 01 00"),
        (client_setup(0xff0d_ad02), "20 00 0a 01 c0 00 00 00 ff 0d ad 02 00"),
        (setup(v("05"), ""), "01 01 00"),
        (setup(v("05"), "/a"), "01 05 01 02 02 2f 61"),
        (setup(v("07-wip"), ""), "01 01 00"),
        (request(v("01"), "room/1"), "01 07 06 72 6f 6f 6d 2f 31"),
        (request(v("03"), ""), "01 01 00"),
        (request(v("05"), ""), "01 02 00 00"),
        (request(v("06"), ""), "01 01 00"),
        (request(v("07-wip"), ""), "01 02 00 01"),
        (first_reply(v("01"), 1), "01 00"),
        (first_reply(v("03"), 1), ""),
        (first_reply(v("05"), 1), "05 80 00 5e ed 01"),
        (first_reply(v("07-wip"), 1), "04 c0 5e ed 01"),
        (active(v("01"), "cam"), "05 01 03 63 61 6d"),
        (active(v("02"), "cam"), "05 01 03 63 61 6d"),
        (active(v("03"), "cam"), "06 01 03 63 61 6d 01"),
        (active(v("04"), "cam"), "0a 01 03 63 61 6d 01 80 00 5e ed"),
        (active(v("05"), "cam"), "06 01 03 63 61 6d 00"),
        (active(v("06"), "cam"), "00 07 03 63 61 6d 00 00 00"),
        (active(v("07-wip"), "cam"), "00 0b 00 00 03 63 61 6d 00 00 00 00 00"),
        (ended(v("01"), "cam", 0), "05 00 03 63 61 6d"),
        (ended(v("03"), "cam", 0), "06 00 03 63 61 6d 00"),
        (ended(v("05"), "cam", 0), "06 00 03 63 61 6d 00"),
        (ended(v("06"), "cam", 2), "01 01 02"),
        (
            subscribe(v("01"), 0, "a/b", "catalog.json", 100),
            "02 13 00 03 61 2f 62 0c 63 61 74 61 6c 6f 67 2e 6a 73 6f 6e 64",
        ),
        (subscribe(v("02"), 1, "room/cam", "video", 7), "02 11 01 08 72 6f 6f 6d 2f 63 61 6d 05 76 69 64 65 6f 07"),
        (subscribe(v("05"), 1, "a", "t", 7), "02 0b 01 01 61 01 74 07 00 67 10 00 00"),
        (subscribe(v("06"), 1, "a", "t", 7), "02 0c 01 01 61 01 74 07 67 10 00 00 00 00"),
        (subscribe(v("07-wip"), 1, "a", "t", 7), "02 0c 01 01 61 01 74 07 a7 10 00 00 00 00"),
        (accept(v("01"), 0), "01 7f"),
        (accept(v("02"), 0), "00"),
        (accept(v("03"), 0), "00 06 7f 00 67 10 01 00"),
        (accept(v("06"), 42), "00 01 2a"),
        (track_info(v("05")), "06 7f 00 67 10 43 e8"),
        (track_info(v("06")), "05 7f 67 10 43 e8"),
        (track_info(v("07-wip")), "05 7f a7 10 83 e8"),
        (group_header(v("01"), 1, 42), "00 02 01 2a"),
        (group_header(v("05"), 1, 42), "00 02 01 2a"),
        (group_header(v("06"), 1, 42), "00 03 01 2a 00"),
        (group_header(v("07-wip"), 1, 100), "00 03 01 64 00"),
        (frame_header(v("01"), 1000, 5), "05"),
        (frame_header(v("04"), 1000, 2), "02"),
        (frame_header(v("05"), 1000, 2), "47 d0 02"),
        (frame_header(v("07-wip"), 1000, 2), "87 d0 02"),
    ] {
        assert_eq!(hex(&bytes), expected);
    }
}

#[test]
fn reads_server_setup() {
    assert_eq!(chosen(&bytes("c0 00 00 00 ff 0d ad 02 00")).unwrap(), 0xff0d_ad02);
    assert_eq!(chosen(&bytes("c0 00 00 00 ff 0d ad 01 00")).unwrap(), 0xff0d_ad01);
    assert!(chosen(&bytes("c0 00 00 00 ff 0d ad 01 00 00")).is_err(), "a byte too many");
}

#[test]
fn reads_requests() {
    for (name, message, prefix) in [
        ("01", "07 06 72 6f 6f 6d 2f 31", Some("room/1")),
        ("05", "08 06 72 6f 6f 6d 2f 31 2a", Some("room/1")),
        ("07-wip", "08 06 72 6f 6f 6d 2f 31 01", Some("room/1")),
        ("07-wip", "08 06 72 6f 6f 6d 2f 31 02", None),
        ("06", "08 06 72 6f 6f 6d 2f 31 2a", None),
    ] {
        let (_, body) = body(version(name), false, &bytes(message));
        assert_eq!(requested_prefix(version(name), &body).ok().as_deref(), prefix, "{name} {message}");
    }
}

#[test]
fn reads_first_replies() {
    for (name, message, suffixes) in [
        ("01", "01 00", Some(vec![])),
        ("02", "09 02 03 63 61 6d 03 6d 69 63", Some(vec!["cam", "mic"])),
        ("02", "05 02 03 63 61 6d", None),
        ("05", "02 2a 01", Some(vec![])),
        ("07-wip", "02 00 00", Some(vec![])),
    ] {
        let (_, body) = body(version(name), false, &bytes(message));
        let read = Announcements::new(version(name)).first(&body).ok();
        assert_eq!(read, suffixes.map(|s| s.into_iter().map(str::to_owned).collect()), "{name} {message}");
    }
}

#[test]
fn reads_announcements() {
    for (name, message, read) in [
        ("01", "05 01 03 63 61 6d", Ok(Some("cam"))),
        ("02", "05 00 03 63 61 6d", Ok(None)),
        ("03", "06 01 03 63 61 6d 02", Ok(Some("cam"))),
        ("04", "09 01 03 63 61 6d 02 07 41 2c", Ok(Some("cam"))),
        ("05", "06 00 03 63 61 6d 00", Ok(None)),
        ("05", "07 01 03 63 61 6d 01 07", Ok(Some("cam"))),
        ("05", "06 02 03 63 61 6d 00", Ok(Some("cam"))),
        ("04", "06 02 03 63 61 6d 00", Err(())),
        ("03", "06 03 03 63 61 6d 00", Err(())),
        ("06", "00 08 03 63 61 6d 01 07 0c 1e", Ok(Some("cam"))),
        ("06", "00 07 03 63 61 6d 01 07 0c", Err(())),
        ("06", "01 01 2a", Err(())),
        ("06", "02 05 03 01 07 0c 1e", Err(())),
        ("06", "09 01 2a", Ok(None)),
        ("07-wip", "00 0b 01 01 03 6d 69 63 01 00 01 0c 1e", Err(())),
    ] {
        let (kind, body) = body(version(name), version(name).typed_announce, &bytes(message));
        let next = Announcements::new(version(name)).next(kind, &body).map_err(drop);
        assert_eq!(next.as_ref().map(Option::as_deref), read.as_ref().map(|s| *s), "{name} {message}");
    }
}

/// What is announced may refer to what was announced, as long as that is there.
#[test]
fn resolves_bases() {
    let version = version("07-wip");
    let mut announcements = Announcements::new(version);
    let mut next = |message: &str| {
        let (kind, body) = body(version, true, &bytes(message));
        announcements.next(kind, &body).map_err(drop)
    };
    // "room/cam" over hops 7 and 8.
    assert_eq!(next("00 12 00 00 08 72 6f 6f 6d 2f 63 61 6d 00 02 07 08 00 0c 1e"), Ok(Some("room/cam".into())));
    assert_eq!(next("00 0b 01 01 03 6d 69 63 01 00 01 0c 1e"), Ok(Some("room/mic".into())), "one segment, one hop");
    assert_eq!(next("02 07 00 02 01 09 02 0c 1e"), Ok(None), "a restart over hops 9, 7 and 8");
    assert_eq!(next("00 08 02 02 00 02 00 03 0c 1e"), Ok(Some("room/cam".into())), "all that it had, three hops");
    assert_eq!(next("00 08 03 03 00 00 00 00 0c 1e"), Err(()), "there are two segments");
    assert_eq!(next("00 08 02 00 00 02 00 02 0c 1e"), Err(()), "there is one hop");
    assert_eq!(next("00 08 04 00 00 00 00 00 0c 1e"), Err(()), "there are three announcements");
    assert_eq!(next("01 01 01"), Ok(None));
    assert_eq!(next("01 01 01"), Err(()), "it has ended already");
    assert_eq!(next("00 08 02 00 00 00 00 00 0c 1e"), Err(()), "it has ended");
}

#[test]
fn reads_subscriptions() {
    for (name, message, id) in [
        ("01", "13 00 03 61 2f 62 0c 63 61 74 61 6c 6f 67 2e 6a 73 6f 6e 64", Some(0)),
        ("02", "11 01 08 72 6f 6f 6d 2f 63 61 6d 05 76 69 64 65 6f 07", Some(1)),
        ("03", "16 01 08 72 6f 6f 6d 2f 63 61 6d 05 76 69 64 65 6f 07 00 41 f4 00 00", Some(1)),
        ("05", "0a 02 01 61 01 74 ff 01 00 01 0a", Some(2)),
        ("06", "17 01 08 72 6f 6f 6d 2f 63 61 6d 05 76 69 64 65 6f 07 41 f4 00 00 00 00", Some(1)),
        ("06", "0b 02 01 61 01 74 ff 00 05 0a 03 08", Some(2)),
        ("02", "0a 02 01 61 01 74 ff 01 00 01 0a", None),
    ] {
        let (_, body) = body(version(name), false, &bytes(message));
        assert_eq!(requested(version(name), &body).ok().map(|(id, _)| id), id, "{name} {message}");
    }
}

#[test]
fn reads_answers_to_subscribe() {
    for (name, message, right) in [
        ("01", "01 07", true),
        ("01", "00", false),
        ("02", "00", true),
        ("02", "01 07", false),
        ("04", "00 06 07 00 41 f4 00 00", true),
        ("04", "01 03 05 07 00", false), // SUBSCRIBE_DROP, never to be sent there
        ("05", "00 01 2a", true),
        ("06", "01 02 40 64", true),
        ("06", "02 03 05 07 34", true),
        ("07-wip", "01 02 07 03", true),
        ("07-wip", "01 01 07", false),
        ("07-wip", "02 03 05 07 34", false),
    ] {
        let typed = matches!(version(name).accept, Accept::Preferences | Accept::Start);
        let (kind, body) = body(version(name), typed, &bytes(message));
        assert_eq!(check_reply(version(name), kind, &body).is_ok(), right, "{name} {message}");
    }
}

#[test]
fn reads_what_it_writes() {
    for version in ALL {
        let (kind, announced) = body(version, version.typed_announce, &active(version, "cam"));
        let mut announcements = Announcements::new(version);
        assert_eq!(announcements.next(kind, &announced).unwrap(), Some("cam".into()), "{version:?}");
        if version.first != First::Announcement {
            let (_, first) = body(version, false, &first_reply(version, 1));
            assert!(announcements.first(&first).unwrap().is_empty(), "{version:?}");
        }
        let typed = version.hops != Hops::None;
        let (kind, accepted) = body(version, typed, &accept(version, 300));
        check_reply(version, kind, &accepted).unwrap();
        let (_, asked) = body(version, true, &subscribe(version, 9, "a", "t", 1));
        assert_eq!(requested(version, &asked).unwrap().0, 9, "{version:?}");
        let (_, wanted) = body(version, true, &request(version, "room"));
        assert_eq!(requested_prefix(version, &wanted).unwrap(), "room", "{version:?}");
    }
}
