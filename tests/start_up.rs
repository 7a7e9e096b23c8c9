//! The program as people start it: what it refuses and in which words, that it serves, and how it ends.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a configuration, in which the program is started.
struct World(TempDir);

impl World {
    fn new(config: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.write("relay.toml", config);
        world
    }

    /// With a certificate for localhost beside the configuration.
    fn with_certificate(config: &str) -> Self {
        let world = Self::new(config);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        world.write("cert.pem", &made.cert.pem());
        world.write("key.pem", &made.signing_key.serialize_pem());
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// What somebody reads who starts it in a way that cannot work.
    async fn refusal(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = finish(program(self.0.path()).args(args)).await;
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), &*stdout), (Some(2), &b""[..]), "{stderr}");
        stderr
    }

    async fn start(&self, address: SocketAddr, args: &[&str]) -> Running {
        let mut process = program(self.0.path()).args(args).spawn().unwrap();
        let opening = async {
            loop {
                match get(address, "/health").await {
                    Ok(_) => return,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => panic!("{error}"),
                }
                if let Some(status) = process.try_wait().unwrap() {
                    panic!("{status}: {}", String::from_utf8_lossy(&rest(&mut process).await));
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, opening).await.expect("a relay that serves");
        Running { process, address }
    }
}

/// A relay that serves, killed when dropped.
struct Running {
    process: Child,
    address: SocketAddr,
}

impl Running {
    async fn get(&self, path: &str) -> (String, String) {
        get(self.address, path).await.unwrap()
    }

    /// Sends a signal, and gives back the exit code and what was logged.
    async fn end(mut self, signal: &str) -> (Option<i32>, String) {
        send(signal, &self.process).await;
        let status = timeout(PATIENCE, self.process.wait()).await.expect("an end in time").unwrap();
        (status.code(), String::from_utf8(rest(&mut self.process).await).unwrap())
    }
}

/// The program in a folder, without the settings of whoever runs the tests.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moq-relay"));
    command.current_dir(folder).env_clear();
    piped(command)
}

