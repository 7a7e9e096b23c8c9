//! What a session has to say first: SETUP of moq-lite-05 and later, CLIENT_SETUP and SERVER_SETUP of 01 and 02.

use anyhow::{Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};

use super::{Varint, Version, decoder::Decoder, encoder::Encoder};

const CLIENT_SETUP: u8 = 0x20;
pub(crate) const SERVER_SETUP: u64 = 0x21;

/// The parameter of SETUP that names a path.
const PATH: u64 = 2;

/// SETUP, stream type included, with a path unless that is empty.
pub(crate) fn setup(version: &Version, path: &str) -> Bytes {
    let mut body = Encoder::new(version.varint);
    match path {
        "" => body.int(0),
        path => body.int(1).int(PATH).text(path),
    };
    body.framed(&[0x1])
}

/// CLIENT_SETUP that offers one version by its code, without parameters. Its size has 16 bits, unlike any other.
pub(crate) fn client_setup(code: u64) -> Bytes {
    let mut body = BytesMut::new();
    for field in [1, code, 0] {
        Varint::Quic.put(&mut body, field);
    }
    let mut out = BytesMut::with_capacity(16);
    out.put_u8(CLIENT_SETUP);
    out.put_u16(body.len() as u16);
    out.put_slice(&body);
    out.freeze()
}

/// The code of the version that the body of a SERVER_SETUP chooses. A moq-lite server sends no parameters.
pub(crate) fn chosen(body: &[u8]) -> Result<u64> {
    let mut body = Decoder::new(Varint::Quic, body);
    let (code, parameters) = (body.int()?, body.int()?);
    ensure!(parameters == 0, "{parameters} parameters in SERVER_SETUP");
    body.end()?;
    Ok(code)
}
