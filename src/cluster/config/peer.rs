//! One node to dial, as a host, a URL, or a URL with a price.

/// A node to dial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// A host with or without a port, or a URL without its price.
    pub url: String,
    /// What a hop over it counts.
    pub cost: Option<u64>,
    /// A token for this node alone.
    pub token: Option<String>,
}

/// A text that names no node.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerError {
    /// No host, or no URL.
    #[error("expected a host such as \"eu.example.com:4443\", or a URL such as \"https://eu.example.com/?cost=10\"")]
    Name,
    /// A scheme that no node is dialed by.
    #[error("no node can be dialed by {0}://")]
    Scheme(String),
    /// `cost=` without a number.
    #[error("cost={0}: expected a whole number")]
    Cost(String),
}

const SCHEMES: [&str; 12] = ["https", "http", "moqt", "moql", "moq", "moqs", "moqf", "wss", "ws", "tcp", "tls", "unix"];

/// Whether a text has the form of a URL, and is not a bare host.
pub fn is_url(text: &str) -> bool {
    text.contains("://")
}

impl Peer {
    /// Reads a host, or a URL whose query may hold `cost=N`.
    pub fn parse(text: &str) -> Result<Self, PeerError> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if SCHEMES.contains(&scheme) => rest,
            Some((scheme, _)) => return Err(PeerError::Scheme(scheme.to_owned())),
            None => text,
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_bare = !is_url(text);
        let nameless = host.is_empty() && !text.starts_with("unix://");
        if nameless || text.contains(char::is_whitespace) || (is_bare && host != text) {
            return Err(PeerError::Name);
        }
        let (mut url, mut cost) = (text.to_owned(), None);
        if let Some((base, query)) = text.split_once('?') {
            let (prices, others): (Vec<_>, Vec<_>) = query.split('&').partition(|pair| pair.starts_with("cost="));
            if let Some(price) = prices.last().and_then(|pair| pair.strip_prefix("cost=")) {
                cost = Some(price.parse().map_err(|_| PeerError::Cost(price.to_owned()))?);
            }
            let separator = if others.is_empty() { "" } else { "?" };
            url = format!("{base}{separator}{}", others.join("&"));
        }
        Ok(Self { url, cost, token: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_urls() {
        let peer = |url: &str, cost| Ok(Peer { url: url.to_owned(), cost, token: None });
        assert_eq!(Peer::parse("localhost:4443"), peer("localhost:4443", None));
        assert_eq!(Peer::parse("https://a/?cost=10"), peer("https://a/", Some(10)));
        assert_eq!(Peer::parse("https://a/b?jwt=x&cost=1"), peer("https://a/b?jwt=x", Some(1)));
        for text in ["", "a b", "https://", "https:///a", "a/b", "a?cost=1"] {
            assert_eq!(Peer::parse(text), Err(PeerError::Name), "{text}");
        }
        assert_eq!(Peer::parse("ftp://a"), Err(PeerError::Scheme("ftp".into())));
        assert_eq!(Peer::parse("https://a/?cost=ten"), Err(PeerError::Cost("ten".into())));
    }
}