/// The program in a network of its own, where every port is free, unless this machine does not allow that.
async fn program_alone(preparation: &str) -> Option<Command> {
    const NEW: [&str; 5] = ["--user", "--map-root-user", "--net", "sh", "-c"];

    let prepare = format!("ip link set lo up && {preparation}");
    let probe = piped(Command::new("unshare")).args(NEW).arg(&prepare).output().await;
    if !probe.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(NEW).arg(format!("{prepare} && exec \"$0\"")).arg(env!("CARGO_BIN_EXE_moq-relay"));
    Some(piped(command))
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn finish(command: &mut Command) -> Output {
    timeout(PATIENCE, command.output()).await.expect("a program that ends by itself").unwrap()
}

/// What a process that has ended wrote to stderr.
async fn rest(process: &mut Child) -> Vec<u8> {
    let mut text = Vec::new();
    process.stderr.take().unwrap().read_to_end(&mut text).await.unwrap();
    text
}

async fn send(signal: &str, process: &Child) {
    let line = format!("kill -{signal} {}", process.id().expect("a process that has not ended"));
    assert!(Command::new("sh").args(["-c", &line]).status().await.unwrap().success());
}

/// The head and the body of an answer.
async fn get(address: SocketAddr, path: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    Ok((head.to_owned(), body.to_owned()))
}

/// An address of this machine on which nothing is served, over UDP or TCP.
fn free_address() -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// A configuration that works, at `address`.
fn working(address: impl std::fmt::Display) -> String {
    format!("[server]\nlisten = '{address}'\ntls.generate = 'localhost'\n[auth]\npublic = ''\n")
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line_and_the_closest_key() {
    let world = World::new("[server]\nlisen = '127.0.0.1:0'\n[auth]\npublic = ''\n");
    let meant = "error: relay.toml:2: unknown key server.lisen, did you mean server.listen?\n";
    assert_eq!(world.refusal(&["relay.toml"]).await, meant);
    assert_eq!(world.refusal(&["--config", "relay.toml"]).await, meant);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let refusal = World::new("").refusal(&["other.toml"]).await;
    assert!(refusal.starts_with("error: cannot read other.toml: No such file"), "{refusal}");
}

#[tokio::test]
async fn a_missing_certificate_file_is_named() {
    let world = World::new("[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'\n[auth]\npublic = ''\n");
    let refusal = world.refusal(&["relay.toml"]).await;
    assert!(refusal.starts_with("error: relay.toml:2: server.tls.cert = \"cert.pem\": No such file"), "{refusal}");
}

#[tokio::test]
async fn a_broken_certificate_file_is_named() {
    let config = "[server]\nlisten = '127.0.0.1:0'\ntls.cert = 'cert.pem'\ntls.key = 'key.pem'\n[auth]\npublic = ''\n";
    for (file, text, refusal) in [
        ("cert.pem", "", "error: cert.pem: no certificate in this file\n"),
        ("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA", "error: cert.pem: broken PEM: "),
        (
            "cert.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "error: cert.pem: cannot be used: ",
        ),
        ("key.pem", "", "error: key.pem: no private key in this file"),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", "error: key.pem: broken PEM: "),
    ] {
        let world = World::with_certificate(config);
        world.write(file, text);
        let found = world.refusal(&["relay.toml"]).await;
        assert!(found.starts_with(refusal), "{found}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    for in_use in ["tcp", "udp"] {
        let address = free_address();
        let _held = if in_use == "tcp" {
            (Some(TcpListener::bind(address).unwrap()), None)
        } else {
            (None, Some(UdpSocket::bind(address).unwrap()))
        };
        let refusal = World::new(&working(address)).refusal(&["relay.toml"]).await;
        assert!(refusal.starts_with(&format!("error: cannot serve on {address}: Address already in use")), "{refusal}");
    }
}

#[tokio::test]
async fn without_auth_it_refuses_before_it_binds() {
    // A relay that bound its port first would complain about that.
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let args = ["--server-listen", &address, "--server-tls-generate", "localhost"];
    let refusal = World::new("").refusal(&args).await;
    assert!(refusal.starts_with("error: no auth configured: set auth.public"), "{refusal}");
}

#[tokio::test]
async fn a_flag_that_does_not_exist_is_named() {
    let refusal = World::new("").refusal(&["--server-lisen", "127.0.0.1:0"]).await;
    assert!(refusal.starts_with("error: ") && refusal.contains("--server-listen"), "{refusal}");
}

#[tokio::test]
async fn help_and_version_are_printed() {
    for (flag, start) in [
        ("--version", concat!("moq-relay ", env!("CARGO_PKG_VERSION"), "\n")),
        ("--help", "A relay for Media over QUIC"),
    ] {
        let output = finish(program(Path::new("/")).arg(flag)).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty() && text.starts_with(start), "{text}");
    }
}

#[tokio::test]
async fn it_serves_what_its_file_says_until_it_is_told_to_stop() {
    for signal in ["TERM", "INT"] {
        let address = free_address();
        let world = World::new(&working(address));
        let relay = world.start(address, &["relay.toml"]).await;

        let (head, body) = relay.get("/health").await;
        assert!(head.starts_with("HTTP/1.1 200 OK") && body == "ok\n", "{head} {body}");
        let (head, body) = relay.get("/certificate.sha256").await;
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(body.len() == 64 && body.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{body:?}");

        let (code, log) = relay.end(signal).await;
        assert_eq!(code, Some(0), "{log}");
        TcpListener::bind(address).expect("a port that is free again");
    }
}

#[tokio::test]
async fn what_the_old_docs_show_serves() {
    let world = World::with_certificate(include_str!("configs/old-docs.toml"));
    let address = free_address();
    let relay = world.start(address, &["relay.toml", "--server-listen", &address.to_string()]).await;
    let (head, _) = relay.get("/announced/anon").await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let (head, _) = relay.get("/announced/private").await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");

    let (code, log) = relay.end("TERM").await;
    assert_eq!(code, Some(0));
    assert!(log.contains("relay.toml:2: server.bind is now called server.listen"), "{log}");
}

#[tokio::test]
async fn a_second_relay_on_the_same_port_is_refused_and_the_first_serves_on() {
    let address = free_address();
    let world = World::new(&working(address));
    let first = world.start(address, &["relay.toml"]).await;
    let refusal = world.refusal(&["relay.toml"]).await;
    assert!(refusal.starts_with(&format!("error: cannot serve on {address}: Address already in use")), "{refusal}");
    assert_eq!(first.get("/health").await.1, "ok\n");
}

#[tokio::test]
async fn without_anything_it_serves_this_machine_and_says_what_to_do_next() {
    let alone = program_alone("true").await;
    welcomes(alone.unwrap_or_else(|| program(Path::new("/")))).await;
}

#[tokio::test]
async fn without_anything_it_serves_a_machine_that_has_no_ipv6() {
    // Where there are no networks of one's own, the test above is all there is.
    if let Some(program) = program_alone("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6").await {
        let log = welcomes(program).await;
        assert!(log.contains("not served") && log.contains("[::1]:4443"), "{log}");
    }
}

/// Starts the development configuration, checks what it tells a newcomer, ends it, and gives back the log.
async fn welcomes(mut program: Command) -> String {
    let mut process = program.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut welcome = String::new();
    let complete = async {
        while !welcome.contains("moq-relay relay.toml") {
            let Some(line) = lines.next_line().await.unwrap() else {
                panic!("{welcome}{}", String::from_utf8_lossy(&rest(&mut process).await))
            };
            welcome += &line;
            welcome.push('\n');
        }
    };
    timeout(PATIENCE, complete).await.expect("a welcome");
    for command in [
        "moq-clock --url http://localhost:4443/ --broadcast clock --client-version moq-lite-03 publish",
        "moq-clock --url http://localhost:4443/ --broadcast clock --client-version moq-lite-03 subscribe",
        "curl http://localhost:4443/announced/",
        "curl http://localhost:4443/fetch/clock/seconds",
        "cargo install moq-clock --version 0.10.21 --locked",
    ] {
        assert!(welcome.contains(command), "{command} is not in:\n{welcome}");
    }
    // The rest of the welcome goes into the pipe before the process is told to stop.
    send("TERM", &process).await;
    let status = timeout(PATIENCE, process.wait()).await.expect("an end in time").unwrap();
    let log = String::from_utf8(rest(&mut process).await).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    log
}
