//! A key that checks signatures.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};

use super::{
    claims::Rights,
    grant::{Reason, Refusal},
    jwk::{Jwk, KeyError, bytes},
};
use crate::types::{Path, Scope};

/// Checks signatures made with one key, by the algorithms of that key only: what a token says of itself chooses
/// among them and adds none.
#[derive(Clone)]
pub(super) struct Verifier {
    /// The key's name.
    pub(super) kid: Option<String>,
    /// At least one, all of the key's own kind.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
    /// The most that its tokens may grant, when it is limited.
    limit: Option<Limit>,
}

/// The names that a scoped key may grant.
#[derive(Clone)]
struct Limit {
    publish: Scope,
    subscribe: Scope,
}

impl Verifier {
    /// The part of the key that checks. A private key is as good as a public one.
    pub(super) fn new(jwk: &Jwk) -> Result<Self, KeyError> {
        jwk.permits("verify")?;
        let key = match jwk.kind() {
            "oct" => DecodingKey::from_secret(&bytes(jwk.k.as_ref(), "k")?),
            "RSA" => {
                let (n, e) = (bytes(jwk.n.as_ref(), "n")?, bytes(jwk.e.as_ref(), "e")?);
                // RFC 7518 §3.3: no less than 2048 bits.
                if significant(&n).len() < 2048 / 8 {
                    return Err(KeyError::Member("n"));
                }
                DecodingKey::from_rsa_raw_components(significant(&n), significant(&e))
            }
            "EC" => {
                let (_, len) = curve(jwk)?;
                let (x, y) = (coordinate(jwk.x.as_ref(), "x", len)?, coordinate(jwk.y.as_ref(), "y", len)?);
                // SEC 1 §2.3.3: the uncompressed form of a point.
                DecodingKey::from_ec_der(&[&[4][..], &x, &y].concat())
            }
            "OKP" => {
                if jwk.crv.as_deref() != Some("Ed25519") {
                    return Err(KeyError::Member("crv"));
                }
                DecodingKey::from_ed_der(&coordinate(jwk.x.as_ref(), "x", 32)?)
            }
            other => return Err(KeyError::Kind(other.to_owned())),
        };
        let limit = jwk.scope.as_ref().map(Limit::new).transpose()?;
        Ok(Self { kid: jwk.kid.clone(), algorithms: Self::algorithms(jwk)?, key, limit })
    }

    /// What a key can be used with.
    pub(super) fn algorithms(jwk: &Jwk) -> Result<Vec<Algorithm>, KeyError> {
        let fitting = match jwk.kind() {
            "oct" => HMAC,
            "RSA" => RSA,
            "EC" => curve(jwk)?.0,
            "OKP" => EDDSA,
            other => return Err(KeyError::Kind(other.to_owned())),
        };
        // Some identity providers' keys name none.
        let Some(name) = &jwk.alg else { return Ok(fitting.to_vec()) };
        let named = name.parse().ok().filter(|algorithm| fitting.contains(algorithm));
        named.map(|algorithm| vec![algorithm]).ok_or_else(|| KeyError::Algorithm(name.clone()))
    }

    /// What it is called: by a token, and by itself.
    pub(super) fn names(&self, by_token: Option<String>) -> Vec<String> {
        let mut names: Vec<_> = by_token.into_iter().chain(self.kid.clone()).collect();
        names.dedup();
        names
    }

    /// Whether a token of this key may grant that much.
    pub(super) fn covers(&self, rights: &Rights) -> Result<(), Refusal> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let within = |asked: &Scope, limit: &Scope| asked.prefixes().iter().all(|prefix| limit.allows(prefix));
        if !rights.cluster && within(&rights.publish, &limit.publish) && within(&rights.subscribe, &limit.subscribe) {
            return Ok(());
        }
        Err(Refusal::new(Reason::Scope).because(format!("key {:?}", self.kid)))
    }
}

impl Limit {
    fn new(scope: &super::jwk::KeyScope) -> Result<Self, KeyError> {
        let parse = |text: &str| Path::parse(text).map_err(|_| KeyError::Member("scope"));
        let root = parse(&scope.root)?;
        let absolute = |name: &String| root.join(&parse(name)?).map_err(|_| KeyError::Member("scope"));
        let names = |names: &[String]| names.iter().map(absolute).collect::<Result<_, _>>().map(Scope::new);
        let limit = Self { publish: names(&scope.put)?, subscribe: names(&scope.get)? };
        if limit.publish.is_empty() && limit.subscribe.is_empty() { Err(KeyError::Member("scope")) } else { Ok(limit) }
    }
}

// Keys have no text for logs.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("kid", &self.kid).field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// What a curve signs with, and the bytes of a coordinate on it.
pub(super) fn curve(jwk: &Jwk) -> Result<(&'static [Algorithm], usize), KeyError> {
    match jwk.crv.as_deref() {
        Some("P-256") => Ok((&[Algorithm::ES256], 32)),
        Some("P-384") => Ok((&[Algorithm::ES384], 48)),
        _ => Err(KeyError::Member("crv")),
    }
}

/// Exactly `len` bytes. Some writers leave out leading zeros (RFC 7518 §6.2.1.2 says not to).
pub(super) fn coordinate(member: Option<&String>, name: &'static str, len: usize) -> Result<Vec<u8>, KeyError> {
    let bytes = bytes(member, name)?;
    let missing = len.checked_sub(bytes.len()).ok_or(KeyError::Member(name))?;
    Ok([vec![0; missing], bytes].concat())
}

/// A number without leading zeros, which some writers put in front (RFC 7518 §6.3.1.1 says not to).
pub(super) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
const EDDSA: &[Algorithm] = &[Algorithm::EdDSA];
