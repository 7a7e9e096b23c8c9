//! JWTs (RFC 7519) signed as RFC 7515 says: the header, the signature, and then what the claims say.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use serde::Deserialize;

use super::{
    claims::{Rights, Rules},
    grant::{Reason, Refusal, Token},
    jwk::without_values,
    verifier::Verifier,
};

/// The most bytes of a token. Half: a long list of rooms or an identity provider's claims may not fit; double: no URL
/// that proxies pass on would carry it.
pub(super) const MAX_BYTES: usize = 4 << 10;

/// A token whose signature is not checked yet.
pub(super) struct Unverified<'a> {
    /// The key that it names.
    pub(super) kid: Option<String>,
    algorithm: Algorithm,
    /// Header and payload, as they are signed.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What of a header matters. Keys that it may bring along are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that have to be understood; none is (RFC 7515 §4.1.11).
    crit: Option<serde::de::IgnoredAny>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'a Token) -> Result<Self, Refusal> {
        let text = token.secret();
        if text.len() > MAX_BYTES {
            return Err(Refusal::new(Reason::TooLong).because(format!("{} bytes, {MAX_BYTES} allowed", text.len())));
        }
        let (message, signature) = text.rsplit_once('.').ok_or_else(|| malformed("it has no dots"))?;
        let (header, payload) = message.split_once('.').ok_or_else(|| malformed("it has one dot, a JWT two"))?;
        if payload.contains('.') {
            return Err(malformed("it has more dots than a JWT"));
        }
        let header: Header = serde_json::from_slice(&decode(header, "header")?)
            .map_err(|error| malformed(format!("its header: {}", without_values(&error))))?;
        if header.crit.is_some() {
            return Err(malformed("its header has crit"));
        }
        let algorithm = header.alg.parse().map_err(|_| {
            Refusal::new(Reason::Algorithm)
                .because(format!("alg {:?}", header.alg.chars().take(16).collect::<String>()))
        })?;
        Ok(Self { kid: header.kid, algorithm, message, payload, signature })
    }

    /// Checks the signature, then the claims.
    pub(super) fn verify(&self, key: &Verifier, rules: &Rules, now: SystemTime) -> Result<Rights, Refusal> {
        if !key.algorithms.contains(&self.algorithm) {
            let story = format!("it says {:?}, the key is for {:?}", self.algorithm, key.algorithms);
            return Err(Refusal::new(Reason::Algorithm).because(story));
        }
        match crypto::verify(self.signature, self.message.as_bytes(), &key.key, self.algorithm) {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::new(Reason::Signature).because(format!("key {:?}", key.kid))),
            Err(error) => return Err(Refusal::new(Reason::Signature).because(error.to_string())),
        }
        let rights = Rights::read(&decode(self.payload, "payload")?, rules, now)?;
        key.covers(&rights)?;
        Ok(rights)
    }
}

fn decode(part: &str, name: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed(format!("its {name} is not base64url")))
}

fn malformed(story: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Malformed).because(story)
}
