//! Why there is no certificate to show.

use std::{io, path::PathBuf};

/// Why certificates could not be loaded or made. Names the file to look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lists do not pair up.
    #[error("each certificate needs its key, but there are {certs} certificates and {keys} keys")]
    Unpaired {
        /// How many certificate files.
        certs: usize,
        /// How many key files.
        keys: usize,
    },
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not PEM.
    #[error("{}: broken PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// A certificate file holds none.
    #[error("{}: no certificate in this file", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A key file holds none.
    #[error("{}: no private key in this file (an encrypted one cannot be used)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// There is a certificate or key, but not one that TLS can use.
    #[error("{}: cannot be used: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// Two files that do not belong together.
    #[error("{}: this key does not belong to the certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The authorities for clients cannot be used.
    #[error("the authorities of clients cannot be used: {0}")]
    Authority(String),
    /// A certificate could not be made up.
    #[error("cannot generate a certificate for {names}: {reason}")]
    Generate {
        /// For whom.
        names: String,
        /// Why.
        reason: String,
    },
    /// The cryptography library lacks what TLS 1.3 needs.
    #[error("TLS 1.3 is not available: {0}")]
    Provider(rustls::Error),
}
