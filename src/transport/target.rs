//! Where to dial: a URL, and which door its scheme means.

use std::{fmt, path::PathBuf};

use url::Url;

/// A place to dial. Prints without its query, which may hold a token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    url: Url,
    door: Door,
}

/// How a place is entered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Door {
    /// WebTransport over HTTP/3.
    WebTransport,
    /// QUIC without HTTP.
    Quic,
    /// A WebSocket, by TLS or without.
    WebSocket {
        /// By TLS.
        secure: bool,
    },
    /// QMux over TCP, by TLS or without.
    Tcp {
        /// By TLS.
        secure: bool,
    },
    /// QMux over a Unix socket.
    Unix,
}

/// Why a text is no place to dial.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// Nothing is dialed like that.
    #[error("nothing is dialed by {0}://")]
    Scheme(String),
    /// A URL with no host in it.
    #[error("there is no host in it")]
    NoHost,
}

impl Target {
    /// Reads a URL, or a bare host as releases before 0.12 had it: WebTransport at its root.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = if text.contains("://") { Url::parse(text)? } else { Url::parse(&format!("https://{text}/"))? };
        let door = match url.scheme() {
            "https" | "http" => Door::WebTransport,
            "moqt" | "moql" | "moq" | "moqs" | "moqf" => Door::Quic,
            "wss" => Door::WebSocket { secure: true },
            "ws" => Door::WebSocket { secure: false },
            "tls" => Door::Tcp { secure: true },
            "tcp" => Door::Tcp { secure: false },
            "unix" => Door::Unix,
            other => return Err(TargetError::Scheme(other.to_owned())),
        };
        if door != Door::Unix && url.host_str().is_none_or(str::is_empty) {
            return Err(TargetError::NoHost);
        }
        Ok(Self { url, door })
    }

    /// How it is entered.
    pub const fn door(&self) -> Door {
        self.door
    }

    /// The whole URL, with what is secret in it.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The host as TLS and DNS want it: an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port named, or the usual one.
    pub fn port(&self) -> u16 {
        let usual =
            if matches!(self.door, Door::WebSocket { secure: false }) || self.is_pinned_by_http() { 80 } else { 443 };
        self.url.port().unwrap_or(usual)
    }

    /// `http://`: the certificate is whichever a page of the same host and port tells, without TLS. For trying out.
    pub fn is_pinned_by_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Path and query, as they stand.
    pub fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// The file of a Unix socket.
    pub fn file(&self) -> PathBuf {
        self.url.path().into()
    }

    /// The value of a key in its query.
    pub fn parameter(&self, key: &str) -> Option<String> {
        self.url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    }

    /// The same place with one more pair in its query.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// The same place by WebSocket, if it has one: where WebTransport is, browsers without it find that.
    pub fn as_websocket(&self) -> Option<Self> {
        let secure = match self.url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let mut url = self.url.clone();
        url.set_scheme(if secure { "wss" } else { "ws" }).ok()?;
        Some(Self { url, door: Door::WebSocket { secure } })
    }

    /// The scheme.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// How hard it is to listen in: a GOAWAY must not lead to less.
    pub fn tier(&self) -> u8 {
        match self.scheme() {
            "https" | "wss" | "moqt" | "moql" | "moqs" | "tls" => 2,
            "http" | "ws" | "tcp" | "moq" => 1,
            _ => 0,
        }
    }

    /// The URL without its query: which place it is, and what people may see.
    pub fn place(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.into()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_doors() {
        let door = |text: &str| Target::parse(text).map(|target| (target.door(), target.port()));
        assert_eq!(door("localhost:4443"), Ok((Door::WebTransport, 4443)));
        assert_eq!(door("https://a/"), Ok((Door::WebTransport, 443)));
        assert_eq!(door("http://a/"), Ok((Door::WebTransport, 80)));
        assert_eq!(door("moqt://a:1/b"), Ok((Door::Quic, 1)));
        assert_eq!(door("wss://a"), Ok((Door::WebSocket { secure: true }, 443)));
        assert_eq!(door("tcp://a:2"), Ok((Door::Tcp { secure: false }, 2)));
        assert_eq!(Target::parse("unix:///run/moq.sock").map(|target| target.file()), Ok("/run/moq.sock".into()));
        assert_eq!(Target::parse("ftp://a"), Err(TargetError::Scheme("ftp".into())));
        assert!(Target::parse("https://").is_err() && Target::parse("moqt:///a").is_err());
    }

    #[test]
    fn a_token_is_sent_and_not_shown() {
        let target = Target::parse("https://[::1]:4443/a?x=1").unwrap().with("jwt", "ey.J+");
        assert_eq!(target.path_and_query(), "/a?x=1&jwt=ey.J%2B");
        assert_eq!(format!("{target} {target:?}"), "https://[::1]:4443/a https://[::1]:4443/a");
        assert_eq!(target.host(), "::1");
        assert_eq!(target.parameter("jwt").as_deref(), Some("ey.J+"));
        let socket = target.as_websocket().unwrap();
        assert_eq!((socket.scheme(), socket.port()), ("wss", 4443));
    }
}
