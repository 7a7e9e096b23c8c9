//! Whom this process believes when it dials, and what it shows. Read anew for each dial, so that files may change.

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};

use super::{Error, pem};
use crate::transport::config::Trust;

/// Where TLS is spoken: QUIC knows only its newest version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::transport) enum Over {
    Quic,
    Tcp,
}

/// How to dial with these protocols on offer. `pinned`, in hex, is one more certificate to believe. Blocks on files.
pub(in crate::transport) fn client_config(
    trust: &Trust,
    pinned: Option<&str>,
    over: Over,
    alpn: &[&str],
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let versions = match over {
        Over::Quic => &[&TLS13][..],
        Over::Tcp => &[&TLS13, &TLS12],
    };
    let judge = Judge::new(trust, pinned, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
    let builder = builder.map_err(Error::Provider)?.dangerous().with_custom_certificate_verifier(Arc::new(judge));
    let mut config = match &trust.identity[..] {
        [] => builder.with_no_client_auth(),
        files => {
            let shown = pem::identity(files, &provider)?;
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)))
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Looks at what a server shows.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    /// Those who sign certificates that are believed; `None` when nobody is.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// SHA-256 of certificates that are believed whoever signed them, in lower-case hex.
    pinned: Vec<String>,
    believes_anything: bool,
}

impl Judge {
    fn new(trust: &Trust, pinned: Option<&str>, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut all: Vec<_> = trust.fingerprint.iter().map(|hex| hex.to_ascii_lowercase()).collect();
        all.extend(pinned.map(str::to_ascii_lowercase));
        let store = if trust.disable_verify { RootCertStore::empty() } else { roots(trust, all.is_empty())? };
        let authorities = if store.is_empty() {
            None
        } else {
            let built = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone()).build();
            Some(built.map_err(|error| Error::Authority(error.to_string()))?)
        };
        let provider = provider.clone();
        Ok(Self { provider, authorities, pinned: all, believes_anything: trust.disable_verify })
    }
}

/// The roots to believe: those of the files, and those of the system where they count. Whoever names certificates or
/// roots believes no others, unless told to.
fn roots(trust: &Trust, nothing_pinned: bool) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let unusable = |path: &PathBuf, error| Error::Unusable { path: path.clone(), error };
    for path in &trust.root {
        for certificate in pem::chain(path)? {
            store.add(certificate).map_err(|error| unusable(path, error))?;
        }
    }
    if trust.system_roots.unwrap_or(trust.root.is_empty() && nothing_pinned) {
        // Some systems carry roots that cannot be used; the others count.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(store)
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_pinned = || {
            let hex: String = digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            self.pinned.contains(&hex)
        };
        if self.believes_anything || is_pinned() {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(certificate, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
