//! One key or several, from one text.

use std::sync::Arc;

use super::{
    super::jwk::{Jwk, JwkSet},
    Refusal, Verifier, unknown,
};

/// The most keys of a set. Half: a provider that keeps its old keys for long may have more; double: a token without a
/// name is tried with that many.
const MAX_KEYS: usize = 32;

/// Keys that check signatures.
#[derive(Debug)]
pub(in crate::auth) struct Set {
    keys: Vec<Arc<Verifier>>,
}

impl Set {
    /// A key as in [`Jwk::parse`], or a JWK Set (RFC 7517 §5), of which keys for other purposes are left out.
    pub(in crate::auth) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let keys = match serde_json::from_str::<JwkSet>(text) {
            Ok(set) => Self::usable(set)?,
            Err(_) => vec![
                Verifier::new(&Jwk::parse(text).map_err(|error| error.to_string())?)
                    .map_err(|error| error.to_string())?,
            ],
        };
        Ok(Self { keys: keys.into_iter().map(Arc::new).collect() })
    }

    fn usable(set: JwkSet) -> Result<Vec<Verifier>, String> {
        if set.keys.len() > MAX_KEYS {
            return Err(format!("{} keys in the set, {MAX_KEYS} allowed", set.keys.len()));
        }
        let mut last = "the set has no keys".to_owned();
        let mut keys = Vec::new();
        for value in set.keys {
            let jwk = serde_json::from_value::<Jwk>(value).map_err(|error| super::super::jwk::without_values(&error));
            match jwk.and_then(|jwk| Verifier::new(&jwk).map_err(|error| error.to_string())) {
                Ok(key) => keys.push(key),
                Err(error) => last = error,
            }
        }
        if keys.is_empty() { Err(format!("no key of the set can be used: {last}")) } else { Ok(keys) }
    }

    /// Those that a token which names `kid` may be signed with. A key that is alone, or has no name, may have signed
    /// any: tools that make only one do not always name it.
    pub(in crate::auth) fn find(&self, kid: Option<&str>) -> Result<Vec<Arc<Verifier>>, Refusal> {
        if let [only] = &self.keys[..] {
            return Ok(vec![only.clone()]);
        }
        let fits = |key: &&Arc<Verifier>| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
        let found: Vec<_> = self.keys.iter().filter(fits).cloned().collect();
        if found.is_empty() { Err(unknown(format!("no key is called {kid:?}"))) } else { Ok(found) }
    }

    /// Whether a key has this name.
    pub(super) fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, kid: Option<&str>) -> Vec<String> {
        let found = Set::parse(text).unwrap().find(kid).unwrap_or_default();
        found.iter().map(|key| key.kid.clone().unwrap_or_default()).collect()
    }

    const TWO: &str = r#"{"keys":[
        {"kty":"oct","k":"YQ","kid":"a"}, {"kty":"oct","k":"Yg","kid":"b"}, {"kty":"oct","k":"Yw"},
        {"kty":"RSA","use":"enc","n":"AQ","e":"AQAB"}, {"kty":"quantum"}
    ]}"#;

    #[test]
    fn a_key_is_found_by_its_name() {
        assert_eq!(names(TWO, Some("a")), ["a", ""]);
        assert_eq!(names(TWO, None), ["a", "b", ""]);
        assert_eq!(names(TWO, Some("c")), [""]);
    }

    #[test]
    fn a_key_that_is_alone_may_have_signed_anything() {
        assert_eq!(names(r#"{"k":"YQ","kid":"a"}"#, Some("b")), ["a"]);
        assert_eq!(names(r#"{"keys":[{"k":"YQ","kid":"a"}]}"#, None), ["a"]);
    }

    #[test]
    fn sets_that_cannot_be_used() {
        let error = |text: &str| Set::parse(text).unwrap_err();
        assert_eq!(error(r#"{"keys":[]}"#), "no key of the set can be used: the set has no keys");
        assert!(error(r#"{"keys":[{"kty":"quantum"}]}"#).contains("quantum"));
        let many = format!(r#"{{"keys":[{}]}}"#, vec![r#"{"k":"YQ"}"#; 33].join(","));
        assert_eq!(error(&many), "33 keys in the set, 32 allowed");
        assert_eq!(error(r#"{"kty":"oct"}"#), "the key has no k");
    }
}
