//! Keys and tokens, good ones and others.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use moq_relay::auth::{Jwk, Signer};
use serde_json::Value;

/// A key that signs for tests.
#[derive(Clone)]
pub struct Key {
    pub jwk: Jwk,
}

impl Key {
    pub fn new(algorithm: &str, kid: &str) -> Self {
        Self { jwk: Jwk::generate(algorithm, Some(kid.to_owned())).unwrap() }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_text(&claims.to_string())
    }

    /// The same with claims as they stand.
    pub fn sign_text(&self, claims: &str) -> String {
        Signer::new(&self.jwk).unwrap().sign(claims.as_bytes()).unwrap()
    }

    /// The same, where the key calls itself otherwise.
    pub fn named(&self, kid: Option<&str>) -> Self {
        Self { jwk: Jwk { kid: kid.map(ToOwned::to_owned), ..self.jwk.clone() } }
    }
}

/// A token of these parts, each as it stands.
pub fn assemble(header: &str, claims: &str, signature: &[u8]) -> String {
    let parts = [header.as_bytes(), claims.as_bytes(), signature];
    parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

/// Seconds since 1970, so many from now.
#[expect(clippy::disallowed_methods, reason = "the dates in tokens are those of the wall clock")]
pub fn from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}
