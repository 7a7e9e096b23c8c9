//! A certificate made up at start, for clients that pin it by its fingerprint.
//!
//! W3C WebTransport "serverCertificateHashes": browsers take a pinned certificate only if its key is ECDSA P-256 and it
//! is valid for at most 14 days.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::{crypto::CryptoProvider, pki_types::PrivatePkcs8KeyDer, sign::CertifiedKey};

use super::Error;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From yesterday, for clients whose clock is behind. A day below what browsers allow, for those whose rounding is odd.
/// Half: every pin dies after 5 days. Double: browsers refuse it.
const VALIDITY: Duration = DAY.saturating_mul(13);

/// How long before its end a certificate is replaced. Half: a client whose clock is 12 hours ahead is locked out.
/// Double: pins die a day earlier.
const MARGIN: Duration = DAY;

/// A certificate and when to show it.
pub(super) struct Generated {
    certificate: Arc<CertifiedKey>,
    /// From its first moment of validity until it is to be replaced.
    shown: Range<SystemTime>,
}

/// A self-signed certificate for host names and IP addresses.
pub(super) fn certificate(names: &[String], now: SystemTime, provider: &CryptoProvider) -> Result<Generated, Error> {
    let failed = |reason: String| Error::Generate { names: names.join(", "), reason };
    let from = now - DAY;
    let until = from + VALIDITY;

    let mut params = CertificateParams::new(names).map_err(|error| failed(error.to_string()))?;
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = names.first() {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(from);
    params.not_after = epoch + since_epoch(until);

    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| failed(error.to_string()))?;
    let certificate = params.self_signed(&key).map_err(|error| failed(error.to_string()))?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let certificate = CertifiedKey::from_der(vec![certificate.into()], key.into(), provider)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Generated { certificate: Arc::new(certificate), shown: from..until - MARGIN })
}

impl Generated {
    pub(super) const fn certificate(&self) -> &Arc<CertifiedKey> {
        &self.certificate
    }

    /// Whether it ends soon, or begins later because the clock was set back.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        !self.shown.contains(&now)
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
