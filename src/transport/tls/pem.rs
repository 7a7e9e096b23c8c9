//! A certificate chain and its key, each in a PEM file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::Error;
use crate::files::Stamp;

/// Two files that belong together.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    cert: PathBuf,
    key: PathBuf,
    /// As found just before the first read.
    pub(super) found: Stamps,
}

/// What a pair of files looked like from outside: another content has other stamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamps([Option<Stamp>; 2]);

impl Pair {
    pub(super) fn new(cert: &Path, key: &Path) -> Self {
        Self { cert: cert.to_owned(), key: key.to_owned(), found: Stamps([Stamp::of(cert), Stamp::of(key)]) }
    }

    /// Reads both files and checks that they belong together.
    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
        let chain = chain(&self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&open(&self.key)?).map_err(|error| match error {
            pem::Error::NoItemsFound => Error::NoKey { path: self.key.clone() },
            error => broken(&self.key, &error),
        })?;
        let unusable = |path: &Path, error| Error::Unusable { path: path.to_owned(), error };
        let key = provider.key_provider.load_private_key(key).map_err(|error| unusable(&self.key, error))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(Error::Mismatch { cert: self.cert.clone(), key: self.key.clone() })
            }
            Err(error) => Err(unusable(&self.cert, error)),
        }
    }

    /// The file of the key as it stands.
    pub(super) fn secret(&self) -> Result<Vec<u8>, Error> {
        open(&self.key)
    }

    /// What the files look like now.
    pub(super) fn stamps(&self) -> Stamps {
        Stamps([Stamp::of(&self.cert), Stamp::of(&self.key)])
    }

    pub(super) fn cert(&self) -> &Path {
        &self.cert
    }
}

/// A chain and its key out of the same files, in any order.
pub(super) fn identity(files: &[PathBuf], provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let (mut chain, mut key) = (Vec::new(), None);
    for path in files {
        let text = open(path)?;
        let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        chain.extend(found.map_err(|error| broken(path, &error))?);
        match PrivateKeyDer::from_pem_slice(&text) {
            Ok(found) => key = key.or(Some((path, found))),
            Err(pem::Error::NoItemsFound) => {}
            Err(error) => return Err(broken(path, &error)),
        }
    }
    let missing = files.first().cloned().unwrap_or_default();
    if chain.is_empty() {
        return Err(Error::NoCertificate { path: missing });
    }
    let Some((path, key)) = key else { return Err(Error::NoKey { path: missing }) };
    let unusable = |error| Error::Unusable { path: path.clone(), error };
    let key = provider.key_provider.load_private_key(key).map_err(unusable)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(error) => Err(unusable(error)),
    }
}

/// The certificates of a file, at least one.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(&open(path)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| broken(path, &error))?;
    if chain.is_empty() { Err(Error::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn open(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Read { path: path.to_owned(), error })
}

fn broken(path: &Path, error: &pem::Error) -> Error {
    Error::Pem { path: path.to_owned(), reason: error.to_string() }
}
