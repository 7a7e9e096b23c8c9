//! Who may do what: credentials and a path go in, a grant or a refusal comes out.
//!
//! Every door (QUIC, HTTP) asks here, with what the peer brought and the path it wants, before it lets the peer near
//! the model. What a grant allows is a pair of scopes, so the model needs to know nothing of tokens.

mod anonymous;
mod grant;

pub use anonymous::PublicError;
pub use grant::{Credentials, Grant, Refusal, Token};

use crate::types::{Path, Scope};

/// What can be set about access.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// What anybody may publish and watch without a token.
    pub public: Scope,
}

impl Config {
    /// The scope that the spellings of `auth.public` describe; no text at all is no scope at all.
    pub fn public_scope<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Scope, PublicError> {
        texts.into_iter().map(anonymous::prefix).collect::<Result<_, _>>().map(Scope::new)
    }

    /// Whether anybody at all could get in.
    pub fn admits_anyone(&self) -> bool {
        !self.public.is_empty()
    }
}

/// Decides about each session and request.
#[derive(Clone, Debug)]
pub struct Auth {
    public: Scope,
}

impl Auth {
    /// Access as configured.
    pub fn new(config: &Config) -> Self {
        Self { public: config.public.clone() }
    }

    /// What somebody with these credentials may do on `path`. All names of the session are relative to that path.
    pub fn authorize(&self, credentials: &Credentials, path: &Path) -> Result<Grant, Refusal> {
        match credentials.token {
            // A token must not be worth less than none at all by accident: say that nobody here can read it.
            Some(_) => Err(Refusal::NoKey),
            None => anonymous::authorize(&self.public, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(public: &[&str]) -> Auth {
        Auth::new(&Config { public: Config::public_scope(public.iter().copied()).unwrap() })
    }

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn anonymous_sessions_get_what_is_public_below_their_path() {
        let grant = auth(&["anon", "demo"]).authorize(&Credentials::default(), &path("anon/room")).unwrap();
        assert_eq!((&grant.root, grant.publish.prefixes()), (&path("anon/room"), &[path("anon/room")][..]));
        assert_eq!((&grant.publish, grant.expires, grant.cluster), (&grant.subscribe, None, false));

        let grant = auth(&["anon", "demo"]).authorize(&Credentials::default(), &Path::root()).unwrap();
        assert_eq!(grant.subscribe.prefixes(), [path("anon"), path("demo")]);
        assert!(grant.root.is_empty());
    }

    #[test]
    fn everything_public_is_everything() {
        let grant = auth(&[""]).authorize(&Credentials::default(), &Path::root()).unwrap();
        assert_eq!(grant.publish, Scope::everything());
    }

    #[test]
    fn other_paths_are_refused() {
        let refusal = auth(&["anon"]).authorize(&Credentials::default(), &path("private")).unwrap_err();
        assert_eq!((refusal, refusal.reason()), (Refusal::NotPublic, "auth/not-public"));
        assert_eq!(auth(&[]).authorize(&Credentials::default(), &Path::root()).unwrap_err(), Refusal::NotPublic);
    }

    #[test]
    fn a_token_nobody_can_read_is_refused_even_where_public() {
        let credentials = Credentials { token: Token::new("ey.secret.x") };
        let refusal = auth(&[""]).authorize(&credentials, &Path::root()).unwrap_err();
        assert_eq!((refusal, refusal.reason()), (Refusal::NoKey, "auth/no-key"));
        assert!(!refusal.to_string().contains("secret"));
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let credentials = Credentials { token: Token::new("") };
        assert!(auth(&[""]).authorize(&credentials, &Path::root()).is_ok());
    }
}
