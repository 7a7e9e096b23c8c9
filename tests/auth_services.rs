//! Other programs that know who may do what: key servers, and the auth services of three generations.

mod common;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use common::{Key, Peer, Socket, TestRelay, dialect, soon};
use moq_relay::{
    auth::{self, Config, config::Source},
    types::Scope,
    web::config::Listen,
    wire::lite::close,
};
use quinn::TransportConfig;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, UnixListener},
    time::sleep,
};

/// What a service has at a path: a status, how long it counts, and the body.
type Page = (u16, &'static str, String);

/// A service that says what it is told to, and remembers what it was asked.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    pages: HashMap<String, Page>,
    asked: Vec<String>,
    bodies: Vec<Value>,
}

impl Service {
    /// At a free port.
    async fn start() -> (Self, String) {
        let service = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = service.router();
        tokio::spawn(async move { serve(listener, router).await });
        (service, url)
    }

    fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    fn say(&self, path: &str, page: Page) {
        self.0.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }
}

async fn serve(listener: TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(one(stream, router.clone()));
    }
}

async fn one(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = hyper_util::service::TowerToHyperService::new(router);
    let io = hyper_util::rt::TokioIo::new(stream);
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(State(service): State<Service>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut inner = service.0.lock().unwrap();
    inner.asked.push(format!("{method} {uri}"));
    if let Ok(body) = serde_json::from_slice(&body) {
        inner.bodies.push(body);
    }
    match inner.pages.get(uri.path()) {
        // Elsewhere.
        Some((307, _, url)) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url.clone())]).into_response(),
        Some((status, age, body)) => {
            let head = [(header::CACHE_CONTROL, *age)];
            (StatusCode::from_u16(*status).unwrap(), head, body.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn relay(auth: Config) -> TestRelay {
    TestRelay::with(|config| {
        config.web.http.listen = Listen::BesideServer;
        config.auth = auth;
    })
    .await
}

/// The status of a page, and the reason when there is one.
async fn status(relay: &TestRelay, page: &str) -> (u16, String) {
    let answer = relay.get(page, "").await;
    (answer.status, answer.body.split(": ").next().unwrap().to_owned())
}

fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}

const FINE: (u16, String) = (200, String::new());

fn page(path: &str, token: &str) -> String {
    format!("/announced/{path}?jwt={token}")
}

async fn enter(relay: &TestRelay, target: &str) -> Peer {
    relay.peer_at(Socket::Web, dialect("05"), target, TransportConfig::default()).await.unwrap()
}

async fn is_in(peer: &Peer) -> bool {
    peer.track_info("no", "such").await.read().await != Err(common::End::Closed)
}

#[tokio::test]
async fn keys_of_a_set_somewhere_else() {
    let (service, url) = Service::start().await;
    let (one, two, unknown) = (Key::new("ES256", "one"), Key::new("EdDSA", "two"), Key::new("ES256", "three"));
    let set = |keys: &[&Key]| {
        let keys: Vec<_> = keys.iter().map(|key| serde_json::to_value(key.jwk.public().unwrap()).unwrap()).collect();
        json!({ "keys": keys }).to_string()
    };
    service.say("/jwks", (200, "", set(&[&one, &two])));
    let auth = Config { key: Some(Source::Url(format!("{url}/jwks"))), ..Config::default() };
    let relay = relay(auth).await;
    let token = |key: &Key| key.sign(&json!({"root": "room", "get": ""}));
    assert_eq!(status(&relay, &page("room", &token(&one))).await, FINE);
    assert_eq!(status(&relay, &page("room", &token(&two))).await, FINE);
    assert_eq!(status(&relay, &page("room", &token(&two.named(None)))).await, FINE);
    assert_eq!(status(&relay, &page("room", &token(&unknown))).await, refused("auth/unknown-key"));
    assert_eq!(status(&relay, &page("room", &token(&unknown.named(Some("one"))))).await, refused("auth/signature"));
    let asked = service.asked().len();
    for _ in 0..20 {
        let made_up = Key { jwk: one.named(Some(&format!("k{}", rand::random::<u32>()))).jwk };
        assert_eq!(status(&relay, &page("room", &token(&made_up))).await, refused("auth/unknown-key"));
    }
    assert_eq!(service.asked().len(), asked, "whoever makes up names does not have the key server asked");
}

#[tokio::test]
async fn a_key_server_that_is_down_is_not_a_refusal() {
    let key = Key::new("ES256", "one");
    let auth = Config { key: Some(Source::Url("http://127.0.0.1:9/jwks".into())), ..Config::default() };
    let relay = relay(auth).await;
    let found = status(&relay, &page("room", &key.sign(&json!({"root": "room", "get": ""})))).await;
    assert_eq!(found, (502, "auth/keys-unavailable".to_owned()));
}

#[tokio::test]
async fn keys_by_name_somewhere_else() {
    let (service, url) = Service::start().await;
    let (key, gone) = (Key::new("HS256", "known"), Key::new("HS256", "gone"));
    service.say("/keys/known.jwk", (200, "max-age=300", key.jwk.to_base64()));
    service.say("/keys/broken.jwk", (200, "", "not a key".to_owned()));
    service.say("/keys/sick.jwk", (500, "", String::new()));
    let relay = relay(Config { key_dir: Some(Source::Url(format!("{url}/keys"))), ..Config::default() }).await;
    let token = |key: &Key| key.sign(&json!({"root": "room", "get": ""}));
    for _ in 0..3 {
        assert_eq!(status(&relay, &page("room", &token(&key))).await, FINE);
        assert_eq!(status(&relay, &page("room", &token(&gone))).await, refused("auth/unknown-key"));
    }
    assert_eq!(service.asked(), ["GET /keys/known.jwk", "GET /keys/gone.jwk"], "answers are remembered");
    for name in ["broken", "sick"] {
        let found = status(&relay, &page("room", &token(&key.named(Some(name))))).await;
        assert_eq!(found, (502, "auth/keys-unavailable".to_owned()), "{name}");
    }
    assert_eq!(status(&relay, &page("room", &token(&key.named(None)))).await, refused("auth/unknown-key"));
}

#[tokio::test]
async fn a_service_knows_what_is_public_elsewhere() {
    let (service, url) = Service::start().await;
    service.say("/public/foo", (200, "max-age=60", r#"{"subscribe":[""],"publish":[""]}"#.into()));
    service.say("/public/demo/x", (200, "", r#"{"subscribe":["viewer"]}"#.into()));
    service.say("/public/none", (200, "", "{}".into()));
    service.say("/public/odd", (200, "", "not json".into()));
    let public = auth::Public {
        subscribe: Config::public_scope(["static"]).unwrap(),
        api: Some(format!("{url}/public/")),
        ..auth::Public::default()
    };
    let relay = relay(Config { public, ..Config::default() }).await;
    assert_eq!(status(&relay, "/announced/static/a").await, FINE);
    assert!(service.asked().is_empty(), "what is known here is not asked for");
    assert_eq!(status(&relay, "/announced/foo").await, FINE);
    assert_eq!(status(&relay, "/announced/foo").await, FINE);
    assert_eq!(status(&relay, "/announced/demo/x").await, FINE);
    assert_eq!(service.asked(), ["GET /public/foo", "GET /public/demo/x"]);
    assert_eq!(status(&relay, "/announced/none").await, refused("auth/not-public"));
    assert_eq!(status(&relay, "/announced/odd").await, (502, "auth/service-unavailable".to_owned()));
    assert_eq!(status(&relay, "/announced/missing").await, refused("auth/service"));
    let asked = service.asked().len();
    assert_eq!(status(&relay, "/announced/a/../foo").await, refused("auth/not-public"));
    assert_eq!(status(&relay, "/announced/foo?jwt=a.b.c").await, refused("auth/no-key"));
    assert_eq!(service.asked().len(), asked);
}

#[tokio::test]
async fn the_service_of_2026_names_the_key_and_the_real_path() {
    let (service, url) = Service::start().await;
    let key = Key::new("HS256", "k");
    let jwk = serde_json::to_value(&key.jwk).unwrap();
    service.say("/auth", (200, "max-age=60", json!({"alias": "x7/room", "key": jwk, "tier": "sjc"}).to_string()));
    let relay = relay(Config { api: Some(format!("{url}/auth?v=1")), ..Config::default() }).await;
    let token = key.sign(&json!({"root": "demo", "put": "room", "get": "room"}));
    assert_eq!(status(&relay, &page("demo/room", &token)).await, FINE);
    assert_eq!(service.asked(), ["GET /auth?v=1&root=demo%2Froom&kid=k"]);
    // Whoever publishes at demo/room is found at x7/room.
    let publisher = enter(&relay, &format!("demo/room?jwt={token}")).await;
    let viewer = enter(&relay, &format!("demo/room?jwt={token}")).await;
    publisher.reaches(&viewer, "a").await;
    assert_eq!(service.asked()[1], "GET /auth?v=1&root=demo%2Froom&kid=k&transport=quic");
    // Its answer has one segment too few for a deeper path.
    assert_eq!(status(&relay, &page("demo/room/cam", &token)).await, refused("auth/root-mismatch"));
    let other = Key::new("HS256", "k").sign(&json!({"root": "demo", "get": "room"}));
    assert_eq!(status(&relay, &page("demo/room", &other)).await, refused("auth/signature"));
    assert_eq!(status(&relay, "/announced/demo/room").await, refused("auth/not-public"));
    service.say("/auth", (200, "", r#"{"public":{"subscribe":[""]}}"#.into()));
    assert_eq!(status(&relay, "/announced/demo/other").await, FINE);
    assert_eq!(status(&relay, &page("demo/third", &token)).await, refused("auth/unknown-key"));
    service.say("/auth", (404, "", String::new()));
    assert_eq!(status(&relay, "/announced/demo/fourth").await, refused("auth/service"));
    service.say("/auth", (500, "", String::new()));
    assert_eq!(status(&relay, "/announced/demo/fifth").await, (502, "auth/service-unavailable".to_owned()));
}

#[tokio::test]
async fn what_the_service_said_for_a_while_is_confirmed_after_it() {
    let (service, url) = Service::start().await;
    service.say("/auth", (200, "max-age=1", r#"{"public":{"subscribe":["","x"]}}"#.into()));
    let relay = relay(Config { api: Some(format!("{url}/auth")), ..Config::default() }).await;
    let peer = enter(&relay, "demo").await;
    let asked_again = async {
        while service.asked().len() < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon(asked_again).await;
    assert!(is_in(&peer).await);
    // Down is not no.
    service.say("/auth", (500, "", String::new()));
    sleep(Duration::from_millis(1500)).await;
    assert!(is_in(&peer).await);
    service.say("/auth", (200, "max-age=1", r#"{"public":{"subscribe":["x"]}}"#.into()));
    assert_eq!(soon(peer.closed()).await.code, Some(close::UNAUTHORIZED));
}

#[tokio::test]
async fn the_service_that_decides_is_told_all_and_hears_of_the_end() {
    let (service, url) = Service::start().await;
    service.say("/", (200, "", r#"{"publish":["a/**"],"subscribe":["**","exact"],"revalidate":1,"tier":"t"}"#.into()));
    let relay = relay(Config { url: Some(format!("{url}/")), node: "n1".into(), ..Config::default() }).await;
    let peer = enter(&relay, "demo/room?jwt=abc&x=1").await;
    assert!(is_in(&peer).await);
    let asked = service.bodies().remove(0);
    let id = asked["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for (member, value) in [
        ("event", "connect"),
        ("node", "n1"),
        ("transport", "quic"),
        ("server_name", "localhost"),
        ("alpn", "moq-lite-05"),
        ("path", "/demo/room"),
        ("query", "jwt=abc&x=1"),
    ] {
        assert_eq!(asked[member], value, "{asked}");
    }
    assert!(asked["remote"].as_str().unwrap().starts_with("127.0.0.1:") && asked.get("token").is_none());
    let asked_again = async {
        while !service.bodies().iter().any(|body| body["event"] == "revalidate" && body["id"] == id.as_str()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon(asked_again).await;
    assert!(is_in(&peer).await);

    service.say("/", (403, "", "no more\n".into()));
    let closed = soon(peer.closed()).await;
    assert_eq!((closed.code, closed.reason.starts_with("auth/revoked")), (Some(close::UNAUTHORIZED), true));
    let end = loop {
        let found = service.bodies().into_iter().find(|body| body["event"] == "end");
        match found {
            Some(end) => break end,
            None => sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!((&end["id"], &end["reason"]), (&json!(id), &json!("auth/revoked")));
    assert!(end["duration"].as_f64().unwrap() > 0.5 && end["bytes"]["received"].as_u64().unwrap() > 0, "{end}");
    assert_eq!(status(&relay, "/announced/demo").await, refused("auth/service"));
    for (code, body) in [(500, "{}"), (404, "{}"), (200, "not json")] {
        service.say("/", (code, "", body.into()));
        assert_eq!(status(&relay, "/announced/demo").await, (502, "auth/service-unavailable".to_owned()), "{body}");
    }
    service.say("/", (200, "", r#"{"publish":["**"],"expires":5}"#.into()));
    assert_eq!(status(&relay, "/announced/demo").await, refused("auth/expired"));
    for body in ["{}", r#"{"subscribe":["exact"]}"#] {
        service.say("/", (200, "", body.into()));
        assert_eq!(status(&relay, "/announced/demo").await, refused("auth/service"), "{body}");
    }
}

#[tokio::test]
async fn it_may_live_on_a_unix_socket_and_stand_beside_keys() {
    let service = Service::default();
    service.say("/", (200, "", r#"{"subscribe":["**"],"root":"real"}"#.into()));
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("auth");
    let listener = UnixListener::bind(&socket).unwrap();
    let router = service.router();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(one(stream, router.clone()));
        }
    });
    let key = Key::new("HS256", "k");
    std::fs::write(folder.path().join("key"), key.jwk.to_json()).unwrap();
    let relay = relay(Config {
        url: Some(format!("unix://{}", socket.display())),
        key: Some(Source::File(folder.path().join("key"))),
        public: auth::Public { both: Scope::new(vec![common::path("anon")]), ..auth::Public::default() },
        ..Config::default()
    })
    .await;
    assert_eq!(status(&relay, "/announced/anon").await, FINE);
    assert_eq!(status(&relay, &page("room", &key.sign(&json!({"root": "room", "get": ""})))).await, FINE);
    assert!(service.asked().is_empty(), "what is known here is not asked for");
    let unknown = Key::new("HS256", "other").sign(&json!({"root": "room", "get": ""}));
    for token in [&unknown, "opaque"] {
        assert_eq!(status(&relay, &page("room", token)).await, FINE, "{token} may mean something to the service");
    }
    let late = key.sign(&json!({"root": "room", "get": "", "exp": 5}));
    assert_eq!(status(&relay, &page("room", &late)).await, refused("auth/expired"));
    assert_eq!(service.bodies().iter().filter(|body| body["event"] == "connect").count(), 2);
    assert_eq!(status(&relay, "/announced/other").await, FINE);
    assert_eq!(service.asked()[0], "POST /");
    assert_eq!(service.bodies()[0]["transport"], "http");
}

/// Takes connections and never answers.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut taken = Vec::new();
        loop {
            taken.push(listener.accept().await.unwrap());
        }
    });
    url
}

#[tokio::test]
async fn a_service_that_hangs_does_not_make_rights_longer() {
    let (service, url) = Service::start().await;
    let ends = common::from_now(3);
    service.say("/", (200, "", json!({"subscribe": ["**"], "revalidate": 1, "expires": ends}).to_string()));
    let hangs = silent().await;
    // Everybody who asks the second time waits for ever.
    let relay = relay(Config { url: Some(format!("{url}/")), ..Config::default() }).await;
    let peer = enter(&relay, "demo").await;
    assert!(is_in(&peer).await);
    service.say("/", (307, "", hangs));
    let closed = soon(peer.closed()).await;
    assert!(closed.reason.starts_with("auth/expired"), "{closed:?}");
    // Less than what a question may take.
    assert!((0..=2).contains(&(common::from_now(0) - ends)));
}
