//! One configuration for each era, as its examples show it, and what a relay of today makes of it.

#[path = "common/config.rs"]
mod common;

use std::{fs, path::Path, time::Duration};

use common::load;
use moq_relay::{
    auth::config::Source,
    cluster::config::Peer,
    config::{Loaded, log::Level},
    transport::config::Congestion,
    types::{self, Address, Scope},
    web::config::Listen,
};

fn era(name: &str) -> Loaded {
    let text = fs::read_to_string(Path::new("tests/configs").join(name)).unwrap();
    if name.ends_with(".txt") {
        let flags: Vec<_> = text.split_whitespace().collect();
        return load(None, &flags, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    common::file(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn addresses(list: &[&str]) -> Vec<Address> {
    list.iter().map(|text| Address::parse(text).unwrap()).collect()
}

fn path(text: &str) -> types::Path {
    types::Path::parse(text).unwrap()
}

fn scope(prefixes: &[&str]) -> Scope {
    Scope::new(prefixes.iter().map(|prefix| path(prefix)).collect())
}

fn file(text: &str) -> Source {
    Source::File(text.into())
}

fn urls(peers: &[Peer]) -> Vec<(&str, Option<u64>)> {
    peers.iter().map(|peer| (&*peer.url, peer.cost)).collect()
}

/// Notes without the folder of the file.
fn notes(loaded: &Loaded) -> Vec<&str> {
    loaded.notes.iter().map(|note| note.split_once("relay.toml:").map_or(&**note, |(_, rest)| rest)).collect()
}

#[test]
fn flags_of_0_6() {
    let loaded = era("flags-0.6.8.txt");
    let config = &loaded.config;
    assert_eq!(config.transport.server.listen, addresses(&["[::]:4443"]));
    assert_eq!(config.transport.server.tls.cert, [Path::new("a.pem"), Path::new("b.pem")]);
    assert_eq!(config.transport.server.tls.key, [Path::new("a.key"), Path::new("b.key")]);
    assert_eq!(config.transport.client.tls.root, [Path::new("ca.pem")]);
    assert!(config.transport.client.tls.disable_verify && !loaded.development);
    assert_eq!(
        (config.cluster.root(), config.cluster.node.as_deref()),
        (Some("root.example:4443"), Some("edge.example:4443"))
    );
    assert_eq!(config.log.level, Level::Trace);
    assert_eq!(loaded.notes.len(), 7, "{:?}", loaded.notes);

    let config = era("flags-0.6.24.txt").config;
    assert_eq!(config.transport.server.tls.generate, ["localhost", "edge.example"]);
    assert_eq!(config.log.level, Level::Error);
}

#[test]
fn keys_by_path_of_0_7_1() {
    let loaded = era("path-0.7.1.toml");
    let config = &loaded.config;
    assert_eq!(config.transport.server.tls.cert, [Path::new("a.pem"), Path::new("b.pem")]);
    assert_eq!(config.transport.server.tls.key, [Path::new("a.key"), Path::new("b.key")]);
    assert_eq!(config.auth.key, Some(file("root.jwk")));
    assert_eq!(config.auth.paths, [(path("demo"), file("demo.jwk"))]);
    assert_eq!((&config.auth.public.both, config.auth.token_in_path), (&scope(&["anon"]), true));
    assert_eq!(
        (config.cluster.root(), config.cluster.node.as_deref()),
        (Some("localhost:4443"), Some("localhost:4444"))
    );
    assert_eq!(
        notes(&loaded),
        [
            "9: server.tls.cert is now said with server.tls.cert, server.tls.key",
            "22: cluster.advertise is now called cluster.node",
            "28: auth.path is now said with auth.token_in_path, auth.public, auth.paths",
        ]
    );
    assert_eq!(loaded.pending, [""; 0]);
}

#[test]
fn public_paths_of_0_7_7() {
    let config = era("public-0.7.7.toml").config;
    assert_eq!(config.auth.paths, [(path("room/1"), file("room.jwk"))]);
    assert_eq!(config.auth.public.both, Scope::none());
    assert_eq!(config.auth.public.subscribe, Scope::everything());
    assert_eq!(config.auth.public.publish, scope(&["demo"]));
    assert!(!config.auth.token_in_path);
}

#[test]
fn leaves_and_certificates_of_0_8_and_0_9() {
    let loaded = era("leaf-0.8.9.toml");
    let config = &loaded.config;
    assert_eq!(config.cluster.root(), Some("localhost:4443"));
    assert_eq!(config.cluster.token.as_deref(), Some(Path::new("root.jwt")));
    assert_eq!((&config.auth.key, &config.auth.public.both), (&Some(file("root.jwk")), &scope(&["anon"])));
    assert_eq!(notes(&loaded), ["10: cluster.advertise is now called cluster.node"]);

    let loaded = era("prod-0.9.6.toml");
    let config = &loaded.config;
    assert_eq!(config.transport.server.tls.cert, [Path::new("cert.pem")]);
    assert_eq!(config.web.https.listen, Some(Address::parse("[::]:443").unwrap()));
    assert_eq!((config.cluster.root(), config.cluster.prefix.as_str()), (Some("root.example.com"), "internal/origins"));
    assert!(loaded.notes.is_empty());
}

#[test]
fn early_2026() {
    let config = era("relay-0.10.20.toml").config;
    assert_eq!(config.transport.server.listen, addresses(&["[::]:4443"]));
    assert_eq!(config.transport.server.tls.cert, config.transport.server.tls.key);
    assert_eq!(config.transport.server.tls.cert, [Path::new("leaf.pem")]);
    assert_eq!(config.transport.server.preferred_v4, Some("192.0.2.1:4443".parse().unwrap()));
    assert_eq!(config.transport.quic.max_streams, Some(5000));
    assert_eq!(config.session.server.dialects().count(), 2);
    assert_eq!(config.transport.client.tls.identity, [Path::new("leaf.pem")]);
    let dial = &config.cluster.dial;
    assert_eq!((dial.backoff.initial, dial.backoff.timeout), (Duration::from_secs(2), Some(Duration::from_secs(300))));
    assert_eq!(dial.websocket.delay, Duration::from_secs(1));
    assert_eq!(config.cluster.root(), Some("root.example.com:4443"));
    assert_eq!(config.auth.key_dir, Some(file("keys/")));
    assert_eq!(config.auth.tls.identity, [Path::new("auth.pem"), Path::new("auth.key")]);
    assert_eq!(
        (&config.auth.public.subscribe, &config.auth.public.publish),
        (&scope(&["anon", "demo"]), &scope(&["anon"]))
    );
    assert_eq!(config.auth.public.api.as_deref(), Some("https://api.example.com/public"));
}

#[test]
fn links_of_0_12() {
    let config = era("leaf-0.12.1.toml").config;
    assert_eq!(urls(&config.cluster.connect), [("localhost:4443", None), ("https://localhost:4445/", None)]);
    assert_eq!(config.cluster.root(), None);
    assert_eq!(config.transport.server.tcp, addresses(&["127.0.0.1:4455"]));
    assert_eq!(config.transport.server.unix.listen.as_deref(), Some(Path::new("/run/moq.sock")));
    assert_eq!(config.transport.server.unix.allow.uid, [0]);
    assert_eq!(config.transport.client.tls.identity, [Path::new("leaf0.crt"), Path::new("leaf0.key")]);
    assert_eq!((config.stats.enabled, config.stats.depth), (true, 2));
    assert_eq!(config.stats.node.as_deref(), Some("local/leaf0"));
}

#[test]
fn everything_of_0_14() {
    let config = era("relay-0.14.toml").config;
    let quic = &config.transport.quic;
    assert_eq!((quic.idle_timeout, quic.keep_alive), (Duration::from_secs(20), Duration::from_secs(4)));
    assert_eq!((quic.gso, quic.congestion_control), (false, Congestion::Bbr));
    assert_eq!(config.transport.client.quic.max_streams, Some(2000));
    assert_eq!(config.cluster.dial.race, Duration::from_millis(100));
    assert_eq!(config.cluster.dial.timeout, Duration::from_secs(20));
    assert_eq!(config.web.internal, Some(Address::parse("127.0.0.1:9101").unwrap()));
    assert_eq!(urls(&config.cluster.connect), [("https://us-east.example.com/", Some(10))]);
    assert_eq!((config.cluster.mesh, config.cluster.node.as_deref()), (true, Some("https://eu.example.com/")));
    assert_eq!((config.cluster.linger, &*config.cluster.tier), (Duration::from_secs(2), "peer"));
    assert_eq!(config.model.capacity, 8 << 30);
    assert!(config.model.headroom.is_some_and(|bytes| bytes > 0));
    assert_eq!(config.stats.interval, Duration::from_secs(5));
    assert_eq!(config.auth.api.as_deref(), Some("https://api.example.com/auth"));
    assert_eq!(config.auth.domains, ["example.com"]);
}

#[test]
fn everything_of_0_17() {
    let config = era("relay-0.17.toml").config;
    assert_eq!(config.session.drain, Duration::from_secs(20));
    assert_eq!(config.transport.server.timeout, Duration::from_secs(5));
    assert_eq!(config.web.http.listen, Listen::BesideServer);
    assert!(config.transport.client.tls.disable_verify && !config.cluster.dial.websocket.enabled);
    assert_eq!(config.transport.quic.receive_window, 64 << 20);
    assert_eq!((config.transport.runtime.workers, config.transport.runtime.pin), (Some(4), false));
    let peers = &config.cluster.connect;
    assert_eq!(urls(peers), [("https://us-east.example.com/", Some(10)), ("https://us-west.example.com/", Some(20))]);
    assert_eq!(peers[1].token.as_deref(), Some("secret"));
    assert_eq!(config.cluster.max_hops, 8);
    assert_eq!(config.stats.linger, Duration::from_secs(60));
    assert_eq!(config.auth.url.as_deref(), Some("http://127.0.0.1:4440/"));

    let config = era("patterns-0.17.toml").config;
    assert_eq!((&config.auth.public.both, &config.auth.public.subscribe), (&scope(&["anon"]), &scope(&["demo"])));
}

#[test]
fn bind_is_the_address_of_the_client_where_there_is_a_file() {
    let config = load(Some(""), &["--bind", "127.0.0.1:5"], &[]).unwrap().config;
    assert_eq!(config.transport.client.bind.port(), 5);
    let config = load(None, &["--bind", "127.0.0.1:5"], &[]).unwrap().config;
    assert_eq!(config.transport.server.listen, addresses(&["127.0.0.1:5"]));
}

#[test]
fn older_spellings_keep_their_place_in_the_order_of_sources() {
    let text = "[listen]\ntls.cert = 'file.pem'\ntls.key = 'file.key'\n[cluster]\nmesh = 'https://file/'\n";
    let config = load(Some(text), &["--tls-cert", "a:b"], &[("MOQ_CLUSTER_MESH", "false")]).unwrap().config;
    assert_eq!(config.transport.server.tls.cert, [Path::new("a")]);
    assert_eq!(config.transport.server.tls.key, [Path::new("b")]);
    assert_eq!((config.cluster.mesh, config.cluster.node.as_deref()), (false, Some("https://file/")));
}

#[test]
fn what_cannot_be_is_named_with_its_line() {
    for (text, expected) in [
        ("\n[iroh]\nenabled = true", "relay.toml:3: iroh.enabled = true: this relay has no iroh"),
        ("[server]\nbackend = 'noq'", "relay.toml:2: server.backend = 'noq': there is one implementation of QUIC here"),
        ("[web.health]\ncpu = 75", "relay.toml:2: web.health.cpu = 75: /health does not judge"),
        ("[quic]\nsend_window = 0", "relay.toml:2: quic.send_window = 0: expected 1 or more"),
        (
            "[quic]\ncongestion_control = 'vegas'",
            "relay.toml:2: quic.congestion_control = 'vegas': expected cubic, bbr or new-reno",
        ),
        (
            "[server]\npreferred_v4 = '[::1]:1'",
            "relay.toml:2: server.preferred_v4 = '[::1]:1': expected an IPv4 address",
        ),
        ("[cluster]\nid = 0", "relay.toml:2: cluster.id = 0: expected a number from 1 to 2^62 - 1"),
        ("[cluster]\nmax_hops = 33", "relay.toml:2: cluster.max_hops = 33: expected a number from 1 to 32"),
        ("[cluster]\nmesh = 'yes'", "relay.toml:2: cluster.mesh = 'yes': expected true or false"),
        ("[cluster]\nroot = 'a b'", "relay.toml:2: cluster.root = 'a b': expected a host such as"),
        (
            "[cluster]\nconnect = 'x://a?jwt=T'",
            "relay.toml:2: cluster.connect = 'x://a?jwt=…': no node can be dialed by x://",
        ),
        ("[client]\ngoaway.redirect = 'no'", "relay.toml:2: client.goaway.redirect = 'no': expected follow"),
        ("[[tls.cert]]\nchain = 'a'", "relay.toml:1: tls.cert = [[tls.cert]]: key is missing"),
        ("[auth.path.a]\nkee = ''", "relay.toml:1: auth.path = path: a: unknown key kee: expected key or public"),
        ("[auth]\npaths = { a = '' }", "relay.toml:2: auth.paths = { a = '' }: \"a\" has no key"),
        ("[stats]\ninterval = 0", "relay.toml:2: stats.interval = 0: expected a second or more"),
        ("cluster.mesh = 'https://a/'\ncluster.node = 'b'", "cluster.node means the same as cluster.mesh"),
    ] {
        let error = common::file(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
