//! The certificates this process shows, to QUIC and to HTTPS alike.
//!
//! They come from PEM files and from `generate`, and can be replaced while the process runs: a handshake takes what is
//! there at that moment, connections that exist keep what they began with. `upkeep` does the replacing.

mod client;
mod error;
mod generate;
mod pem;
mod trust;
mod upkeep;

use std::{
    fmt, io,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use aws_lc_rs::{
    digest::{self, SHA256, digest},
    hmac,
};
use quinn::crypto::HmacKey;
use rustls::{
    CipherSuite, ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(super) use client::certificate;
pub use error::Error;
pub(super) use trust::{Over, client_config};

use self::{generate::Generated, pem::Pair, upkeep::Upkeep};
use super::config::Tls;
use crate::types::Certificate;

/// What this process proves its name with.
pub struct Identity {
    provider: Arc<CryptoProvider>,
    /// Where each configured certificate comes from, in the order of `Shown::configured`.
    pairs: Vec<Pair>,
    /// The names on the generated certificate.
    names: Vec<String>,
    /// Which certificates of clients are believed.
    clients: Arc<dyn ClientCertVerifier>,
    /// Locked for a lookup or a replacement, never while reading files or making keys.
    shown: RwLock<Shown>,
}

/// What a handshake chooses from.
struct Shown {
    configured: Vec<Arc<CertifiedKey>>,
    generated: Option<Generated>,
}

/// The SHA-256 of a certificate in DER, by which clients pin it. Prints as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// TLS on TCP connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// The handshake; tells whether HTTP/2 was agreed on, and who the client is, if it shows a certificate.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Http2, Option<Certificate>)> {
        let stream = self.0.accept(stream).await?;
        let tls = stream.get_ref().1;
        let http2 = tls.alpn_protocol() == Some(b"h2");
        let client = tls.peer_certificates().and_then(certificate);
        Ok((stream, Http2(http2), client))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// Whether HTTP/2 is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Http2(pub bool);

impl Identity {
    /// Reads every pair and makes up the certificate for `generate`. Blocks on files.
    pub fn load(tls: &Tls) -> Result<Arc<Self>, Error> {
        if tls.cert.len() != tls.key.len() {
            return Err(Error::Unpaired { certs: tls.cert.len(), keys: tls.key.len() });
        }
        let provider = Arc::new(default_provider());
        let pairs: Vec<_> = tls.cert.iter().zip(&tls.key).map(|(cert, key)| Pair::new(cert, key)).collect();
        let configured = pairs.iter().map(|pair| pair.read(&provider)).collect::<Result<_, _>>()?;
        let names = tls.generate.clone();
        #[expect(clippy::disallowed_methods, reason = "certificates live by the wall clock")]
        let generated =
            if names.is_empty() { None } else { Some(generate::certificate(&names, SystemTime::now(), &provider)?) };
        let clients = client::verifier(&tls.root, &provider)?;
        Ok(Arc::new(Self { provider, pairs, names, clients, shown: RwLock::new(Shown { configured, generated }) }))
    }

    /// The fingerprint of the first certificate; `None` when there is none at all.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let first = self.choose(None)?;
        let hash = digest(&SHA256, first.end_entity_cert().ok()?);
        hash.as_ref().try_into().ok().map(Fingerprint)
    }

    /// How to serve TLS 1.3 under these certificates with the given protocols. Nothing is accepted before the handshake
    /// is complete: a request that arrives early could be a replay.
    ///
    /// Whatever the client would rather have, AES-128-GCM is taken if it can: every packet is encrypted for each viewer
    /// anew, and the longer key takes four more rounds for each block.
    pub fn server_config(self: &Arc<Self>, alpn: &[&str]) -> Result<ServerConfig, Error> {
        let mut provider = CryptoProvider::clone(&self.provider);
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let builder = ServerConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&TLS13]).map_err(Error::Provider)?;
        let mut config = builder.with_client_cert_verifier(self.clients.clone()).with_cert_resolver(self.clone());
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config.max_early_data_size = 0;
        config.ignore_client_order = true;
        Ok(config)
    }

    /// Answers TLS on a TCP connection, with the given protocols on offer. TLS 1.2 is fine there: old players use it.
    pub fn acceptor(self: &Arc<Self>, alpn: &[&str]) -> Result<Acceptor, Error> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(Error::Provider)?;
        let mut config = builder.with_client_cert_verifier(self.clients.clone()).with_cert_resolver(self.clone());
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Acceptor(Arc::new(config).into()))
    }

    /// A key that the next process under the same certificate has, too: made from the first private key. `None` where
    /// everything is made up.
    pub fn reset_key(&self) -> Option<Arc<dyn HmacKey>> {
        let secret = self.pairs.first()?.secret().ok()?;
        let mut context = digest::Context::new(&SHA256);
        context.update(b"moq-relay stateless reset");
        context.update(&secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, context.finish().as_ref());
        Some(Arc::new(key))
    }

    /// Reloads files that change and renews what was generated, until dropped. What cannot be read leaves the old
    /// certificate in place.
    pub async fn maintain(self: Arc<Self>) {
        Upkeep::new(self).run().await;
    }

    /// The first certificate that is valid for the name, else the first.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let by_name = name.and_then(|name| shown.all().find(|certificate| is_for(certificate, &name)));
        by_name.or_else(|| shown.all().next()).cloned()
    }

    fn replace_configured(&self, index: usize, certificate: Arc<CertifiedKey>) {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = shown.configured.get_mut(index) {
            *slot = certificate;
        }
    }

    fn replace_generated(&self, generated: Generated) {
        self.shown.write().unwrap_or_else(PoisonError::into_inner).generated = Some(generated);
    }

    fn is_renewal_due(&self, now: SystemTime) -> bool {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        shown.generated.as_ref().is_some_and(|generated| generated.is_due(now))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("pairs", &self.pairs).field("names", &self.names).finish_non_exhaustive()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Shown {
    fn all(&self) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        self.configured.iter().chain(self.generated.iter().map(Generated::certificate))
    }
}

fn is_for(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = certificate.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

#[cfg(test)]
mod tests;
