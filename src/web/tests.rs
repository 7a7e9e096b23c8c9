//! The pages without a socket, over an origin with a publisher of our own.

use std::{path::PathBuf, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
    response::Response,
};
use bytes::Bytes;
use hyper::body::Body as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};
use tower::ServiceExt;

use super::*;
use crate::{
    auth, cluster,
    model::{
        cache::{Cache, Limits},
        group::Batch,
        origin::{Publisher, Request as Wish, View},
        track::{GroupWriter, Producer},
        watch::Reader,
    },
    transport::config::Tls,
    types::{Cost, HopId, Hops, Path, Scope, TrackInfo, code},
};

/// A router and one publisher behind it.
struct World {
    router: Router,
    origin: Arc<Origin>,
    publisher: Publisher,
    wishes: Reader<crate::model::origin::Demand>,
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn identity(generate: &[&str]) -> Arc<Identity> {
    let generate = generate.iter().map(|&name| name.to_owned()).collect();
    Identity::load(&Tls { cert: Vec::<PathBuf>::new(), key: Vec::new(), generate, root: Vec::new() }).unwrap()
}

impl World {
    fn new(public: &str) -> Self {
        let origin = Origin::new(HopId(1), Cache::new(Limits::default()));
        let both = auth::Config::public_scope([public]).unwrap();
        let public = auth::Public { both, ..auth::Public::default() };
        let auth = Arc::new(Auth::open(&auth::Config { public, ..auth::Config::default() }).unwrap());
        let cluster = Cluster::new(cluster::Config::default(), origin.clone()).unwrap();
        let router = router(State { identity: identity(&[]), auth, origin: origin.clone(), cluster, door: None });
        let everything = Scope::everything();
        let view = View::new(origin.clone(), origin.session(), Path::root(), everything.clone(), everything, false);
        let publisher = view.publisher();
        let wishes = publisher.demand();
        Self { router, origin, publisher, wishes }
    }

    /// A world where everything is public and these names are announced.
    fn with(names: &[&str]) -> Self {
        let mut world = Self::new("");
        world.announce(names);
        world
    }

    fn announce(&mut self, names: &[&str]) {
        for name in names {
            self.publisher.announce(&path(name), Hops::default(), Cost::FREE).unwrap();
        }
    }

    async fn request(&self, method: &str, uri: &str) -> Response {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Begins a request and waits for nothing.
    fn begin(&self, uri: &str) -> tokio::task::JoinHandle<Response> {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { router.oneshot(request).await.unwrap() })
    }

    async fn get(&self, uri: &str) -> (StatusCode, String) {
        let response = self.request("GET", uri).await;
        (response.status(), text(response).await)
    }

    async fn wish(&mut self) -> Wish {
        self.wishes.take(|demand| demand.pop()).await
    }

