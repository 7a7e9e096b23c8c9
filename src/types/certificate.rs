//! Who somebody is by TLS.

use std::time::SystemTime;

/// What a client's certificate says of it; the chain and the proof of possession have been checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// Its first DNS name, else its common name, else its fingerprint.
    pub name: String,
    /// SHA-256 of it, in hex.
    pub fingerprint: String,
    /// Whoever signed it (RFC 4514).
    pub issuer: String,
    /// When it ends.
    pub expires: SystemTime,
}
