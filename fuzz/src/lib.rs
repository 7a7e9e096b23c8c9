//! Everything that reads a stranger's bytes, fed with any bytes at all.
//!
//! A target is a body, a plain function that panics when a promise is broken, and seeds for it. `fuzz_targets/` gives
//! bodies to libFuzzer (`dev/fuzz`); `tests/replay.rs` runs seeds and the saved corpus through them on every change.
//!
//! Promises: nothing panics; what is read and written reads the same again; a decoder's memory is bounded by its input;
//! chunks make no difference; nobody but the sender notices, and when everybody has gone, nothing of them is left.

mod codecs;
mod datagram;
mod door;
mod group;
mod in_band;
mod input;
mod integer;
mod memory;
mod message;
mod path;
mod peers;
mod samples;
mod session;
mod token;
mod webtransport;

pub use message::unseeded;

/// Something that reads bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its main and of its corpus.
    pub name: &'static str,
    /// Takes any bytes; a panic is a finding.
    pub body: fn(&[u8]),
    /// Bytes worth to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target there is.
pub const TARGETS: [Target; 11] = [
    Target { name: "integer", body: integer::body, seeds: integer::seeds },
    Target { name: "path", body: path::body, seeds: path::seeds },
    Target { name: "message", body: message::body, seeds: message::seeds },
    Target { name: "in_band", body: in_band::body, seeds: in_band::seeds },
    Target { name: "datagram", body: datagram::body, seeds: datagram::seeds },
    Target { name: "group", body: group::body, seeds: group::seeds },
    Target { name: "socket", body: door::socket, seeds: door::socket_seeds },
    Target { name: "websocket", body: door::websocket, seeds: door::websocket_seeds },
    Target { name: "webtransport", body: webtransport::body, seeds: webtransport::seeds },
    Target { name: "token", body: token::body, seeds: token::seeds },
    Target { name: "session", body: session::body, seeds: session::seeds },
];

/// The main of a target: its name, for libFuzzer.
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! main {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(init: $crate::write_seeds($name), |data: &[u8]| ($crate::target($name).body)(data));
    };
}

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("mains are named as in the table")
}

/// Instead of fuzzing: writes the seeds of a target into the folder that `SEEDS` names.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os("SEEDS") else { return };
    let folder = std::path::Path::new(&folder);
    for (i, seed) in (target(name).seeds)().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{i:03}")), seed).expect("SEEDS is a folder");
    }
    std::process::exit(0);
}