    async fn track(&mut self) -> Producer {
        let Wish::Track(producer) = self.wish().await else { panic!("expected a wish for a track") };
        producer.info(TrackInfo::ASSUMED);
        producer
    }
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Appends a whole frame.
fn frame(group: &GroupWriter, payload: &'static str) {
    let mut batch = Batch::default();
    batch.frame(0, payload.len() as u64, Bytes::from_static(b"head"));
    batch.payload(payload.into());
    group.append(&mut batch).unwrap();
}

/// Begins a frame of `size` bytes with some of them.
fn half(group: &GroupWriter, size: u64, payload: &'static str) {
    let mut batch = Batch::default();
    batch.frame(0, size, Bytes::from_static(b"head"));
    batch.payload(payload.into());
    group.append(&mut batch).unwrap();
}

/// The next piece of a body; `None` at a regular end.
async fn piece(body: &mut Body) -> Option<Result<String, String>> {
    let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(match next {
        Ok(frame) => Ok(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()),
        Err(error) => Err(error.to_string()),
    })
}

/// A world whose track `a/b/video` has a first viewer, so that it is cached.
async fn running() -> (World, Producer, crate::model::track::Interest) {
    let mut world = World::with(&["a/b"]);
    let everything = Scope::everything();
    let viewer =
        View::new(world.origin.clone(), world.origin.session(), Path::root(), Scope::none(), everything, false);
    let interest = viewer.track(&path("a/b"), "video", HopId::NONE).unwrap();
    let producer = world.track().await;
    (world, producer, interest)
}

#[tokio::test]
async fn health() {
    assert_eq!(World::new("").get("/health").await, (StatusCode::OK, "ok\n".into()));
}

#[tokio::test]
async fn certificate_is_hex_without_newline() {
    let origin = World::new("").origin;
    let mut state = State {
        cluster: Cluster::new(cluster::Config::default(), origin.clone()).unwrap(),
        door: None,
        identity: identity(&["localhost"]),
        auth: Arc::new(Auth::open(&auth::Config::default()).unwrap()),
        origin,
    };
    let get = || Request::get("/certificate.sha256").body(Body::empty()).unwrap();
    let response = router(state.clone()).oneshot(get()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let hex = text(response).await;
    assert_eq!(hex, state.identity.fingerprint().unwrap().to_string());
    assert!(hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));

    state.identity = identity(&[]);
    let response = router(state).oneshot(get()).await.unwrap();
    assert_eq!((response.status(), text(response).await), (StatusCode::NOT_FOUND, "no certificate\n".into()));
}

#[tokio::test]
async fn announced_lists_names_below_the_prefix() {
    let mut world = World::new("");
    for uri in ["/announced", "/announced/", "/announced/room"] {
        assert_eq!(world.get(uri).await, (StatusCode::OK, String::new()), "{uri}");
    }
    world.announce(&["room/b", "room/a", "lobby", "room/.hidden/x", ".hidden/y", "roommate"]);
    for uri in ["/announced", "/announced/"] {
        assert_eq!(world.get(uri).await.1, "lobby\nroom/a\nroom/b\nroommate", "{uri}");
    }
    for uri in ["/announced/room", "/announced/room/", "/announced//room"] {
        assert_eq!(world.get(uri).await.1, "a\nb", "{uri}");
    }
    assert_eq!(world.get("/announced/.hidden").await.1, "y");
    assert_eq!(world.get("/announced/room%2fa").await.1, "");
    world.publisher.unannounce(&path("room/a"));
    assert_eq!(world.get("/announced/room").await.1, "b");
    for page in ["announced", "fetch"] {
        let deep = format!("/{page}/{}v", "a/".repeat(33));
        assert_eq!(world.get(&deep).await.0, StatusCode::BAD_REQUEST, "{page}");
    }
    drop(world.publisher);
    assert!(world.origin.is_empty());
}

#[tokio::test]
async fn announced_shows_what_is_public() {
    let mut world = World::new("anon");
    world.announce(&["anon/x", "private/y"]);
    assert_eq!(world.get("/announced").await, (StatusCode::OK, "anon/x".into()));
    assert_eq!(world.get("/announced/anon").await, (StatusCode::OK, "x".into()));
    let refused = world.request("GET", "/announced/private").await;
    assert_eq!(
        (refused.status(), &refused.headers()["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    assert!(text(refused).await.starts_with("auth/not-public: "));
    let (status, body) = world.get("/announced?jwt=a.b.c").await;
    assert!(status == StatusCode::UNAUTHORIZED && body.starts_with("auth/no-key: ") && !body.contains("a.b.c"));
}

#[tokio::test]
async fn only_get_on_pages_that_exist() {
    let world = World::new("");
    for (method, uri, status) in [
        ("GET", "/", StatusCode::NOT_FOUND),
        ("GET", "/elsewhere", StatusCode::NOT_FOUND),
        ("HEAD", "/elsewhere", StatusCode::NOT_FOUND),
        ("HEAD", "/health", StatusCode::OK),
        ("POST", "/announced", StatusCode::METHOD_NOT_ALLOWED),
        ("PUT", "/fetch/a/b", StatusCode::METHOD_NOT_ALLOWED),
        ("DELETE", "/certificate.sha256", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(world.request(method, uri).await.status(), status, "{method} {uri}");
    }
}

#[tokio::test]
async fn other_sites_may_ask_with_a_token() {
    let request = Request::options("/announced")
        .header("origin", "https://example.com")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization")
        .body(Body::empty())
        .unwrap();
    let response = World::new("").router.oneshot(request).await.unwrap();
    let header = |name| response.headers()[name].to_str().unwrap().to_ascii_lowercase();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-methods"), "get");
    assert_eq!(header("access-control-allow-headers"), "authorization");
}

#[tokio::test]
async fn fetch_refuses_nonsense_and_strangers() {
    let mut world = World::new("anon");
    world.announce(&["anon/x", "private/y"]);
    for (uri, status) in [
        ("/fetch", StatusCode::BAD_REQUEST),
        ("/fetch/", StatusCode::BAD_REQUEST),
        ("/fetch/video", StatusCode::BAD_REQUEST),
        ("/fetch/anon/x/video?group=x", StatusCode::BAD_REQUEST),
        ("/fetch/private/y/video", StatusCode::UNAUTHORIZED),
        ("/fetch/anon/x/video?jwt=a.b.c", StatusCode::UNAUTHORIZED),
        ("/fetch/anon/nobody/video", StatusCode::NOT_FOUND),
        ("/fetch/anon/nobody/video?group=1", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(world.get(uri).await.0, status, "{uri}");
    }
    let deep = World::new("a/b");
    let (status, body) = deep.get("/fetch/a/video").await;
    assert!(
        status == StatusCode::UNAUTHORIZED && body.starts_with("auth/not-allowed: "),
        "only names below are public"
    );
}

#[tokio::test(start_paused = true)]
async fn fetch_streams_the_latest_group_until_it_ends() {
    let mut world = World::with(&["a/b"]);
    let answer = world.begin("/fetch/a/b/video");
    let producer = world.track().await;
    let mut wanted = producer.wanted();
    let wish = wanted.wait(|wanted| wanted.merged(None)).await;
    assert_eq!(wish, crate::types::Preferences::default());
    let group = producer.group(7).unwrap();
    frame(&group, "one");
    let response = answer.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    let mut body = response.into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("one".into())));
    half(&group, 6, "two");
    assert_eq!(piece(&mut body).await, Some(Ok("two".into())), "before the frame is complete");
    frame(&producer.group(8).unwrap(), "of the next group");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut batch = Batch::default();
    batch.payload("rest".into());
    batch.bytes[0].truncate(3);
    group.append(&mut batch).unwrap();
    group.finish();
    assert_eq!(piece(&mut body).await, Some(Ok("res".into())));
    assert_eq!(piece(&mut body).await, None);
    drop(body);
    assert!(producer.wanted().watch().look(|wanted| wanted.is_unwanted()), "the source may leave");
}

#[tokio::test(start_paused = true)]
async fn fetch_answers_from_the_cache() {
    let (world, producer, _viewer) = running().await;
    for (sequence, payloads) in [(1, ["a", "b"]), (2, ["c", "d"])] {
        let group = producer.group(sequence).unwrap();
        payloads.into_iter().for_each(|payload| frame(&group, payload));
        group.finish();
    }
    for (query, expected) in [
        ("", "cd"),
        ("?group=latest", "cd"),
        ("?group=2", "cd"),
        ("?group=1", "ab"),
        ("?group=1&frame=0", "a"),
        ("?frame=1", "d"),
    ] {
        let got = world.get(&format!("/fetch/a/b/video{query}")).await;
        assert_eq!(got, (StatusCode::OK, expected.into()), "{query}");
    }
    let started = Instant::now();
    assert_eq!(world.get("/fetch/a/b/video?frame=2").await, (StatusCode::NOT_FOUND, "no such frame\n".into()));
    assert_eq!(Instant::now(), started);
}

#[tokio::test(start_paused = true)]
async fn an_empty_group_is_an_empty_body() {
    let (world, producer, _viewer) = running().await;
    producer.group(1).unwrap().finish();
    assert_eq!(world.get("/fetch/a/b/video").await, (StatusCode::OK, String::new()));
    let group = producer.group(2).unwrap();
    frame(&group, "");
    assert_eq!(world.get("/fetch/a/b/video?frame=0").await, (StatusCode::OK, String::new()), "while the group is open");
}

#[tokio::test(start_paused = true)]
async fn a_frame_ends_before_its_group() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "zero");
    let answer = world.begin("/fetch/a/b/video?frame=1");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!answer.is_finished());
    half(&group, 5, "on");
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("on".into())));
    let mut batch = Batch::default();
    batch.payload("e..".into());
    batch.frame(0, 3, Bytes::from_static(b"head"));
    batch.payload("two".into());
    group.append(&mut batch).unwrap();
    assert_eq!(piece(&mut body).await, Some(Ok("e..".into())));
    assert_eq!(piece(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_group_cut_short_breaks_the_body() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "one");
    let mut body = world.request("GET", "/fetch/a/b/video").await.into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("one".into())));
    frame(&group, "two");
    group.abort(code::CANCELLED);
    assert_eq!(piece(&mut body).await, Some(Ok("two".into())), "what has come is sent");
    assert!(piece(&mut body).await.unwrap().unwrap_err().contains("cut short"));

    let group = producer.group(2).unwrap();
    half(&group, 6, "thr");
    let mut body = world.request("GET", "/fetch/a/b/video").await.into_body();
    group.finish();
    assert_eq!(piece(&mut body).await, Some(Ok("thr".into())));
    assert!(piece(&mut body).await.unwrap().is_err(), "a frame is missing its end");
}

