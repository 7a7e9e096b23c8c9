//! The program as a process of its own, which can be killed and started again at the same place.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, UdpSocket},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use moq_relay::{
    transport::{Connection, quic},
    types::HopId,
    wire::lite::setup::Setup,
};
use quinn::{Endpoint, crypto::rustls::QuicClientConfig};
use rustls::{RootCertStore, pki_types::CertificateDer, version::TLS13};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::common::{ANYWHERE, Peer, dialect};

/// How long a process may take to serve.
const PATIENCE: Duration = Duration::from_secs(20);

/// A relay, killed when dropped.
pub struct Node {
    pub address: SocketAddr,
    certificate: CertificateDer<'static>,
    process: Child,
    folder: TempDir,
}

impl Node {
    /// At an address that [`free_address`] has found, with more lines of configuration.
    pub async fn start(address: SocketAddr, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let config = format!(
            "[server]\nlisten = '{address}'\ntls.cert = 'cert.pem'\ntls.key = 'key.pem'\n[auth]\npublic = ''\n\
             [client]\ntls.disable_verify = true\nwebsocket.enabled = false\n{lines}",
        );
        for (name, text) in
            [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem()), ("relay.toml", config)]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let process = spawn(&folder);
        let mut node = Self { address, certificate: made.cert.der().clone(), process, folder };
        node.serves().await;
        node
    }

    /// The end of a process that had no time to say goodbye.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// The next process at the same place, with the same certificate.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.folder);
        self.serves().await;
    }

    async fn serves(&mut self) {
        let opening = async {
            while TcpStream::connect(self.address).await.is_err() {
                if let Some(status) = self.process.try_wait().unwrap() {
                    panic!("{status}: {}", self.log());
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, opening).await.expect("a relay that serves");
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// A client on raw QUIC.
    pub async fn peer(&self, hop: HopId) -> Peer {
        let dialect = dialect("06");
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = rustls::ClientConfig::builder_with_protocol_versions(&[&TLS13]);
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![dialect.alpn.as_bytes().to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = Endpoint::client(ANYWHERE).unwrap();
        let dialed = endpoint.connect_with(config, self.address, "localhost").unwrap().await.unwrap();
        let setup = Setup { hop, path: Some("/".to_owned()), ..Setup::default() };
        Peer::begin(Connection::Quic(quic::Connection::raw(dialed)), dialect, setup).await
    }
}

fn spawn(folder: &TempDir) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moq-relay"));
    command.arg("relay.toml").current_dir(folder.path()).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// An address of this machine on which nothing is served, over UDP or TCP.
pub fn free_address() -> SocketAddr {
    loop {
        let listener = TcpListener::bind(ANYWHERE).unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
