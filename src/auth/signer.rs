//! A private key that makes tokens. A relay needs none; the token tool and tests do.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use pkcs1::{
    RsaPrivateKeyRef,
    der::{Encode, asn1::UintRef},
};
use serde_json::json;

use super::{
    jwk::{Jwk, KeyError, bytes},
    verifier::{Verifier, coordinate, curve},
};

/// Signs claims as RFC 7515 says, in the compact form.
pub struct Signer {
    kid: Option<String>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    /// From a key with its private part. A key without `alg` uses the first one of its kind.
    pub fn new(jwk: &Jwk) -> Result<Self, KeyError> {
        jwk.permits("sign")?;
        let key = match jwk.kind() {
            "oct" => EncodingKey::from_secret(&bytes(jwk.k.as_ref(), "k")?),
            "RSA" => EncodingKey::from_rsa_der(&rsa(jwk)?),
            "EC" => EncodingKey::from_ec_der(&ec(jwk)?),
            "OKP" => EncodingKey::from_ed_der(&ed25519(jwk)?),
            other => return Err(KeyError::Kind(other.to_owned())),
        };
        let algorithm = Verifier::algorithms(jwk)?.first().copied().ok_or(KeyError::Missing("alg"))?;
        Ok(Self { kid: jwk.kid.clone(), algorithm, key })
    }

    /// A token with these claims, which are JSON.
    pub fn sign(&self, claims: &[u8]) -> Result<String, KeyError> {
        let mut header = json!({ "typ": "JWT", "alg": self.algorithm });
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        let (header, claims) = (URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let message = format!("{header}.{claims}");
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        // The key's parts do not belong together.
        let signature = signature.map_err(|_| KeyError::Member("private part"))?;
        Ok(format!("{message}.{signature}"))
    }
}

/// RFC 8017 §A.1.2.
fn rsa(jwk: &Jwk) -> Result<Vec<u8>, KeyError> {
    let primes = &jwk.primes;
    let members = [
        (&jwk.n, "n"),
        (&jwk.e, "e"),
        (&jwk.d, "d"),
        (&primes.p, "p"),
        (&primes.q, "q"),
        (&primes.dp, "dp"),
        (&primes.dq, "dq"),
        (&primes.qi, "qi"),
    ];
    let mut numbers = Vec::new();
    for (member, name) in members {
        numbers.push((bytes(member.as_ref(), name)?, name));
    }
    let mut numbers = numbers.iter().map(|(bytes, name)| UintRef::new(bytes).map_err(|_| KeyError::Member(name)));
    let mut next = || numbers.next().unwrap_or(Err(KeyError::Missing("d")));
    let key = RsaPrivateKeyRef {
        modulus: next()?,
        public_exponent: next()?,
        private_exponent: next()?,
        prime1: next()?,
        prime2: next()?,
        exponent1: next()?,
        exponent2: next()?,
        coefficient: next()?,
        other_prime_infos: None,
    };
    key.to_der().map_err(|_| KeyError::Member("d"))
}

fn ec(jwk: &Jwk) -> Result<Vec<u8>, KeyError> {
    let (_, len) = curve(jwk)?;
    let algorithm = if len == 32 { &ECDSA_P256_SHA256_FIXED_SIGNING } else { &ECDSA_P384_SHA384_FIXED_SIGNING };
    let member = |member: &Option<String>, name| coordinate(member.as_ref(), name, len);
    let point = [vec![4], member(&jwk.x, "x")?, member(&jwk.y, "y")?].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &member(&jwk.d, "d")?, &point);
    let pkcs8 = pair.ok().and_then(|pair| pair.to_pkcs8v1().ok());
    pkcs8.map(|pkcs8| pkcs8.as_ref().to_vec()).ok_or(KeyError::Member("d"))
}

fn ed25519(jwk: &Jwk) -> Result<Vec<u8>, KeyError> {
    let (seed, public) = (coordinate(jwk.d.as_ref(), "d", 32)?, coordinate(jwk.x.as_ref(), "x", 32)?);
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public).ok();
    let pkcs8 = pair.and_then(|pair| pair.to_pkcs8v1().ok());
    pkcs8.map(|pkcs8| pkcs8.as_ref().to_vec()).ok_or(KeyError::Member("d"))
}

// Keys have no text for logs.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
