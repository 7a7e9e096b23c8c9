//! What has to hold between settings and on this machine, checked before any socket is bound.

use std::{
    borrow::Cow,
    fs, io,
    path::{Path, PathBuf},
};

use super::Config;
use crate::{cluster, transport, web};

/// A configuration that cannot work.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Invalid {
    /// Something must be set.
    #[error("{0}")]
    Missing(&'static str),
    /// A setting cannot be used.
    #[error("{key} = {value:?}: {reason}")]
    Value {
        /// The key.
        key: Cow<'static, str>,
        /// The part of its value that is wrong.
        value: String,
        /// Why.
        reason: String,
    },
}

const NO_AUTH: &str = "no auth configured: set auth.public (--auth-public, MOQ_AUTH_PUBLIC) to a prefix that anybody may \
                       use, such as \"anon\", or to \"\" for everything, or auth.key (--auth-key) to the file of a key \
                       made by `moq-relay token generate`";

const NO_CERTIFICATE: &str = "no certificate configured: set server.tls.cert and server.tls.key (--server-tls-cert, \
                              --server-tls-key) to PEM files, or server.tls.generate (--server-tls-generate) to a host \
                              name such as \"localhost\"";

impl Config {
    /// Whether a relay can start with this. Reads no secrets, only whether the files are there.
    pub fn validate(&self) -> Result<(), Invalid> {
        if !self.auth.admits_anyone() && self.transport.server.tls.root.is_empty() && self.web.https.root.is_empty() {
            return Err(Invalid::Missing(NO_AUTH));
        }
        identity(&self.transport.server.tls)?;
        https(&self.web.https)?;
        readable("client.tls.root", &self.transport.client.tls.root)?;
        readable("client.tls.identity", &self.transport.client.tls.identity)?;
        readable("cluster.token", self.cluster.token.as_slice())?;
        let list = self.cluster.connect_api.iter().filter(|list| !cluster::config::is_url(list));
        readable("cluster.connect_api", &list.map(PathBuf::from).collect::<Vec<_>>())
    }
}

fn identity(tls: &transport::config::Tls) -> Result<(), Invalid> {
    paired(CERT, &tls.cert, KEY, &tls.key)?;
    if tls.cert.is_empty() && tls.generate.is_empty() {
        return Err(Invalid::Missing(NO_CERTIFICATE));
    }
    readable(CERT, &tls.cert)?;
    readable(KEY, &tls.key)?;
    readable("server.tls.root", &tls.root)
}

/// Each certificate has its key.
fn paired(cert: &'static str, certs: &[PathBuf], key: &'static str, keys: &[PathBuf]) -> Result<(), Invalid> {
    let (one, other) = (certs.len(), keys.len());
    if one == other {
        return Ok(());
    }
    let (name, paths) = if one > other { (cert, certs) } else { (key, keys) };
    let reason = format!("each certificate needs its key, but there are {one} in {cert} and {other} in {key}");
    Err(invalid(name, paths.last().map_or_else(|| Path::new(""), PathBuf::as_path), reason))
}

fn https(https: &web::config::Https) -> Result<(), Invalid> {
    paired(HTTPS_CERT, &https.cert, HTTPS_KEY, &https.key)?;
    if https.listen.is_none() && !https.cert.is_empty() {
        return Err(Invalid::Missing("web.https.cert is set, but not web.https.listen (--web-https-listen)"));
    }
    if https.cert.is_empty() && !https.root.is_empty() {
        return Err(Invalid::Missing(
            "web.https.root needs web.https.cert; for the certificate of QUIC there is server.tls.root",
        ));
    }
    readable(HTTPS_CERT, &https.cert)?;
    readable(HTTPS_KEY, &https.key)?;
    readable("web.https.root", &https.root)
}

fn readable(key: &'static str, paths: &[PathBuf]) -> Result<(), Invalid> {
    paths.iter().try_for_each(|path| probe(path).map_err(|error| invalid(key, path, error.to_string())))
}

fn probe(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Anything but a plain file, such as the pipe of `<(…)`, can be opened only once, by whoever reads it.
    if kind.is_file() { fs::File::open(path).map(drop) } else { Ok(()) }
}

fn invalid(key: &'static str, path: &Path, reason: String) -> Invalid {
    Invalid::Value { key: key.into(), value: path.display().to_string(), reason }
}

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";
const HTTPS_CERT: &str = "web.https.cert";
const HTTPS_KEY: &str = "web.https.key";