#[tokio::test]
async fn a_broken_body_has_no_last_chunk_on_the_wire() {
    let (world, producer, _viewer) = running().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = tokio::spawn(serve(listener, None, world.router.clone(), std::future::pending()));
    for (sequence, complete) in [(1, true), (2, false)] {
        let group = producer.group(sequence).unwrap();
        frame(&group, "one");
        client.write_all(b"GET /fetch/a/b/video HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = hear(&mut client, "3\r\none\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("transfer-encoding: chunked"), "{answer}");
        frame(&group, "two");
        if complete {
            group.finish();
            assert_eq!(hear(&mut client, "0\r\n\r\n").await, "3\r\ntwo\r\n0\r\n\r\n");
        } else {
            group.abort(code::CANCELLED);
            answer.clear();
            client.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "3\r\ntwo\r\n");
        }
    }
    server.abort();
}

/// What the server sends up to and with `end`.
async fn hear(client: &mut tokio::net::TcpStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        heard.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dead_publisher_breaks_the_body() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "one");
    let mut body = world.request("GET", "/fetch/a/b/video").await.into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("one".into())));
    drop((group, producer, world.publisher));
    assert!(piece(&mut body).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_evicted_group_breaks_the_body() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "one");
    let mut body = world.request("GET", "/fetch/a/b/video").await.into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("one".into())));
    frame(&producer.group(2).unwrap(), "newer");
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.origin.cache().sweep();
    assert!(piece(&mut body).await.unwrap().unwrap_err().contains("left the cache"));
}

