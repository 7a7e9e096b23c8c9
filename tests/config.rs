//! Every way to set something, and what people read when they set it wrong.

use std::{collections::HashMap, ffi::OsString, fs, path::Path, time::Duration};

use moq_relay::{
    config::{Config, Error, Loaded, Request, load, log::Level, read},
    transport::config::{Allow, Unix},
    types::{Address, Scope},
    web::config::{Https, Listen},
    wire::{Dialect, Offer},
};

/// A folder for one configuration file, and the variables of one start.
struct World {
    folder: tempfile::TempDir,
    variables: HashMap<String, String>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: HashMap::new() }
    }

    /// With a file, whose name in messages becomes `relay.toml`.
    fn with_file(text: &str) -> Self {
        let world = Self::new();
        world.write("relay.toml", text);
        world
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The command line, with FILE standing for the file.
    fn args(&self, line: &[&str]) -> Vec<OsString> {
        let file = self.folder.path().join("relay.toml").into_os_string();
        let arg = |arg: &&str| if *arg == "FILE" { file.clone() } else { arg.into() };
        [OsString::from("moq-relay")].into_iter().chain(line.iter().map(arg)).collect()
    }

    fn env(&self) -> impl Fn(&str) -> Option<String> {
        |name| self.variables.get(name).cloned()
    }

    fn read(&self, line: &[&str]) -> Result<Loaded, Error> {
        read(self.args(line), &self.env()).map(run)
    }

    fn config(&self, line: &[&str]) -> Config {
        self.read(line).unwrap().config
    }

    /// What somebody reads when this is how they start.
    fn error(&self, line: &[&str]) -> String {
        let error = load(self.args(line), &self.env()).expect_err("a configuration that cannot work").to_string();
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn run(request: Request) -> Loaded {
    match request {
        Request::Run(loaded) => *loaded,
        Request::Check(check) => check.loaded,
        Request::Print(text) => panic!("only printed {text}"),
    }
}

fn sample(name: &str) -> World {
    World::with_file(&fs::read_to_string(Path::new("tests/configs").join(name)).unwrap())
}

fn file_error(text: &str) -> String {
    World::with_file(text).error(&["FILE"])
}

fn scope(prefixes: &[&str]) -> Scope {
    Scope::new(prefixes.iter().map(|prefix| moq_relay::types::Path::parse(prefix).unwrap()).collect())
}

/// What anybody may publish and watch alike.
fn public(config: &Config) -> Scope {
    config.auth.public.both.clone()
}

fn addresses(list: &[&str]) -> Vec<Address> {
    list.iter().map(|text| Address::parse(text).unwrap()).collect()
}

/// The names of the dialects on offer.
fn spoken(offer: &Offer) -> Vec<&'static str> {
    offer.dialects().map(|dialect| dialect.name).collect()
}

/// A setting, a value other than its default as text, and whether it arrived.
type Row = (&'static str, &'static str, fn(&Config) -> bool);

const ROWS: &[Row] = &[
    ("server.listen", "127.0.0.1:1,[::1]:2", |c| c.transport.server.listen == addresses(&["127.0.0.1:1", "[::1]:2"])),
    ("server.listen", "localhost:1", |c| c.transport.server.listen == addresses(&["localhost:1"])),
    ("server.tls.cert", "a,b", |c| c.transport.server.tls.cert == [Path::new("a"), Path::new("b")]),
    ("server.tls.key", "a", |c| c.transport.server.tls.key == [Path::new("a")]),
    ("server.tls.generate", "a.example, localhost", |c| c.transport.server.tls.generate == ["a.example", "localhost"]),
    ("server.version", "moq-lite-07-wip, moq-lite-02", |c| {
        spoken(&c.session.server) == ["moq-lite-07-wip", "moq-lite-02"]
    }),
    ("server.tcp.listen", "127.0.0.1:1,[::1]:2", |c| c.transport.server.tcp == addresses(&["127.0.0.1:1", "[::1]:2"])),
    ("server.unix.listen", "/run/moq", |c| c.transport.server.unix.listen.as_deref() == Some(Path::new("/run/moq"))),
    ("server.unix.allow.uid", "0,10001", |c| c.transport.server.unix.allow.uid == [0, 10001]),
    ("server.unix.allow.gid", "100", |c| c.transport.server.unix.allow.gid == [100]),
    ("server.unix.allow.pid", "1, 2,", |c| c.transport.server.unix.allow.pid == [1, 2]),
    ("server.drain", "1m 30s", |c| c.session.drain == Duration::from_secs(90)),
    ("client.bind", "127.0.0.1:5", |c| c.transport.client.bind.port() == 5),
    ("client.tls.root", "a", |c| c.transport.client.tls.root == [Path::new("a")]),
    ("client.tls.disable_verify", "true", |c| c.transport.client.tls.disable_verify),
    ("client.version", "moq-lite-06", |c| spoken(&c.session.client) == ["moq-lite-06"]),
    ("web.http.listen", "", |c| c.web.http.listen == Listen::Off),
    ("web.http.listen", "[::]:80", |c| c.web.http.listen == Listen::At(Address::parse("[::]:80").unwrap())),
    ("web.https.listen", "localhost:443", |c| c.web.https.listen == Some(Address::parse("localhost:443").unwrap())),
    ("web.https.cert", "a,b", |c| c.web.https.cert == [Path::new("a"), Path::new("b")]),
    ("web.https.key", "a", |c| c.web.https.key == [Path::new("a")]),
    ("web.ws", "off", |c| !c.web.ws),
    ("auth.public", "anon", |c| public(c) == scope(&["anon"])),
    ("auth.public", "", |c| public(c) == Scope::everything()),
    ("auth.public", "**", |c| public(c) == Scope::everything()),
    ("auth.public", "anon/**,demo", |c| public(c) == scope(&["anon", "demo"])),
    ("cache.capacity", "8GiB", |c| c.model.capacity == 8 << 30),
    ("cache.capacity", "4096", |c| c.model.capacity == 4096),
    ("cache.duration", "2m", |c| c.model.duration == Duration::from_secs(120)),
    ("cache.groups", "3", |c| c.model.groups == Some(3)),
    ("log.level", "DEBUG", |c| c.log.level == Level::Debug),
];

#[test]
fn every_setting_has_a_flag_and_a_variable() {
    for (key, value, arrived) in ROWS {
        let flag = format!("--{}", key.replace(['.', '_'], "-"));
        let world = World::with_file("");
        assert!(arrived(&world.config(&["FILE", &flag, value])), "{flag} {value}");
        assert!(arrived(&world.config(&["FILE", &format!("{flag}={value}")])), "{flag}={value}");

        let variable = format!("MOQ_{}", key.replace('.', "_").to_uppercase());
        let world = world.variable(&variable, value);
        assert!(arrived(&world.config(&["FILE"])), "{variable}={value}");
    }
}

#[test]
fn every_setting_has_a_key_in_the_file() {
    let config = sample("canonical.toml").config(&["FILE"]);
    let transport = &config.transport;
    assert_eq!(transport.server.listen, addresses(&["127.0.0.1:4443", "localhost:4444"]));
    assert_eq!(transport.server.tls.cert, [Path::new("a.pem"), Path::new("b.pem")]);
    assert_eq!(transport.server.tls.key, [Path::new("a.key"), Path::new("b.key")]);
    assert_eq!(transport.server.tls.generate, ["localhost"]);
    assert_eq!(transport.server.tcp, addresses(&["127.0.0.1:4445"]));
    assert_eq!(transport.server.unix.listen.as_deref(), Some(Path::new("moq.sock")));
    let allow = Allow { uid: vec![0, 10001], gid: vec![100], pid: vec![1] };
    assert_eq!(transport.server.unix.allow, allow);
    assert_eq!(spoken(&config.session.server), ["moq-lite-06", "moq-lite-04"], "in the relay's order");
    assert_eq!(spoken(&config.session.client), ["moq-lite-05"]);
    assert_eq!(config.session.drain, Duration::from_secs(2));
    assert_eq!(transport.client.bind, "127.0.0.1:0".parse().unwrap());
    assert_eq!(transport.client.tls.root, [Path::new("root.pem")]);
    assert!(transport.client.tls.disable_verify);
    assert_eq!(config.web.http.listen, Listen::At(Address::parse("127.0.0.1:8080").unwrap()));
    assert_eq!(config.web.https.listen, Some(Address::parse("127.0.0.1:8443").unwrap()));
    assert_eq!(
        (&config.web.https.cert[..], &config.web.https.key[..]),
        (&["web.pem".into()][..], &["web.key".into()][..])
    );
    assert!(!config.web.ws);
    assert_eq!(public(&config), scope(&["anon", "demo"]));
    assert_eq!((config.model.capacity, config.model.groups), (64 << 20, Some(8)));
    assert_eq!(config.model.duration, Duration::from_secs(90));
    assert_eq!(config.log.directives(), "debug");
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = World::with_file("").config(&["FILE"]);
    assert_eq!(config.transport.server.listen, addresses(&["[::]:443"]));
    assert_eq!(config.web.http.listen, Listen::BesideServer);
    assert_eq!(config.web.https, Https::default());
    assert!(config.web.ws);
    assert!(config.transport.server.tcp.is_empty() && config.transport.server.unix == Unix::default());
    assert_eq!((&config.session.server, &config.session.client), (&Offer::default(), &Offer::default()));
    assert_eq!(config.session.drain, Duration::from_secs(10));
    assert_eq!(public(&config), Scope::none());
    assert_eq!((config.model.duration, config.model.groups), (Duration::from_secs(30), None));
    assert!(config.model.capacity > 0 && config.model.capacity <= 8 << 30);
    assert_eq!(config.log.directives(), "info");
}

#[test]
fn a_percentage_is_of_the_memory_there_is() {
    let whole = World::with_file("cache.capacity = '100%'").config(&["FILE"]).model.capacity;
    let half = World::with_file("cache.capacity = '50%'").config(&["FILE"]).model.capacity;
    assert!(half.abs_diff(whole / 2) < 200, "{half} of {whole}");
}

#[test]
fn flag_before_variable_before_file_before_default() {
    let world = World::with_file("[log]\nlevel = 'error'\n[cache]\nduration = '1s'\ngroups = 1\n")
        .variable("MOQ_CACHE_DURATION", "2s")
        .variable("MOQ_CACHE_GROUPS", "2");
    let config = world.config(&["FILE", "--cache-groups", "3"]);
    assert_eq!(config.log.level, Level::Error);
    assert_eq!(config.model.duration, Duration::from_secs(2));
    assert_eq!(config.model.groups, Some(3));
}

#[test]
fn an_absent_flag_resets_nothing() {
    let world = sample("canonical.toml");
    let plain = world.config(&["FILE"]);
    let mut other = world.config(&["FILE", "--log-level", "trace"]);
    other.log.level = plain.log.level;
    assert_eq!(plain, other);
}

#[test]
fn the_file_is_named_in_two_ways() {
    let world = World::with_file("log.level = 'warn'");
    assert_eq!(world.config(&["FILE"]), world.config(&["--config", "FILE"]));
    assert!(world.error(&["FILE", "--config", "FILE"]).contains("cannot be used with"));
}

#[test]
fn lists_come_with_commas_or_repeated() {
    let world = World::with_file("");
    let config = world.config(&["FILE", "--server-tls-cert", "a,b", "--server-tls-cert", "c", "--auth-public", "x,"]);
    assert_eq!(config.transport.server.tls.cert.len(), 3);
    assert_eq!(public(&config), scope(&["x"]));
}

#[test]
fn an_empty_variable_is_unset_unless_empty_says_something() {
    let world = World::with_file("[server]\nlisten = 'localhost:1'").variable("MOQ_SERVER_LISTEN", "");
    assert_eq!(world.config(&["FILE"]).transport.server.listen, addresses(&["localhost:1"]));
    let world = world.variable("MOQ_WEB_HTTP_LISTEN", "");
    assert_eq!(world.config(&["FILE"]).web.http.listen, Listen::Off);
}

#[test]
fn rust_log_wins() {
    let world = World::with_file("").variable("RUST_LOG", "warn,moq_relay=trace");
    assert_eq!(world.config(&["FILE", "--log-level", "error"]).log.directives(), "warn,moq_relay=trace");
}

#[test]
fn what_the_old_docs_show_loads_as_it_stands() {
    let loaded = sample("old-docs.toml").read(&["FILE"]).unwrap();
    let server = &loaded.config.transport.server;
    assert_eq!(server.listen, addresses(&["[::]:4443"]));
    assert_eq!((&server.tls.cert[..], &server.tls.key[..]), (&["cert.pem".into()][..], &["key.pem".into()][..]));
    assert_eq!(public(&loaded.config), scope(&["anon"]));
    assert!(!loaded.development);
    let notes: Vec<_> = loaded.notes.iter().map(|note| note.rsplit_once('/').unwrap().1).collect();
    assert_eq!(
        notes,
        [
            "relay.toml:2: server.bind is now called server.listen",
            "relay.toml:4: tls.cert is now called server.tls.cert",
            "relay.toml:5: tls.key is now called server.tls.key",
        ]
    );
}

#[test]
fn files_of_other_releases_load() {
    let loaded = sample("server-0.9.toml").read(&["FILE"]).unwrap();
    assert_eq!(loaded.config.transport.server.tls.generate, ["localhost"]);
    assert!(loaded.notes.is_empty());

    let config = sample("listen-0.17.toml").config(&["FILE"]);
    assert_eq!(config.transport.server.listen, addresses(&["[::]:443"]));
    assert_eq!(public(&config), scope(&["anon"]));
    assert!(config.transport.client.tls.disable_verify);
}

#[test]
fn older_names_of_settings_about_doors_load_with_a_note() {
    for (old, value, new) in [
        ("server.tcp.bind", "'localhost:1'", "server.tcp.listen"),
        ("listen.tcp.bind", "['localhost:1']", "server.tcp.listen"),
        ("server.unix.bind", "'moq.sock'", "server.unix.listen"),
        ("listen.unix.bind", "'moq.sock'", "server.unix.listen"),
        ("listen.unix.allow.uid", "7", "server.unix.allow.uid"),
        ("listen.unix.allow.gid", "[7]", "server.unix.allow.gid"),
        ("listen.unix.allow.pid", "'7'", "server.unix.allow.pid"),
        ("listen.version", "'moq-lite-05'", "server.version"),
        ("connect.version", "['moq-lite-05']", "client.version"),
        ("drain_timeout", "'5s'", "server.drain"),
    ] {
        let loaded = World::with_file(&format!("{old} = {value}")).read(&["FILE"]).unwrap();
        assert_eq!(loaded.config, World::with_file(&format!("{new} = {value}")).config(&["FILE"]), "{old}");
        assert_ne!(loaded.config, World::with_file("").config(&["FILE"]), "{old}");
        let [note] = &loaded.notes[..] else { panic!("{:?}", loaded.notes) };
        assert!(note.ends_with(&format!("relay.toml:1: {old} is now called {new}")), "{note}");
    }
    let world = World::with_file("").variable("MOQ_DRAIN_TIMEOUT", "5s");
    assert_eq!(world.config(&["FILE"]).session.drain, Duration::from_secs(5));
    assert_eq!(world.config(&["FILE", "--drain-timeout", "6s"]).session.drain, Duration::from_secs(6));
}

#[test]
fn ids_are_numbers_or_texts_alone_or_in_lists() {
    for (text, expected) in
        [("1000", &[1000][..]), ("'1000'", &[1000]), ("[0, '10001']", &[0, 10001]), ("4294967295", &[u32::MAX])]
    {
        for key in ["uid", "gid", "pid"] {
            let config = World::with_file(&format!("[server.unix.allow]\n{key} = {text}")).config(&["FILE"]);
            let Allow { uid, gid, pid } = config.transport.server.unix.allow;
            assert_eq!([uid, gid, pid].concat(), expected, "{key} = {text}");
        }
    }
}

#[test]
fn flags_and_variables_of_other_releases_are_understood() {
    for (old, new) in [
        ("server-bind", "server-listen"),
        ("listen", "server-listen"),
        ("bind", "server-listen"),
        ("tls-cert", "server-tls-cert"),
        ("tls-key", "server-tls-key"),
        ("tls-generate", "server-tls-generate"),
        ("tls-self-sign", "server-tls-generate"),
        ("listen-tls-generate", "server-tls-generate"),
        ("tls-root", "client-tls-root"),
    ] {
        let value = if new.ends_with("tls-cert") { "cert.pem" } else { "localhost:4443" };
        let loaded = World::new().read(&[&format!("--{old}"), value]).unwrap();
        assert_eq!(loaded.notes, [format!("--{old} is now called --{new}")]);
        assert_eq!(loaded.config, World::new().config(&[&format!("--{new}"), value]), "{old}");
    }
    for old in ["MOQ_SERVER_BIND", "MOQ_LISTEN"] {
        let loaded = World::new().variable(old, "localhost:9").read(&[]).unwrap();
        assert_eq!(loaded.config.transport.server.listen, addresses(&["localhost:9"]));
        assert_eq!(loaded.notes, [format!("{old} is now called MOQ_SERVER_LISTEN")]);
    }
    let config = World::with_file("").config(&["--tls-disable-verify", "FILE"]);
    assert!(config.transport.client.tls.disable_verify);
}

#[test]
fn nothing_given_serves_this_machine() {
    let loaded = run(load(World::new().args(&[]), &|_| None).unwrap());
    assert!(loaded.development && loaded.notes.is_empty());
    assert_eq!(loaded.config.transport.server.listen, addresses(&["127.0.0.1:4443", "[::1]:4443"]));
    assert_eq!(loaded.config.transport.server.tls.generate, ["localhost"]);
    assert_eq!(public(&loaded.config), Scope::everything());

    let louder = World::new().read(&["--log-level", "debug", "--auth-public", "anon"]).unwrap();
    assert!(louder.development);
    assert_eq!((louder.config.log.level, public(&louder.config)), (Level::Debug, scope(&["anon"])));
}

#[test]
fn anything_about_a_server_ends_development() {
    for flag in ["--server-listen=localhost:1", "--listen=localhost:1", "--tls-generate=localhost"] {
        let world = World::new();
        assert!(!world.read(&[flag]).unwrap().development, "{flag}");
        assert!(world.error(&[flag]).starts_with("no auth configured"), "{flag}");
    }
    let world = World::new().variable("MOQ_SERVER_TLS_GENERATE", "localhost");
    assert!(world.error(&[]).starts_with("no auth configured"));
    assert!(load(world.args(&["--auth-public", ""]), &world.env()).is_ok());
}

#[test]
fn help_and_version_are_printed() {
    let print = |flag| match read(World::new().args(&[flag]), &|_| None).unwrap() {
        Request::Print(text) => text,
        _ => panic!("{flag} started a relay"),
    };
    let help = print("--help");
    assert!(help.contains("--server-listen <ADDRESS>") && help.contains("[env: MOQ_SERVER_LISTEN]"), "{help}");
    assert!(help.contains("[FILE]") && help.contains("[default: [::]:443]") && !help.contains("--listen "), "{help}");
    assert!(print("--version").starts_with("moq-relay "));
}

#[test]
fn unknown_keys_are_named_with_their_line_and_the_nearest_key() {
    for (text, error) in [
        ("[servr]\nlisten = ''", "relay.toml:1: unknown key servr, did you mean server?"),
        ("\n[server]\nlisen = ''", "relay.toml:3: unknown key server.lisen, did you mean server.listen?"),
        ("[server.tls]\ncerts = ''", "relay.toml:2: unknown key server.tls.certs, did you mean server.tls.cert?"),
        ("server.tls.certs = ''", "relay.toml:1: unknown key server.tls.certs, did you mean server.tls.cert?"),
        ("[auth]\npublc = ''", "relay.toml:2: unknown key auth.publc, did you mean auth.public?"),
        ("[server]\npublic = ''", "relay.toml:2: unknown key server.public, did you mean auth.public?"),
        ("[colour]", "relay.toml:1: unknown key colour"),
        ("[log]\n\n'le vel' = 1", "relay.toml:3: unknown key log.le vel, did you mean log.level?"),
        // The first one in the file, whatever its name.
        ("[web]\nzzz = 1\n[auth]\naaa = 1", "relay.toml:2: unknown key web.zzz"),
    ] {
        assert_eq!(file_error(text), error);
    }
    assert!(World::new().error(&["--server-lisen", "x"]).contains("--server-listen"));
}

#[test]
fn values_of_the_wrong_kind_are_named_with_key_and_line() {
    for (text, error) in [
        ("[server]\nlisten = 443", "relay.toml:2: server.listen = 443: expected text or a list of texts, got a number"),
        (
            "[server]\nbind = true",
            "relay.toml:2: server.bind = true: expected text or a list of texts, got true or false",
        ),
        (
            "[server]\nlisten = ['[::]:1', 2]",
            "relay.toml:2: server.listen = ['[::]:1', 2]: expected text, got a number",
        ),
        ("[server]\nlisten = []", "relay.toml:2: server.listen = []: expected at least one address"),
        ("server = 'x'", "relay.toml:1: server = 'x': this is a table: set one of its keys"),
        ("[server.tls]\ncert = ''", "relay.toml:2: server.tls.cert = '': a path must not be empty"),
        (
            "[client.tls]\ndisable_verify = 'yes'",
            "relay.toml:2: client.tls.disable_verify = 'yes': expected true or false, got text",
        ),
        ("[cache.groups]\nx = 1", "relay.toml:1: cache.groups = [cache.groups]: expected a number, got a table"),
        ("[cache]\ngroups = 0", "relay.toml:2: cache.groups = 0: the newest group is always kept: expected 1 or more"),
        ("[cache]\ngroups = -1", "relay.toml:2: cache.groups = -1: must not be negative"),
        (
            "[cache]\ngroups = 0xffffffffffffffff",
            "relay.toml:2: cache.groups = 0xffffffffffffffff: expected a number, got a number that is too large",
        ),
        ("[cache]\nduration = 30", "relay.toml:2: cache.duration = 30: expected text, got a number"),
        ("[cache]\nduration = '30'", "relay.toml:2: cache.duration = '30': expected a time such as \"30s\" or \"2m\""),
        ("[cache]\nduration = '9999y'", "relay.toml:2: cache.duration = '9999y': must not be longer than 30 days"),
        (
            "[cache]\ncapacity = '200%'",
            "relay.toml:2: cache.capacity = '200%': expected a percentage above 0% and up to 100%",
        ),
        ("[cache]\ncapacity = 1.5", "relay.toml:2: cache.capacity = 1.5: expected a size, got a fraction"),
        ("[log]\nlevel = 'loud'", "relay.toml:2: log.level = 'loud': expected off, error, warn, info, debug or trace"),
        ("[server.unix]\nallow.uid = -1", "relay.toml:2: server.unix.allow.uid = -1: not an id"),
        ("[server.unix]\nallow.gid = 'root'", "relay.toml:2: server.unix.allow.gid = 'root': \"root\" is not an id"),
        (
            "[server.unix]\nallow.pid = [true]",
            "relay.toml:2: server.unix.allow.pid = [true]: expected a number, got true or false",
        ),
        (
            "[server]\ntcp.listen = '4443'",
            "relay.toml:2: server.tcp.listen = '4443': expected an address with a port, such as \"[::]:443\" or \
             \"localhost:4443\"",
        ),
        ("[server]\nunix.listen = ['a']", "relay.toml:2: server.unix.listen = ['a']: expected text, got a list"),
        ("[server]\ndrain = 10", "relay.toml:2: server.drain = 10: expected text, got a number"),
        ("[web]\nws = 'off'", "relay.toml:2: web.ws = 'off': expected true or false, got text"),
        ("[web]\nhttps.key = ['']", "relay.toml:2: web.https.key = ['']: a path must not be empty"),
        (
            "[auth]\npublic = 'a/*'",
            "relay.toml:2: auth.public = 'a/*': the only wildcard understood is ** at the end, as in \"anon/**\"",
        ),
        ("[web]\nhttp = '[::]:80'", "relay.toml:2: web.http = '[::]:80': this is a table: set one of its keys"),
    ] {
        assert_eq!(file_error(text), error);
    }
    let long = format!("[log]\nlevel = '{}'", "é".repeat(200));
    assert!(file_error(&long).len() < 300);
}

#[test]
fn a_dialect_that_is_not_spoken_is_named_with_those_that_are() {
    let known = Dialect::every().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ");
    assert!(known.starts_with("moq-lite-07-wip, moq-lite-06, ") && known.ends_with(", moq-lite-01"));
    for key in ["server.version", "client.version"] {
        for (value, name) in [
            ("'moq-lite-9'", "moq-lite-9"),
            ("['moq-lite-05', 'moq-lite-08-wip']", "moq-lite-08-wip"),
            ("'moql'", "moql"),
            ("''", ""),
        ] {
            assert_eq!(
                file_error(&format!("\n{key} = {value}")),
                format!("relay.toml:2: {key} = {value}: {name:?} is not spoken here; there are {known}")
            );
        }
        let none = format!("relay.toml:1: {key} = []: expected at least one of {known}");
        assert_eq!(file_error(&format!("{key} = []")), none);
    }
    let error = World::with_file("").error(&["FILE", "--client-version", "moq-lite-05,moqt-18"]);
    assert!(
        error.starts_with("--client-version: client.version = \"moq-lite-05,moqt-18\": \"moqt-18\" is not"),
        "{error}"
    );
}

#[test]
fn bad_flags_and_variables_are_named() {
    let world = World::with_file("");
    assert_eq!(
        world.error(&["FILE", "--listen", "443"]),
        "--listen: server.listen = \"443\": expected an address with a port, such as \"[::]:443\" or \"localhost:4443\""
    );
    assert_eq!(
        world.error(&["FILE", "--cache-groups", "many"]),
        "--cache-groups: cache.groups = \"many\": expected a whole number"
    );
    assert!(world.error(&["FILE", "--log-level"]).contains("--log-level"));
    assert!(world.error(&["FILE", "other.toml"]).contains("other.toml"));
    let world = world.variable("MOQ_CLIENT_TLS_DISABLE_VERIFY", "perhaps");
    assert_eq!(
        world.error(&["FILE"]),
        "MOQ_CLIENT_TLS_DISABLE_VERIFY: client.tls.disable_verify = \"perhaps\": expected true or false"
    );
}

#[test]
fn two_names_for_one_setting_must_agree() {
    assert_eq!(
        file_error("[server]\nbind = '[::]:1'\nlisten = '[::]:2'"),
        "relay.toml:3: server.listen means the same as server.bind (relay.toml:2), but says something else"
    );
    let world = World::with_file("[server]\nbind = '[::]:1'\nlisten = '[::]:1'");
    assert_eq!(world.config(&["FILE"]).transport.server.listen, addresses(&["[::]:1"]));
    assert!(world.error(&["--listen", "[::]:1", "--server-bind", "[::]:2"]).contains("--listen"));
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    for (text, start) in [
        ("[server]\nlisten =\n", "relay.toml:2: listen =: not valid TOML"),
        ("[log]\nlevel = info\n", "relay.toml:2: level = info: not valid TOML (text needs quotes)"),
        ("[log]\nlevel = 'info'\nlevel = 'warn'", "relay.toml:3: level = 'warn': not valid TOML"),
        ("[log]\nlevel = 'info", "relay.toml:2: level = 'info: not valid TOML"),
        ("é = \u{1}", "relay.toml:1: é"),
        ("[", "relay.toml:1: [: "),
    ] {
        assert!(file_error(text).starts_with(start), "{}", file_error(text));
    }
    assert!(World::new().error(&["FILE"]).starts_with("cannot read relay.toml: No such file"));
    assert!(World::new().error(&["/"]).starts_with("cannot read /: "));
}

#[test]
fn a_missing_certificate_is_named_before_anything_is_bound() {
    let world = World::with_file("[auth]\npublic = ''\n[tls]\ncert = '/nowhere/cert.pem'\nkey = '/nowhere/key.pem'");
    assert_eq!(
        world.error(&["FILE"]),
        "relay.toml:4: tls.cert = \"/nowhere/cert.pem\": No such file or directory (os error 2)"
    );
    let cert = world.write("cert.pem", "");
    assert_eq!(
        world.error(&["FILE", "--tls-cert", &cert]),
        "relay.toml:5: tls.key = \"/nowhere/key.pem\": No such file or directory (os error 2)"
    );
    assert_eq!(
        world.error(&["FILE", "--tls-cert", &cert, "--tls-key", "/"]),
        "--tls-key: server.tls.key = \"/\": is a directory"
    );
    let complete = ["FILE", "--tls-cert", &cert, "--tls-key", &cert];
    assert!(load(world.args(&complete), &world.env()).is_ok());
    let error = world.error(&[&complete[..], &["--tls-root", "/nowhere/root.pem"]].concat());
    assert!(error.starts_with("--tls-root: client.tls.root = \"/nowhere/root.pem\": No such file"), "{error}");
}

#[test]
fn certificates_and_keys_come_in_pairs() {
    let error = file_error("[auth]\npublic = ''\n[server.tls]\ncert = ['a', 'b']\nkey = 'a'");
    assert!(error.starts_with("relay.toml:4: server.tls.cert = \"b\": each certificate needs its key"), "{error}");
    assert!(error.ends_with("2 in server.tls.cert and 1 in server.tls.key"), "{error}");
    assert!(file_error("[auth]\npublic = ''").starts_with("no certificate configured: set server.tls.cert"));
}

#[test]
fn certificates_of_https_come_in_pairs_and_with_an_address() {
    let error = |text: &str| {
        file_error(&format!(
            "auth.public = ''\nserver.tls.generate = 'localhost'\n[web.https]\nlisten = '[::]:1'\n{text}"
        ))
    };
    assert_eq!(
        error("cert = ['a', 'b']\nkey = 'c'"),
        "relay.toml:5: web.https.cert = \"b\": each certificate needs its key, but there are 2 in web.https.cert and 1 in \
         web.https.key"
    );
    let unpaired = "each certificate needs its key, but there are";
    let only_key = error("key = 'c'");
    assert!(only_key.starts_with(&format!("relay.toml:5: web.https.key = \"c\": {unpaired} 0 in")), "{only_key}");
    let missing = error("cert = '/nowhere/a'\nkey = '/nowhere/b'");
    assert!(missing.starts_with("relay.toml:5: web.https.cert = \"/nowhere/a\": No such file"), "{missing}");
    let nowhere = "auth.public = ''\nserver.tls.generate = 'localhost'\nweb.https.cert = 'a'\nweb.https.key = 'b'";
    assert_eq!(file_error(nowhere), "web.https.cert is set, but not web.https.listen (--web-https-listen)");
}

#[test]
fn no_auth_refuses_to_start() {
    for text in ["", "[auth]", "[auth]\npublic = []", "[server]\ntls.generate = 'localhost'"] {
        let error = file_error(text);
        assert!(error.starts_with("no auth configured: set auth.public"), "{error}");
    }
}
