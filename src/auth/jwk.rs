//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037) and the files they come in.
//!
//! A [`Jwk`] is what a file says. Whether it makes sense shows when it becomes a `Verifier` or a `Signer`.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

/// The members of a key; those of values that are bytes are in base64url.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwk {
    /// Kind of key: `oct`, `RSA`, `EC` or `OKP`. Keys of releases up to 0.9 have none and are `oct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kty: Option<String>,
    /// Its only algorithm, such as `HS256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What it may be used for, such as `verify`; anything when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// `sig` or `enc`.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The curve of `EC` and `OKP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The point of `EC`, the public key of `OKP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The other half of the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The modulus of `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The secret of `oct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
    /// The private part of `EC`, `OKP` and `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d: Option<String>,
    /// The rest of the private part of `RSA`.
    #[serde(flatten)]
    pub primes: Primes,
    /// What tokens signed by it may grant at most; without it, anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<KeyScope>,
}

/// The limit of a scoped key, as newer releases write it into the key.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyScope {
    /// Everything below is relative to this path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root: String,
    /// Names that its tokens may let people publish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<String>,
    /// Names that its tokens may let people watch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub get: Vec<String>,
}

/// The primes of a private `RSA` key and what follows from them.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Primes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dq: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qi: Option<String>,
}

/// Several keys (RFC 7517 §5).
#[derive(Clone, Deserialize)]
pub(super) struct JwkSet {
    /// The keys; some may be for other purposes.
    pub(super) keys: Vec<serde_json::Value>,
}

/// Why a text is no key, or a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither JSON nor base64url.
    #[error("not a JSON Web Key: {0}")]
    Syntax(String),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// A member that this kind of key needs.
    #[error("the key has no {0}")]
    Missing(&'static str),
    /// A member that is not base64url, or of the wrong length.
    #[error("{0} of the key cannot be used")]
    Member(&'static str),
    /// No such kind, or not one that signs.
    #[error("keys of kty {0:?} are not supported")]
    Kind(String),
    /// No such algorithm, or not one for this kind of key.
    #[error("alg {0:?} is not supported by this kind of key")]
    Algorithm(String),
    /// Its owner says that it is for something else.
    #[error("the key is not meant for {0}: see its key_ops and use")]
    Purpose(&'static str),
}

/// Base64url as keys and tokens have it: written without padding, read with or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Jwk {
    /// Reads a key file: JSON, or base64url of it as releases up to 0.10 wrote it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let json = if text.starts_with('{') {
            text.as_bytes().to_vec()
        } else {
            BASE64.decode(text).map_err(|error| KeyError::Syntax(format!("neither JSON nor base64url: {error}")))?
        };
        serde_json::from_slice(&json).map_err(|error| KeyError::Syntax(without_values(&error)))
    }

    /// As JSON, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As base64url of JSON, which every release that reads files reads.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.to_json())
    }

    /// The kind, `oct` unless it says.
    pub fn kind(&self) -> &str {
        self.kty.as_deref().unwrap_or("oct")
    }

    /// Whether its owner lets it do this.
    pub(super) fn permits(&self, operation: &'static str) -> Result<(), KeyError> {
        let by_list = self.key_ops.as_ref().is_none_or(|list| list.iter().any(|listed| listed == operation));
        let by_usage = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        if by_list && by_usage { Ok(()) } else { Err(KeyError::Purpose(operation)) }
    }
}

/// What is wrong with some JSON and where, without what stands there: it may be a secret.
pub(super) fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &text[..=start], &text[end..]),
        _ => text,
    }
}

/// The bytes of a member that has to be there.
pub(super) fn bytes(member: Option<&String>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = member.ok_or(KeyError::Missing(name))?;
    BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty()).ok_or(KeyError::Member(name))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;

    use super::*;

    const KEY: &str = r#"{"alg":"HS256","key_ops":["sign","verify"],"k":"c2VjcmV0","kid":"a"}"#;

    #[test]
    fn json_and_base64_are_told_apart() {
        for text in [KEY.to_owned(), format!("\n{KEY}\n"), BASE64.encode(KEY), format!("{}\n", URL_SAFE.encode(KEY))] {
            let key = Jwk::parse(&text).unwrap();
            assert_eq!((key.kind(), key.kid.as_deref(), key.k.as_deref()), ("oct", Some("a"), Some("c2VjcmV0")));
        }
    }

    #[test]
    fn a_key_survives_being_written() {
        let key = Jwk::parse(KEY).unwrap();
        assert_eq!(Jwk::parse(&key.to_base64()).unwrap().to_json(), key.to_json());
    }

    #[test]
    fn what_is_not_a_key() {
        let error = |text: &str| Jwk::parse(text).map(drop).unwrap_err().to_string();
        assert_eq!(error(" \n"), "the file is empty");
        assert!(error("{").starts_with("not a JSON Web Key: EOF"));
        assert!(error("not base64!").starts_with("not a JSON Web Key: neither JSON nor base64url"));
        assert!(error(r#"{"k":1}"#).contains("expected a string"));
        let listed = error(r#"{"key_ops":"hush"}"#);
        assert!(listed.contains("expected a sequence") && !listed.contains("hush"), "{listed}");
        assert!(error(r#"{"k":"a","k":"b"}"#).contains("duplicate field"));
    }

    #[test]
    fn a_key_is_used_for_what_it_is_meant_for() {
        let permits = |json: &str, operation| Jwk::parse(json).unwrap().permits(operation).is_ok();
        assert!(permits(KEY, "verify") && permits(KEY, "sign"));
        assert!(permits("{}", "verify") && permits(r#"{"use":"sig"}"#, "verify"));
        assert!(!permits(r#"{"key_ops":["sign"]}"#, "verify"));
        assert!(!permits(r#"{"use":"enc"}"#, "verify"));
        assert!(!permits(r#"{"use":"enc","key_ops":["verify"]}"#, "verify"));
    }
}