#[tokio::test(start_paused = true)]
async fn no_byte_in_time_is_a_504() {
    let mut world = World::with(&["a/b"]);
    let started = Instant::now();
    let answer = world.begin("/fetch/a/b/video");
    let producer = world.track().await;
    let open = producer.group(1).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(started.elapsed().as_secs(), 5);
    let answer = world.begin("/fetch/a/b/video?group=7");
    let Wish::Fetch(_fetch) = world.wish().await else { panic!("expected a fetch") };
    assert_eq!(answer.await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn a_track_that_is_refused_or_ends_empty_is_a_404() {
    let mut world = World::with(&["a/b"]);
    let started = Instant::now();
    let answer = world.begin("/fetch/a/b/none");
    world.track().await.abort(code::NOT_FOUND);
    assert_eq!(answer.await.unwrap().status(), StatusCode::NOT_FOUND);
    let answer = world.begin("/fetch/a/b/empty");
    world.track().await.finish();
    assert_eq!(answer.await.unwrap().status(), StatusCode::NOT_FOUND);
    let answer = world.begin("/fetch/a/b/slow");
    world.track().await.abort(code::TIMEOUT);
    assert_eq!(answer.await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    let answer = world.begin("/fetch/a/b/gone?group=1");
    let _producer = world.track().await;
    drop(world.publisher);
    assert_eq!(answer.await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(Instant::now(), started);
}

#[tokio::test(start_paused = true)]
async fn a_group_cut_before_the_request_is_waited_over() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "one");
    group.abort(code::OLD);
    let answer = world.begin("/fetch/a/b/video");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let group = producer.group(2).unwrap();
    frame(&group, "two");
    group.finish();
    assert_eq!(text(answer.await.unwrap()).await, "two");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_not_cached_is_asked_of_the_source() {
    let (mut world, producer, _viewer) = running().await;
    frame(&producer.group(9).unwrap(), "live");
    let answer = world.begin("/fetch/a/b/video?group=4");
    let Wish::Fetch(fetch) = world.wish().await else { panic!("expected a fetch") };
    assert_eq!((fetch.sequence, &*fetch.interest.name), (4, "video"));
    assert_eq!(producer.wanted().watch().look(|wanted| wanted.merged(None)), None, "nobody subscribes");
    let group = producer.fetched(4).unwrap();
    frame(&group, "old");
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(piece(&mut body).await, Some(Ok("old".into())));
    group.finish();
    assert_eq!(piece(&mut body).await, None);
    drop(fetch);

    let started = Instant::now();
    let answer = world.begin("/fetch/a/b/video?group=5");
    let Wish::Fetch(fetch) = world.wish().await else { panic!("expected a fetch") };
    producer.missing(fetch.sequence, code::NOT_FOUND);
    assert_eq!(answer.await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(world.get("/fetch/a/b/video?group=4").await.1, "old");
    assert_eq!(Instant::now(), started);
}

#[tokio::test(start_paused = true)]
async fn a_numbered_group_that_was_cut_short_is_asked_for_again() {
    let (mut world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    frame(&group, "hal");
    group.abort(code::OLD);
    let answer = world.begin("/fetch/a/b/video?group=1");
    let Wish::Fetch(_fetch) = world.wish().await else { panic!("expected a fetch") };
    let group = producer.fetched(1).unwrap();
    frame(&group, "whole");
    group.finish();
    assert_eq!(text(answer.await.unwrap()).await, "whole");
}

#[tokio::test(start_paused = true)]
async fn large_groups_come_in_pieces() {
    let (world, producer, _viewer) = running().await;
    let group = producer.group(1).unwrap();
    let payload: &'static str = "0123456789abcdef".repeat(64).leak();
    (0..300).for_each(|_| frame(&group, payload));
    group.finish();
    let (status, body) = world.get("/fetch/a/b/video").await;
    assert!(status == StatusCode::OK && body == payload.repeat(300));
}
