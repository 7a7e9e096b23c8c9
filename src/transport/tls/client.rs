//! Certificates that clients show: which are believed, and what they say.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::CertificateDer,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use super::{Error, Fingerprint, pem};
use crate::types::Certificate;

/// Believes certificates of these authorities, from PEM files, and lets in whoever shows none. Without any, nobody is
/// asked for one.
pub(super) fn verifier(
    roots: &[PathBuf],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    if roots.is_empty() {
        return Ok(Arc::new(NoClientAuth));
    }
    let mut store = RootCertStore::empty();
    for path in roots {
        let unusable = |error| Error::Unusable { path: path.clone(), error };
        for certificate in pem::chain(path)? {
            store.add(certificate).map_err(unusable)?;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(store.into(), provider.clone());
    let built = builder.allow_unauthenticated().build();
    built.map(|verifier| verifier as Arc<dyn ClientCertVerifier>).map_err(|error| Error::Authority(error.to_string()))
}

/// What the first certificate of a chain says, once the handshake has checked it.
pub(in crate::transport) fn certificate(chain: &[CertificateDer<'_>]) -> Option<Certificate> {
    let der = chain.first()?;
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let fingerprint = digest(&SHA256, der).as_ref().try_into().map(Fingerprint).ok()?.to_string();
    let until = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(Certificate {
        name: dns_name(&parsed).or_else(|| common_name(&parsed)).unwrap_or_else(|| fingerprint.clone()),
        fingerprint,
        issuer: parsed.issuer().to_string(),
        expires: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until))?,
    })
}

fn dns_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    })
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.subject().iter_common_name().next()?.as_str().ok().map(ToOwned::to_owned)
}
