//! Where to listen: a socket address, or a host name with a port.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
};

/// A place to bind. A name is looked up when it is bound, so that parsing never touches the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address(Host);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    Literal(SocketAddr),
    Named(Box<str>, u16),
}

/// The text is not an [`Address`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected an address with a port, such as \"[::]:443\" or \"localhost:4443\"")]
pub struct AddressError;

impl Address {
    /// Reads `[::]:443`, `127.0.0.1:443` or `relay.example.com:443`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Ok(literal) = text.parse() {
            return Ok(Self(Host::Literal(literal)));
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError)?;
        // Digits and dots alone would be a broken IPv4 address, which resolvers read in surprising ways.
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic())
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if !is_name {
            return Err(AddressError);
        }
        Ok(Self(Host::Named(host.into(), port.parse().map_err(|_| AddressError)?)))
    }

    /// Every socket address behind it; asks the system's resolver for a name, which blocks.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Host::Literal(literal) => Ok(vec![*literal]),
            Host::Named(host, port) => (&**host, *port).to_socket_addrs().map(Iterator::collect),
        }
    }

    /// The port as written.
    pub const fn port(&self) -> u16 {
        match &self.0 {
            Host::Literal(literal) => literal.port(),
            Host::Named(_, port) => *port,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(literal: SocketAddr) -> Self {
        Self(Host::Literal(literal))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Host::Literal(literal) => literal.fmt(f),
            Host::Named(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for text in ["[::]:443", "127.0.0.1:0", "[::1%2]:80", "localhost:4443", "eu_1.example.com:443"] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), text);
        }
        let literal = Address::parse("127.0.0.1:9").unwrap();
        assert_eq!((literal.port(), literal.resolve().unwrap()), (9, vec![([127, 0, 0, 1], 9).into()]));
    }

    #[test]
    fn half_addresses_do_not() {
        for text in ["", ":443", "443", "localhost", "::1:443", "1.2.3:443", "localhost:70000", "http://a:1", "a b:1"] {
            assert_eq!(Address::parse(text), Err(AddressError), "{text}");
        }
    }
}
