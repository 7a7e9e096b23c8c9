//! A certificate chain and its key, each in a PEM file.

use std::{
    fs,
    os::unix::fs::MetadataExt,
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    inode: u64,
    len: u64,
    /// Not the time of modification, which tools that copy files set back.
    changed: (i64, i64),
}

impl Pair {
    pub(super) fn new(cert: &Path, key: &Path) -> Self {
        Self { cert: cert.to_owned(), key: key.to_owned(), found: Stamps([stamp(cert), stamp(key)]) }
    }

    /// Reads both files and checks that they belong together.
    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
        let chain = CertificateDer::pem_slice_iter(&open(&self.cert)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| broken(&self.cert, &error))?;
        if chain.is_empty() {
            return Err(Error::NoCertificate { path: self.cert.clone() });
        }
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

    /// What the files look like now.
    pub(super) fn stamps(&self) -> Stamps {
        Stamps([stamp(&self.cert), stamp(&self.key)])
    }

    pub(super) fn cert(&self) -> &Path {
        &self.cert
    }
}

/// Only a plain file, or a link to one, can be read again; the pipe of `<(…)` cannot.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Stamp { inode: found.ino(), len: found.len(), changed: (found.ctime(), found.ctime_nsec()) })
}

fn open(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Read { path: path.to_owned(), error })
}

fn broken(path: &Path, error: &pem::Error) -> Error {
    Error::Pem { path: path.to_owned(), reason: error.to_string() }
}
