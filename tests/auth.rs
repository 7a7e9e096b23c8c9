//! Who gets in with which token: the same table at every door, and why the others do not.

mod common;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{ANYWHERE, End, Key, Socket, TestRelay, assemble, dialect, from_now};
use moq_relay::{
    auth::{Config, Public, config::Source},
    web::config::Listen,
    wire::lite::close,
};
use quinn::TransportConfig;
use serde_json::json;

/// How a token comes to the relay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    Session(Socket),
    Announced,
    Fetch,
}

const DOORS: [Door; 7] = [
    Door::Session(Socket::Raw),
    Door::Session(Socket::Web),
    Door::Session(Socket::WebSocket("qmux-01")),
    Door::Session(Socket::Tcp),
    Door::Session(Socket::Unix),
    Door::Announced,
    Door::Fetch,
];

/// A relay at every door, where `anon` is public, and its keys: one in a file, others in a folder.
struct World {
    relay: TestRelay,
    secret: Key,
    curve: Key,
    rsa: Key,
    edwards: Key,
    scoped: Key,
    stranger: Key,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let key = |algorithm, kid: &str| {
            let key = Key::new(algorithm, kid);
            let public = key.jwk.public().unwrap_or_else(|_| key.jwk.clone());
            std::fs::write(folder.join(format!("{kid}.jwk")), public.to_base64()).unwrap();
            key
        };
        let (curve, rsa, edwards) = (key("ES256", "curve"), key("RS256", "rsa"), key("EdDSA", "edwards"));
        let secret = Key::new("HS256", "secret");
        std::fs::write(folder.join("single"), secret.jwk.to_json()).unwrap();
        let mut scoped = Key::new("HS256", "scoped");
        let limit = r#"{"root":"room","put":["a"],"get":["a"]}"#;
        scoped.jwk.scope = serde_json::from_str(limit).unwrap();
        std::fs::write(folder.join("scoped.jwk"), scoped.jwk.to_json()).unwrap();
        let relay = TestRelay::with(|config| {
            config.web.http.listen = Listen::BesideServer;
            config.transport.server.tcp = vec![ANYWHERE.into()];
            config.auth = Config {
                public: Public { both: Config::public_scope(["anon"]).unwrap(), ..Public::default() },
                key: Some(Source::File(folder.join("single"))),
                key_dir: Some(Source::File(folder.clone())),
                ..Config::default()
            };
        })
        .await;
        Self { relay, secret, curve, rsa, edwards, scoped, stranger: Key::new("HS256", "secret") }
    }

    /// Whether somebody comes in, or the reason.
    async fn knock(&self, door: Door, path: &str, query: &str) -> Result<(), String> {
        let target = format!("{path}{query}");
        match door {
            Door::Announced => answer(self.relay.get(&format!("/announced/{target}"), "").await),
            Door::Fetch => answer(self.relay.get(&format!("/fetch/{path}/video{query}"), "").await),
            Door::Session(Socket::WebSocket(_)) => {
                let lines = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: qmux-01.moq-lite-05\r\n";
                answer(self.relay.get(&format!("/{target}"), lines).await)
            }
            Door::Session(socket) => {
                let peer = self.relay.peer_at(socket, dialect("05"), &target, TransportConfig::default()).await;
                let peer = peer.expect("a refusal is a close");
                match peer.track_info("no", "such").await.read().await {
                    Err(End::Reset(_)) => Ok(()),
                    other => {
                        let closed = peer.closed().await;
                        assert_eq!(closed.code, Some(close::UNAUTHORIZED), "{other:?} {closed:?}");
                        Err(closed.reason.to_string())
                    }
                }
            }
        }
    }
}

fn answer(answer: common::Answer) -> Result<(), String> {
    match answer.status {
        // Nothing is there, but that could be said.
        101 | 200 | 404 => Ok(()),
        400 | 401 => Err(answer.body),
        _ => panic!("{answer:?}"),
    }
}

