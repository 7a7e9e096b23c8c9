//! Real files, real handshakes, a clock that is told.

#![expect(clippy::disallowed_methods, reason = "certificates live by the wall clock")]

use std::{fs, path::Path, time::Duration};

use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use tempfile::TempDir;

use super::*;

const DAY: u64 = 24 * 60 * 60;

/// Writes a fresh pair of files for a name; returns the certificate.
fn write(dir: &Path, name: &str, files: [&str; 2]) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    // Renamed into place, as careful tools do.
    for (file, text) in files.into_iter().zip([made.cert.pem(), made.signing_key.serialize_pem()]) {
        let next = dir.join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, dir.join(file)).unwrap();
    }
    made.cert.der().to_vec()
}

fn tls(dir: &Path, pairs: &[[&str; 2]], generate: &[&str]) -> Tls {
    let files = |i: usize| pairs.iter().map(|pair| dir.join(pair[i])).collect();
    Tls {
        cert: files(0),
        key: files(1),
        generate: generate.iter().map(|&name| name.to_owned()).collect(),
        root: Vec::new(),
    }
}

fn shown(identity: &Identity, name: Option<&str>) -> Vec<u8> {
    identity.choose(name).unwrap().cert[0].to_vec()
}

fn problem(dir: &Path, pair: [&str; 2]) -> String {
    Identity::load(&tls(dir, &[pair], &[])).unwrap_err().to_string()
}

#[test]
fn the_name_decides_and_the_first_is_for_everybody_else() {
    let dir = TempDir::new().unwrap();
    let a = write(dir.path(), "a.example", ["a.pem", "a.key"]);
    let b = write(dir.path(), "*.b.example", ["b.pem", "b.key"]);
    let tls = tls(dir.path(), &[["a.pem", "a.key"], ["b.pem", "b.key"]], &["localhost"]);
    let identity = Identity::load(&tls).unwrap();
    assert_eq!(shown(&identity, Some("a.example")), a);
    assert_eq!(shown(&identity, Some("www.b.example")), b);
    assert_eq!(shown(&identity, Some("elsewhere.example")), a);
    assert_eq!(shown(&identity, Some("not a name")), a);
    assert_eq!(shown(&identity, None), a);
    let local = shown(&identity, Some("localhost"));
    assert!(local != a && local != b);
    assert_eq!(identity.fingerprint().unwrap().0, digest(&SHA256, &a).as_ref());
}

#[test]
fn fingerprints_are_lower_case_hex() {
    let mut bytes = [0; 32];
    (bytes[0], bytes[31]) = (0x0a, 0xff);
    let text = Fingerprint(bytes).to_string();
    assert_eq!(text, format!("0a{}ff", "0".repeat(60)));
}

#[test]
fn no_certificate_is_possible() {
    let identity = Identity::load(&Tls::default()).unwrap();
    assert_eq!(identity.fingerprint(), None);
    assert!(identity.choose(Some("localhost")).is_none());
}

#[test]
fn broken_files_are_named() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    write(dir, "localhost", ["a.pem", "a.key"]);
    write(dir, "localhost", ["b.pem", "b.key"]);
    fs::write(dir.join("empty"), "").unwrap();
    fs::write(dir.join("cut"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    fs::write(dir.join("cut.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    fs::write(dir.join("junk"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(dir.join("junk.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    for (pair, file, reason) in [
        (["none", "a.key"], "none", "No such file"),
        (["a.pem", "none"], "none", "No such file"),
        (["empty", "a.key"], "empty", "no certificate"),
        (["a.key", "a.key"], "a.key", "no certificate"),
        (["a.pem", "empty"], "empty", "no private key"),
        (["a.pem", "a.pem"], "a.pem", "no private key"),
        (["cut", "a.key"], "cut", "broken PEM"),
        (["a.pem", "cut.key"], "cut.key", "broken PEM"),
        (["junk", "a.key"], "junk", "cannot be used"),
        (["a.pem", "junk.key"], "junk.key", "cannot be used"),
        (["a.pem", "b.key"], "b.key", "does not belong"),
    ] {
        let problem = problem(dir, pair);
        let path = dir.join(file).display().to_string();
        assert!(problem.starts_with(&path) && problem.contains(reason), "{problem}");
    }
    let mut tls = tls(dir, &[["a.pem", "a.key"]], &[]);
    tls.key.clear();
    assert!(matches!(Identity::load(&tls), Err(Error::Unpaired { certs: 1, keys: 0 })));
}

#[test]
fn a_new_pair_of_files_is_taken_once_it_settles() {
    let dir = TempDir::new().unwrap();
    let old = write(dir.path(), "localhost", ["a.pem", "a.key"]);
    let identity = Identity::load(&tls(dir.path(), &[["a.pem", "a.key"]], &[])).unwrap();
    let mut upkeep = Upkeep::new(identity.clone());
    let now = SystemTime::now();
    upkeep.look(now);
    let new = write(dir.path(), "localhost", ["a.pem", "a.key"]);
    upkeep.look(now);
    assert_eq!(shown(&identity, None), old, "not yet settled");
    upkeep.look(now);
    assert_eq!(shown(&identity, None), new);
}

#[test]
fn a_change_between_loading_and_the_first_look_is_not_missed() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "localhost", ["a.pem", "a.key"]);
    let identity = Identity::load(&tls(dir.path(), &[["a.pem", "a.key"]], &[])).unwrap();
    let new = write(dir.path(), "localhost", ["a.pem", "a.key"]);
    let mut upkeep = Upkeep::new(identity.clone());
    upkeep.look(SystemTime::now());
    upkeep.look(SystemTime::now());
    assert_eq!(shown(&identity, None), new);
}

#[test]
fn a_broken_pair_keeps_the_old_one() {
    let dir = TempDir::new().unwrap();
    let old = write(dir.path(), "localhost", ["a.pem", "a.key"]);
    write(dir.path(), "localhost", ["b.pem", "b.key"]);
    let identity = Identity::load(&tls(dir.path(), &[["a.pem", "a.key"]], &[])).unwrap();
    let mut upkeep = Upkeep::new(identity.clone());
    let now = SystemTime::now();
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(dir.path().join("a.pem"), text).unwrap();
        upkeep.look(now);
        upkeep.look(now);
        assert_eq!(shown(&identity, None), old);
    }
    fs::remove_file(dir.path().join("a.pem")).unwrap();
    upkeep.look(now);
    upkeep.look(now);
    fs::copy(dir.path().join("b.pem"), dir.path().join("a.pem")).unwrap();
    upkeep.look(now);
    upkeep.look(now);
    assert_eq!(shown(&identity, None), old, "its key has not followed yet");
    fs::copy(dir.path().join("b.key"), dir.path().join("a.key")).unwrap();
    upkeep.look(now);
    upkeep.look(now);
    assert_eq!(shown(&identity, None), fs_der(&dir.path().join("b.pem")));
}

