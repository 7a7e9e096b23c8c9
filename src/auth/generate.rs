//! New keys.

use aws_lc_rs::{
    encoding::{AsBigEndian, AsDer, Pkcs8V1Der},
    rand,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair,
    },
};
use base64::Engine;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use pkcs1::{RsaPrivateKeyRef, der::Decode};
use pkcs8::PrivateKeyInfoRef;

use super::jwk::{BASE64, Jwk, KeyError, Primes};

impl Jwk {
    /// The names of the algorithms that there are keys for.
    pub const ALGORITHMS: [&str; 12] =
        ["HS256", "HS384", "HS512", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"];

    /// A new key that signs and verifies with this algorithm. RSA has 2048 bits, a secret as many as its digest.
    pub fn generate(algorithm: &str, kid: Option<String>) -> Result<Self, KeyError> {
        let unknown = || KeyError::Algorithm(algorithm.to_owned());
        let parsed: Algorithm = algorithm.parse().map_err(|_| unknown())?;
        // The system's random numbers fail on systems that cannot start a process either.
        let key = match parsed.family() {
            AlgorithmFamily::Hmac => secret(parsed),
            AlgorithmFamily::Ec => ec(parsed),
            AlgorithmFamily::Rsa => rsa(),
            AlgorithmFamily::Ed => ed25519(),
            #[allow(unreachable_patterns, reason = "the library may learn more")]
            _ => return Err(unknown()),
        };
        let key = key.ok_or(KeyError::Member("private part"))?;
        let key_ops = Some(vec!["sign".to_owned(), "verify".to_owned()]);
        Ok(Self { alg: Some(algorithm.to_owned()), key_ops, kid, ..key })
    }

    /// The part of it that others may see; a secret has none.
    pub fn public(&self) -> Result<Self, KeyError> {
        self.permits("verify")?;
        if self.kind() == "oct" {
            return Err(KeyError::Kind("oct".to_owned()));
        }
        let key_ops = Some(vec!["verify".to_owned()]);
        Ok(Self { d: None, primes: Primes::default(), key_ops, ..self.clone() })
    }

    /// Whether it can sign.
    pub const fn is_private(&self) -> bool {
        self.k.is_some() || self.d.is_some()
    }
}

fn secret(algorithm: Algorithm) -> Option<Jwk> {
    let len = match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    };
    let mut secret = vec![0; len];
    rand::fill(&mut secret).ok()?;
    Some(Jwk { kty: Some("oct".to_owned()), k: Some(BASE64.encode(secret)), ..Jwk::default() })
}

fn ec(algorithm: Algorithm) -> Option<Jwk> {
    let (signing, crv): (&'static EcdsaSigningAlgorithm, _) = match algorithm {
        Algorithm::ES384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
        _ => (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
    };
    let pair = EcdsaKeyPair::generate(signing).ok()?;
    // SEC 1 §2.3.3: the uncompressed form of a point, behind one byte that says so.
    let point = pair.public_key().as_ref().get(1..)?;
    let (x, y) = point.split_at_checked(point.len() / 2)?;
    Some(Jwk {
        kty: Some("EC".to_owned()),
        crv: Some(crv.to_owned()),
        x: Some(BASE64.encode(x)),
        y: Some(BASE64.encode(y)),
        d: Some(BASE64.encode(pair.private_key().as_be_bytes().ok()?.as_ref())),
        ..Jwk::default()
    })
}

fn rsa() -> Option<Jwk> {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).ok()?;
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
    let outer = PrivateKeyInfoRef::try_from(pkcs8.as_ref()).ok()?;
    let key = RsaPrivateKeyRef::from_der(outer.private_key.as_bytes()).ok()?;
    let text = |number: pkcs1::UintRef<'_>| Some(BASE64.encode(number.as_bytes()));
    Some(Jwk {
        kty: Some("RSA".to_owned()),
        n: text(key.modulus),
        e: text(key.public_exponent),
        d: text(key.private_exponent),
        primes: Primes {
            p: text(key.prime1),
            q: text(key.prime2),
            dp: text(key.exponent1),
            dq: text(key.exponent2),
            qi: text(key.coefficient),
        },
        ..Jwk::default()
    })
}

fn ed25519() -> Option<Jwk> {
    let pair = Ed25519KeyPair::generate().ok()?;
    Some(Jwk {
        kty: Some("OKP".to_owned()),
        crv: Some("Ed25519".to_owned()),
        x: Some(BASE64.encode(pair.public_key().as_ref())),
        d: Some(BASE64.encode(pair.seed().ok()?.as_be_bytes().ok()?.as_ref())),
        ..Jwk::default()
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::auth::{claims::Rules, grant::Token, signer::Signer, token::Unverified, verifier::Verifier};

    fn checks(token: &str, key: &Jwk) -> bool {
        let token = Token::new(token).unwrap();
        let token = Unverified::parse(&token).unwrap();
        token.verify(&Verifier::new(key).unwrap(), &Rules::default(), SystemTime::UNIX_EPOCH).is_ok()
    }

    #[test]
    fn every_algorithm_signs_what_it_checks() {
        for algorithm in Jwk::ALGORITHMS {
            let key = Jwk::generate(algorithm, Some("k".into())).unwrap();
            let other = Jwk::generate(algorithm, Some("k".into())).unwrap();
            let key = Jwk::parse(&key.to_base64()).unwrap();
            let token = Signer::new(&key).unwrap().sign(br#"{"put":"a"}"#).unwrap();
            assert!(checks(&token, &key) && !checks(&token, &other), "{algorithm}");
            assert!(key.is_private() && key.alg.as_deref() == Some(algorithm));
            match key.public() {
                Ok(public) => {
                    assert!(checks(&token, &public) && !public.is_private(), "{algorithm}");
                    assert!(Signer::new(&public).is_err());
                    assert!(!public.to_json().contains("\"d\"") && !public.to_json().contains("\"p\""));
                }
                Err(error) => assert!(algorithm.starts_with("HS"), "{algorithm}: {error}"),
            }
        }
    }

    #[test]
    fn there_are_no_other_algorithms() {
        for name in ["none", "ES512", "hs256", "Ed25519", ""] {
            assert_eq!(Jwk::generate(name, None).err(), Some(KeyError::Algorithm(name.to_owned())));
        }
    }

    #[test]
    fn parts_of_different_keys_do_not_sign() {
        let (one, other) = (Jwk::generate("ES256", None).unwrap(), Jwk::generate("ES256", None).unwrap());
        assert!(Signer::new(&Jwk { d: other.d.clone(), ..one }).is_err());
        assert!(Signer::new(&Jwk { d: Some("AA".into()), ..other }).is_err());
    }
}