/// A token, the path it is used at, and what comes of it: nothing for a way in, else the reason.
struct Row {
    name: &'static str,
    token: String,
    path: &'static str,
    expected: &'static str,
    /// Where it is something else at one door.
    but: Option<(Door, &'static str)>,
}

fn row(name: &'static str, token: impl Into<String>, path: &'static str, expected: &'static str) -> Row {
    Row { name, token: token.into(), path, expected, but: None }
}

fn rows(world: &World) -> Vec<Row> {
    let World { secret, curve, rsa, edwards, scoped, stranger, .. } = world;
    let all = json!({"root": "room", "put": "", "get": ""});
    let with = |more: &str| secret.sign_text(&format!(r#"{{"root":"room","put":"","get":"",{more}}}"#));
    let header = |alg: &str| format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"secret"}}"#);
    let unsigned = |alg: &str| assemble(&header(alg), &all.to_string(), b"");
    // The oldest trick: a public key, which everybody has, as the secret of an HMAC.
    let confused = {
        let message = assemble(r#"{"typ":"JWT","alg":"HS256","kid":"curve"}"#, &all.to_string(), b"");
        let message = message.trim_end_matches('.');
        let public = hmac::Key::new(hmac::HMAC_SHA256, curve.jwk.public().unwrap().to_json().as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&public, message.as_bytes())))
    };
    let good = secret.sign(&all);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let tampered = {
        let other = URL_SAFE_NO_PAD.encode(json!({"root": "", "put": "", "get": ""}).to_string());
        format!("{head}.{other}.{signature}")
    };
    let nested = format!(r#""x":{}{}"#, "[".repeat(40), "]".repeat(40));
    let names: Vec<_> = (0..65).map(|i| i.to_string()).collect();
    let sign = |root: &str, get: &str| secret.sign(&json!({"root": root, "get": get}));
    vec![
        // Good ones, by every kind of key and in every spelling.
        row("HS256", &*good, "room", ""),
        row("ES256", curve.sign(&all), "room", ""),
        row("RS256", rsa.sign(&all), "room", ""),
        row("EdDSA", edwards.sign(&all), "room", ""),
        row("a key that is alone has no name to know", secret.named(None).sign(&all), "room", ""),
        row("lists", secret.sign(&json!({"root": "room", "put": ["a"], "get": ["", "b"]})), "room", ""),
        row("pub and sub", secret.sign(&json!({"root": "room", "pub": "a", "sub": ""})), "room", ""),
        row("path, pub and sub", secret.sign(&json!({"path": "room", "pub": "a", "sub": ""})), "room", ""),
        row("patterns", secret.sign(&json!({"root": "room", "publish": ["a/**"], "subscribe": ["**"]})), "room", ""),
        row("no root", secret.sign(&json!({"get": "room"})), "room", ""),
        row("everything", secret.sign(&json!({"put": "", "get": ""})), "anything/at/all", ""),
        row("an audience that nobody asked for", with(r#""aud":"somebody""#), "room", ""),
        row("other claims", with(r#""iss":"x","name":"y","x":{"y":[1,null]}"#), "room", ""),
        row("nulls, as old tools wrote them", with(r#""exp":null,"iat":null,"pub":null"#), "room", ""),
        row("a cluster", with(r#""cluster":true"#), "room", ""),
        row("a scoped key within its limit", scoped.sign(&json!({"root": "room/a", "get": ""})), "room/a", ""),
        // Time.
        row("ends later", with(&format!(r#""exp":{}"#, from_now(60))), "room", ""),
        row("ends later, in fractions", with(&format!(r#""exp":{}.5"#, from_now(60))), "room", ""),
        row("began", with(&format!(r#""nbf":{},"iat":{}"#, from_now(-60), from_now(-60))), "room", ""),
        row("begins within the leeway", with(&format!(r#""nbf":{}"#, from_now(20))), "room", ""),
        row("ended", with(&format!(r#""exp":{}"#, from_now(-1))), "room", "auth/expired"),
        row("ended long ago", with(r#""exp":1"#), "room", "auth/expired"),
        row("ended before the beginning of time", with(r#""exp":-1"#), "room", "auth/expired"),
        row("begins later", with(&format!(r#""nbf":{}"#, from_now(90))), "room", "auth/not-yet-valid"),
        row("made later", with(&format!(r#""iat":{}"#, from_now(90))), "room", "auth/not-yet-valid"),
        // Signatures and algorithms.
        row("somebody else's key of the same name", stranger.sign(&all), "room", "auth/signature"),
        row("another key's name", secret.named(Some("curve")).sign(&all), "room", "auth/algorithm"),
        row("no signature", format!("{message}."), "room", "auth/signature"),
        row("half a signature", &good[..good.len() - 9], "room", "auth/signature"),
        row("more than a signature", format!("{good}AAAA"), "room", "auth/signature"),
        row("a signature that is not base64url", format!("{message}.!!"), "room", "auth/signature"),
        row("other claims under the signature", tampered, "", "auth/signature"),
        row("none", unsigned("none"), "room", "auth/algorithm"),
        row("None", unsigned("None"), "room", "auth/algorithm"),
        row("NONE with a signature", format!("{}{signature}", unsigned("NONE")), "room", "auth/algorithm"),
        row("an algorithm nobody has", unsigned("HS1"), "room", "auth/algorithm"),
        row("ES512", unsigned("ES512"), "room", "auth/algorithm"),
        row("an empty algorithm", unsigned(""), "room", "auth/algorithm"),
        row(
            "a longer HMAC than the key is for",
            Key { jwk: moq_relay::auth::Jwk { alg: Some("HS512".into()), ..secret.jwk.clone() } }.sign(&all),
            "room",
            "auth/algorithm",
        ),
        row("a public key as a secret", confused, "room", "auth/algorithm"),
        row(
            "PS256 with a key for RS256",
            Key { jwk: moq_relay::auth::Jwk { alg: Some("PS256".into()), ..rsa.jwk.clone() } }.sign(&all),
            "room",
            "auth/algorithm",
        ),
        row("a key that is nowhere", Key::new("ES256", "nowhere").sign(&all), "room", "auth/algorithm"),
        row(
            "a key's name that goes up",
            Key::new("ES256", "x").named(Some("../single")).sign(&all),
            "room",
            "auth/algorithm",
        ),
        row("a scoped key beyond its limit", scoped.sign(&json!({"root": "room", "get": ""})), "room", "auth/scope"),
        row(
            "a scoped key for a cluster",
            scoped.sign(&json!({"root": "room/a", "get": "", "cluster": true})),
            "room/a",
            "auth/scope",
        ),
        // What is not a token.
        row("a word", "token", "room", "auth/malformed"),
        row("one dot", "a.b", "room", "auth/malformed"),
        row("four parts", format!("{good}.x"), "room", "auth/malformed"),
        row("two dots", "..", "room", "auth/malformed"),
        row("a header that is no JSON", assemble("{", "{}", b"x"), "room", "auth/malformed"),
        row("a header that is a list", assemble("[]", "{}", b"x"), "room", "auth/malformed"),
        row("a header without alg", assemble("{}", "{}", b"x"), "room", "auth/malformed"),
        row(
            "a header with two algs",
            assemble(r#"{"alg":"none","alg":"HS256"}"#, "{}", b"x"),
            "room",
            "auth/malformed",
        ),
        row(
            "a header with crit",
            assemble(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}", b"x"),
            "room",
            "auth/malformed",
        ),
        row("padding", format!("{head}=.{payload}.{signature}"), "room", "auth/malformed"),
        row("huge", with(&format!(r#""x":"{}""#, "x".repeat(4096))), "room", "auth/too-long"),
        row("as long as it may be, almost", with(&format!(r#""x":"{}""#, "x".repeat(2800))), "room", ""),
        row("deep", with(&nested), "room", "auth/malformed"),
        row("claims that are a list", secret.sign_text("[]"), "room", "auth/malformed"),
        row("claims that are no JSON", secret.sign_text("{"), "room", "auth/malformed"),
        row("exp as text", with(r#""exp":"9999999999""#), "room", "auth/malformed"),
        row("exp as a list", with(r#""exp":[9999999999]"#), "room", "auth/malformed"),
        row("nbf as text", with(r#""nbf":"0""#), "room", "auth/malformed"),
        row("exp beyond the end of time", with(r#""exp":1e300"#), "room", "auth/malformed"),
        row("exp twice", with(&format!(r#""exp":1,"exp":{}"#, from_now(60))), "room", "auth/malformed"),
        row("put twice", secret.sign_text(r#"{"put":"","put":"room"}"#), "room", "auth/malformed"),
        row("cluster as text", with(r#""cluster":"true""#), "room", "auth/malformed"),
        row("root as a list", secret.sign_text(r#"{"root":["room"],"get":""}"#), "room", "auth/malformed"),
        row("get as a number", secret.sign_text(r#"{"root":"room","get":1}"#), "room", "auth/malformed"),
        row("too many names", secret.sign(&json!({"put": names})), "room", "auth/malformed"),
        row("a wildcard inside", sign("room", "a/*/b"), "room", "auth/malformed"),
        row(
            "a pattern that is one name",
            secret.sign(&json!({"root": "room", "subscribe": ["a"]})),
            "room",
            "auth/malformed",
        ),
        row("no grant", secret.sign(&json!({"root": "room"})), "room", "auth/no-grant"),
        row("empty grants", secret.sign(&json!({"root": "room", "put": [], "get": []})), "room", "auth/no-grant"),
        row("a subject", secret.sign(&json!({"sub": "room", "iss": "x"})), "room", "auth/no-grant"),
        // Paths.
        row("below the root", &*good, "room/a/b", ""),
        row("slashes that say nothing", &*good, "/room//a/", ""),
        row("above the root", &*good, "", ""),
        Row {
            but: Some((Door::Fetch, "auth/not-allowed")),
            ..row("above a deeper root", sign("room/a", ""), "room", "")
        },
        row("another path", &*good, "other", "auth/root-mismatch"),
        row("a longer name", &*good, "roommate", "auth/root-mismatch"),
        row("a shorter name", &*good, "roo", "auth/root-mismatch"),
        row("another case", &*good, "Room", "auth/root-mismatch"),
        row("beside the grant", sign("room", "a"), "room/b", "auth/not-allowed"),
        row("a longer name than the grant", sign("room", "a"), "room/ab", "auth/not-allowed"),
        row("below the grant", sign("room", "a"), "room/a/b", ""),
        row("what is public does not come on top", sign("room", ""), "anon", "auth/root-mismatch"),
        // A client of WebTransport goes up by itself.
        Row {
            but: Some((Door::Session(Socket::Web), "auth/root-mismatch")),
            ..row("a path that goes up is a name", &*good, "room/../other", "")
        },
        row("a path that goes up from outside", &*good, "other/x/room", "auth/root-mismatch"),
        row("a root that goes up", sign("room/../other", ""), "other", "auth/root-mismatch"),
        row("percent-encoded", &*good, "r%6fom", "auth/root-mismatch"),
        row("percent-encoded slash", &*good, "room%2fa", "auth/root-mismatch"),
        row("a name beyond ASCII as URLs write it", sign("caf%C3%A9", ""), "caf%C3%A9", ""),
        row("the same name as text", sign("caf\u{e9}", ""), "caf%C3%A9", "auth/root-mismatch"),
    ]
}

#[tokio::test]
async fn a_token_is_worth_the_same_at_every_door() {
    let world = World::new().await;
    let rows = rows(&world);
    assert!(rows.len() >= 60);
    let mut wrong = Vec::new();
    for Row { name, token, path, expected, but } in &rows {
        for door in DOORS {
            let expected = but.filter(|(at, _)| *at == door).map_or(*expected, |(_, expected)| expected);
            // A page without a broadcast is nothing to ask for.
            if door == Door::Fetch && path.is_empty() {
                continue;
            }
            let found = world.knock(door, path, &format!("?jwt={token}")).await;
            let found = found.as_ref().map_or_else(|reason| reason.split(": ").next().unwrap(), |()| "");
            if found != expected {
                wrong.push(format!("{name} at {door:?}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len() * DOORS.len(), wrong.join("\n"));
}

#[tokio::test]
async fn without_a_token_there_is_what_is_public() {
    let world = World::new().await;
    for door in DOORS {
        for (path, query, expected) in [
            ("anon/x", "", ""),
            ("anon/x", "?jwt=", ""),
            ("room/x", "", "auth/not-public"),
            ("anonymous/x", "", "auth/not-public"),
        ] {
            let found = world.knock(door, path, query).await;
            let found = found.as_ref().map_or_else(|reason| reason.split(": ").next().unwrap(), |()| "");
            assert_eq!(found, expected, "{path}{query} at {door:?}");
        }
    }
}

#[tokio::test]
async fn a_token_may_come_in_a_header_where_there_are_headers() {
    let World { relay, secret, .. } = &World::new().await;
    let good = secret.sign(&json!({"root": "room", "get": ""}));
    for (line, status) in [
        (format!("authorization: Bearer {good}\r\n"), 200),
        (format!("authorization: bearer {good}\r\n"), 200),
        (format!("authorization: Basic {good}\r\n"), 401),
        ("authorization: Bearer x.y.z\r\n".to_owned(), 401),
        (String::new(), 401),
    ] {
        assert_eq!(relay.get("/announced/room", &line).await.status, status, "{line}");
    }
    let upgrade = format!(
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer {good}\r\n"
    );
    assert_eq!(relay.get("/room", &upgrade).await.status, 101);
}

#[tokio::test]
async fn two_with_tokens_meet_at_every_door() {
    let World { relay, secret, .. } = &World::new().await;
    let publishing = format!("room/x?jwt={}", secret.sign(&json!({"root": "room", "put": ""})));
    let watching = format!("room?jwt={}", secret.sign(&json!({"root": "room", "get": "x"})));
    for socket in [Socket::Raw, Socket::Web, Socket::WebSocket("qmux-02"), Socket::Tcp, Socket::Unix] {
        let limits = TransportConfig::default;
        let publisher = relay.peer_at(socket, dialect("05"), &publishing, limits()).await.unwrap();
        let viewer = relay.peer_at(socket, dialect("05"), &watching, limits()).await.unwrap();
        publisher.reaches(&viewer, "x/a").await;
    }
}