fn fs_der(path: &Path) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_file(path).unwrap().to_vec()
}

#[test]
fn a_generated_certificate_is_renewed_before_its_end() {
    let identity = Identity::load(&tls(Path::new(""), &[], &["localhost"])).unwrap();
    let mut upkeep = Upkeep::new(identity.clone());
    let (now, first) = (SystemTime::now(), identity.fingerprint());
    upkeep.look(now + Duration::from_secs(11 * DAY - 60));
    assert_eq!(identity.fingerprint(), first);
    let later = now + Duration::from_secs(11 * DAY + 60);
    upkeep.look(later);
    let second = identity.fingerprint();
    assert_ne!(second, first);
    upkeep.look(later);
    assert_eq!(identity.fingerprint(), second);
    upkeep.look(now);
    assert_ne!(identity.fingerprint(), second, "the clock was set back to before it is valid");
}

#[tokio::test(start_paused = true)]
async fn upkeep_goes_on_by_itself() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "localhost", ["a.pem", "a.key"]);
    let identity = Identity::load(&tls(dir.path(), &[["a.pem", "a.key"]], &[])).unwrap();
    let maintained = tokio::spawn(identity.clone().maintain());
    let new = write(dir.path(), "localhost", ["a.pem", "a.key"]);
    while shown(&identity, None) != new {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    maintained.abort();
    assert!(maintained.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&identity), 1);
}

#[test]
fn browsers_would_pin_a_generated_certificate() {
    let identity = Identity::load(&tls(Path::new(""), &[], &["localhost", "127.0.0.1", "::1"])).unwrap();
    let der = shown(&identity, None);
    let contains = |part: &[u8]| der.windows(part.len()).any(|window| window == part);
    assert!(contains(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]), "the curve is P-256");
    assert!(contains(b"localhost") && contains(&[0x87, 4, 127, 0, 0, 1]), "an IP address is one in the certificate");
    for name in ["localhost", "127.0.0.1", "::1"] {
        handshake(&identity, name, &[], &rustls::ALL_VERSIONS[..1]).unwrap();
    }
}

#[test]
fn only_tls_13_with_an_offered_protocol() {
    let identity = Identity::load(&tls(Path::new(""), &[], &["localhost"])).unwrap();
    let tls13 = &[&TLS13][..];
    assert_eq!(handshake(&identity, "localhost", &["moq-lite-04", "h3"], tls13), Ok(Some(b"h3".to_vec())));
    assert_eq!(handshake(&identity, "localhost", &[], tls13), Ok(None));
    assert!(handshake(&identity, "localhost", &["http/1.1"], tls13).is_err());
    assert!(handshake(&identity, "localhost", &["h3"], &[&TLS12]).is_err());
    assert!(handshake(&identity, "elsewhere", &["h3"], tls13).is_err());
    assert_eq!(identity.server_config(&["h3"]).unwrap().max_early_data_size, 0);
}

/// A handshake in memory with a client that trusts what is shown; returns the protocol agreed on.
fn handshake(
    identity: &Arc<Identity>,
    name: &str,
    alpn: &[&str],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(shown(identity, None).into()).unwrap();
    let builder = ClientConfig::builder_with_provider(identity.provider.clone());
    let builder = builder.with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(identity.server_config(&["h3"]).unwrap())).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &*wire).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &*wire).unwrap();
        client.process_new_packets()?;
    }
    Ok(server.alpn_protocol().map(<[u8]>::to_vec))
}
