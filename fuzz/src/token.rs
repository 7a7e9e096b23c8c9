//! Keys and tokens: what a file, a stranger or an issuer may write.

use std::sync::LazyLock;

use moq_relay::{
    auth::{self, Jwk, Signer, Token},
    types::Path,
};

use crate::memory::bounded;

/// A byte that says what the rest is.
pub fn body(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 3 {
        0 => key(rest),
        1 => token(rest),
        _ => claims(rest),
    }
}

static KEY: LazyLock<Jwk> = LazyLock::new(|| Jwk::parse(KEYS[0]).expect("a key"));

/// A key is written as it was read, and what it is used for fails or works.
fn key(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(key) = bounded(data, || Jwk::parse(text)) else { return };
    let again = Jwk::parse(&key.to_base64()).expect("what was written can be read");
    assert_eq!(again.to_json(), key.to_json());
    if let Ok(signer) = Signer::new(&key) {
        // A private key that signs and does not check is for something else, or of two halves.
        let signed = signer.sign(br#"{"put":"a"}"#).ok().and_then(|token| Token::new(token.as_str()));
        drop(signed.map(|token| auth::check(&token, &key)));
    }
    if let Ok(public) = key.public() {
        assert!(!public.is_private());
    }
}

/// Nobody guesses a signature.
fn token(data: &[u8]) {
    let Some(token) = str::from_utf8(data).ok().and_then(Token::new) else { return };
    let refusal = bounded(data, || auth::check(&token, &KEY)).expect_err("a token without a signature");
    let _ = (refusal.to_string(), refusal.story().len());
}

/// An issuer may write anything, and grants no more than its names say.
fn claims(data: &[u8]) {
    let token = Signer::new(&KEY).and_then(|signer| signer.sign(data)).expect("a signature");
    let token = Token::new(token).expect("a token");
    let Ok(rights) = bounded(data, || auth::check(&token, &KEY)) else { return };
    let grants = || rights.publish.prefixes().iter().chain(rights.subscribe.prefixes());
    assert!(grants().all(|prefix| prefix.has_prefix(&rights.root)));
    assert!(rights.cluster || grants().count() > 0);
    for path in [Path::root(), rights.root.clone()].into_iter().chain(grants().cloned()) {
        let (publish, subscribe) = rights.below(&path).expect("the root, what is above it, and each grant");
        for (below, all) in [(publish, &rights.publish), (subscribe, &rights.subscribe)] {
            assert!(below.prefixes().iter().all(|prefix| prefix.has_prefix(&path) && all.allows(prefix)));
        }
    }
}

const KEYS: [&str; 4] = [
    r#"{"alg":"HS256","key_ops":["sign","verify"],"k":"Fp8kipWUJeUFqeSqWym_tRC_tyI8z-QpqopIGrbrD68","kid":"a"}"#,
    r#"{"kty":"OKP","alg":"EdDSA","crv":"Ed25519","x":"UiU9fT_SdBBpkFtJPRCY0gX1jK_Dr9syYLFuEz4QUM4"}"#,
    r#"{"kty":"EC","crv":"P-256","x":"AQ","y":"Ag","d":"Aw","use":"sig","scope":{"root":"a","put":["b"]}}"#,
    "eyJrIjoiWVEifQ==",
];

pub fn seeds() -> Vec<Vec<u8>> {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJwdXQiOiJhIn0.AAAA";
    let claims = [
        r#"{"root":"room","put":["a","b/**"],"get":"","exp":4102444800,"nbf":0,"iat":1.5,"jti":"x","cluster":true}"#,
        r#"{"path":"room","pub":"a","pub!":"b","sub":"","aud":["x"]}"#,
        r#"{"publish":["a/**"],"subscribe":["**"],"x":[[{"y":null}]]}"#,
    ];
    let with = |kind: u8, text: &str| [&[kind], text.as_bytes()].concat();
    KEYS.iter().map(|key| with(0, key)).chain([with(1, token)]).chain(claims.iter().map(|text| with(2, text))).collect()
}
