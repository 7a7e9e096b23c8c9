use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

fn read(json: &str) -> Result<Rights, Refusal> {
    Rights::read(json.as_bytes(), &Rules::default(), now())
}

fn reason(json: &str) -> Reason {
    read(json).expect_err(json).reason
}

/// "publish | subscribe", as absolute names.
fn granted(json: &str) -> String {
    let rights = read(json).unwrap_or_else(|refusal| panic!("{json}: {refusal:?}"));
    format!("{} | {}", names(&rights.publish), names(&rights.subscribe))
}

fn names(scope: &Scope) -> String {
    let names: Vec<_> = scope.prefixes().iter().map(|path| format!("/{path}")).collect();
    names.join(" ")
}

#[test]
fn every_spelling_of_a_grant() {
    for (json, expected) in [
        (r#"{"root":"room","put":"alice","get":""}"#, "/room/alice | /room"),
        (r#"{"root":"room","put":["alice","bob"],"get":["","x"]}"#, "/room/alice /room/bob | /room"),
        (r#"{"put":"","get":""}"#, "/ | /"),
        (r#"{"put":""}"#, "/ | "),
        (r#"{"get":["a"]}"#, " | /a"),
        (r#"{"root":"room","pub":"alice","sub":""}"#, "/room/alice | /room"),
        (r#"{"root":"room","pub":["alice"],"sub":["","x"]}"#, "/room/alice | /room"),
        (r#"{"path":"room","pub":"alice","sub":""}"#, "/room/alice | /room"),
        (r#"{"path":"","sub":"a"}"#, " | /a"),
        (r#"{"pub":"a","sub":"b"}"#, "/a | /b"),
        (r#"{"pub!":"cam","sub":"b"}"#, "/cam | /b"),
        (r#"{"root":"live","publish":["a/**"],"subscribe":["**"]}"#, "/live/a | /live"),
        (r#"{"root":"room","put":"a/**"}"#, "/room/a | "),
        // The newer spelling counts, and then `sub` is somebody's name.
        (r#"{"root":"room","put":"a","sub":"user-7"}"#, "/room/a | "),
        (r#"{"root":"room","get":"a","sub":7}"#, " | /room/a"),
        (r#"{"root":"/room//x/","put":["/a//b/"]}"#, "/room/x/a/b | "),
        // As moq-token 0.3 and 0.4 wrote it.
        (r#"{"path":"demo/","pub":"cam","sub":null,"exp":null,"iat":null}"#, "/demo/cam | "),
    ] {
        assert_eq!(granted(json), expected, "{json}");
    }
}

#[test]
fn a_subject_is_not_a_grant() {
    assert_eq!(reason(r#"{"sub":"room"}"#), Reason::NoGrant);
    assert_eq!(reason(r#"{"sub":"room","aud":"x","iss":"y"}"#), Reason::NoGrant);
    let legacy = Rules { legacy: true, ..Rules::default() };
    let rights = Rights::read(br#"{"sub":"room"}"#, &legacy, now()).unwrap();
    assert_eq!((names(&rights.subscribe).as_str(), rights.legacy), ("/room", true));
}

#[test]
fn old_spellings_are_noticed() {
    assert!(!read(r#"{"put":""}"#).unwrap().legacy);
    assert!(read(r#"{"pub":""}"#).unwrap().legacy);
}

#[test]
fn tokens_without_a_grant() {
    for json in [
        "{}",
        r#"{"root":"a"}"#,
        r#"{"put":null,"get":null}"#,
        r#"{"put":[],"get":[]}"#,
        r#"{"cluster":false}"#,
        r#"{"root":"","pub":[]}"#,
    ] {
        assert_eq!(reason(json), Reason::NoGrant, "{json}");
    }
    assert!(read(r#"{"cluster":true}"#).unwrap().cluster);
}

#[test]
fn claims_of_the_wrong_type_are_not_missing() {
    for claim in [
        r#""exp":"1900000000""#,
        r#""exp":[1900000000]"#,
        r#""exp":true"#,
        r#""exp":1e400"#,
        r#""exp":1e30"#,
        r#""nbf":"0""#,
        r#""iat":{}"#,
        r#""put":7"#,
        r#""put":[["a"]]"#,
        r#""get":[1]"#,
        r#""root":["a"]"#,
        r#""cluster":"true""#,
        r#""cluster":1"#,
        r#""aud":7"#,
        r#""jti":7"#,
        r#""publish":["a"]"#,
    ] {
        let json = if claim.contains("put") || claim.contains("publish") {
            format!("{{{claim}}}")
        } else {
            format!(r#"{{"put":"a",{claim}}}"#)
        };
        // One spelling at a time: patterns are not looked at beside put.
        assert_eq!(reason(&json), Reason::Malformed, "{json}");
    }
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    for json in
        [r#"{"put":"a","put":""}"#, r#"{"put":"a","exp":1,"exp":1900000000}"#, r#"{"root":"","put":"","root":"a"}"#]
    {
        assert_eq!(reason(json), Reason::Malformed, "{json}");
    }
}

#[test]
fn json_that_is_broken_or_too_deep() {
    let deep = |levels: usize| format!(r#"{{"put":"a","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(read(&deep(MAX_DEPTH - 1)).is_ok());
    for json in
        ["", "{", "[]", r#"["a"]"#, "7", "null", r#"{"put":"a"}x"#, r#"{put:"a"}"#, &deep(MAX_DEPTH), &deep(2000)]
    {
        assert_eq!(reason(json), Reason::Malformed, "{json}");
    }
    assert!(read(r#"{"put":"a","x":"[[[[[[[[[[[[[[[[[[[[\"[[[["}"#).is_ok());
}

#[test]
fn more_names_than_a_token_may_have() {
    let names = |count: usize| (0..count).map(|i| format!("\"{i}\"")).collect::<Vec<_>>().join(",");
    assert!(read(&format!(r#"{{"put":[{}],"get":[{}]}}"#, names(32), names(32))).is_ok());
    assert_eq!(reason(&format!(r#"{{"put":[{}],"get":[{}]}}"#, names(32), names(33))), Reason::Malformed);
}

#[test]
fn names_that_are_no_paths() {
    for name in ["a/*", "*/b", "**/b", "a/**/b", &"x/".repeat(33), &"x".repeat(300)] {
        assert_eq!(reason(&format!(r#"{{"put":"{name}"}}"#)), Reason::Malformed, "{name}");
    }
    assert_eq!(granted(r#"{"put":"a/../b"}"#), "/a/../b | ");
}

#[test]
fn time_is_checked_to_the_second() {
    let at = |claim: &str, offset: i64| read(&format!(r#"{{"put":"a","{claim}":{}}}"#, NOW.as_secs() as i64 + offset));
    assert_eq!(at("exp", 1).unwrap().expires, Some(now() + Duration::from_secs(1)));
    for (claim, offset, expected) in [
        ("exp", 0, Reason::Expired),
        ("exp", -1, Reason::Expired),
        ("nbf", 31, Reason::NotYetValid),
        ("iat", 31, Reason::NotYetValid),
    ] {
        assert_eq!(at(claim, offset).expect_err(claim).reason, expected, "{claim} {offset}");
    }
    for (claim, offset) in [("nbf", 0), ("nbf", 30), ("iat", -9_000_000), ("iat", 30)] {
        assert!(at(claim, offset).is_ok(), "{claim} {offset}");
    }
    assert_eq!(reason(r#"{"put":"a","exp":-5}"#), Reason::Expired);
    assert_eq!(reason(r#"{"put":"a","exp":0}"#), Reason::Expired);
    assert!(read(r#"{"put":"a","exp":1900000000.75}"#).is_ok());
    assert!(read(r#"{"put":"a","nbf":-5}"#).is_ok());
}

#[test]
fn an_audience_locks_nobody_out_unless_one_is_configured() {
    let rules =
        |audience: &[&str]| Rules { audience: audience.iter().map(ToString::to_string).collect(), ..Rules::default() };
    let with = |aud: &str, audience: &[&str]| {
        Rights::read(format!(r#"{{"put":"a"{aud}}}"#).as_bytes(), &rules(audience), now()).map_err(|it| it.reason)
    };
    for aud in ["", r#","aud":"x""#, r#","aud":["x","y"]"#, r#","aud":[]"#] {
        assert!(with(aud, &[]).is_ok(), "{aud}");
    }
    assert!(with(r#","aud":"x""#, &["x"]).is_ok());
    assert!(with(r#","aud":["y","x"]"#, &["x", "z"]).is_ok());
    for aud in ["", r#","aud":"y""#, r#","aud":["y"]"#, r#","aud":[]"#, r#","aud":"X""#] {
        assert_eq!(with(aud, &["x"]), Err(Reason::Audience), "{aud}");
    }
}

/// Root, put and get of a token, the path dialed, and what comes out: absolute names, or the reason.
#[test]
fn grants_are_narrowed_to_the_path() {
    for (root, put, get, path, expected) in [
        ("room/123", "alice", "", "/room/123", Ok("/room/123/alice | /room/123")),
        ("room/123", "", "", "/secret", Err(Reason::RootMismatch)),
        ("room/123", "", "", "/room/1234", Err(Reason::RootMismatch)),
        ("room/123", "", "", "/room/12", Err(Reason::RootMismatch)),
        ("room/123", "", "", "/room/123/alice", Ok("/room/123/alice | /room/123/alice")),
        ("room/123", "alice", "", "/room/123/alice", Ok("/room/123/alice | /room/123/alice")),
        ("room/123", "alice", "", "/room/123/bob", Ok(" | /room/123/bob")),
        ("room/123", "alice", "bob", "/room/123/alice", Ok("/room/123/alice | ")),
        ("room/123", "alice", "bob", "/room/123/eve", Err(Reason::NotAllowed)),
        (
            "room/123",
            "users/alice/camera",
            "users/bob/screen",
            "/room/123/users",
            Ok("/room/123/users/alice/camera | /room/123/users/bob/screen"),
        ),
        (
            "room/123",
            "users/alice/camera",
            "users/bob/screen",
            "/room/123/users/alice",
            Ok("/room/123/users/alice/camera | "),
        ),
        ("room", "users", "x", "/room/users/alice", Ok("/room/users/alice | ")),
        ("demo", "alice", "", "/", Ok("/demo/alice | /demo")),
        ("room/123", "alice", "", "/room", Ok("/room/123/alice | /room/123")),
        ("demo", "", "", "/other", Err(Reason::RootMismatch)),
        ("", "x", "demo", "/other", Err(Reason::NotAllowed)),
        ("", "x", "demo", "/demo/room", Ok(" | /demo/room")),
        ("foo", "", "", "/foobar", Err(Reason::RootMismatch)),
        ("foo/../bar", "", "", "/bar", Err(Reason::RootMismatch)),
        ("foo", "", "", "/foo/../bar", Ok("/foo/../bar | /foo/../bar")),
        ("foo", "", "", "/%66oo", Err(Reason::RootMismatch)),
        ("/room/123/", "/bob/", "x", "//room/123//", Ok("/room/123/bob | /room/123/x")),
        ("caf\u{e9}", "", "", "/cafe\u{301}", Err(Reason::RootMismatch)),
        ("ROOM", "", "", "/room", Err(Reason::RootMismatch)),
    ] {
        let json = serde_json::json!({ "root": root, "put": put, "get": get }).to_string();
        let below = read(&json).unwrap().below(&Path::parse(path).unwrap());
        let found = below.map(|(publish, subscribe)| format!("{} | {}", names(&publish), names(&subscribe)));
        assert_eq!(found.as_deref().map_err(|refusal| refusal.reason), expected, "{json} at {path}");
    }
}

#[test]
fn secrets_are_not_part_of_the_story() {
    let refusal = read(r#"{"put":"a","exp":"hush"}"#).unwrap_err();
    assert!(!refusal.story().contains("hush"), "{refusal:?}");
}
