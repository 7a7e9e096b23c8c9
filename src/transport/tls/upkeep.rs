//! Keeps what is shown current: reads pairs of files again when they change, renews what was generated.
//!
//! Looks at the files now and then instead of being told of changes: a look costs microseconds, and it works alike for
//! files that are written in place, renamed over, mounted as secrets behind links, or on another machine.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tracing::{info, warn};

use super::{Identity, generate, pem::Stamps};

/// How often files and the clock are looked at; a change is taken up at the second look. Half: twice the system calls.
/// Double: an operator wonders for up to eight seconds whether the new certificate was taken.
const EVERY: Duration = Duration::from_secs(2);

/// What was seen of each pair.
pub(super) struct Upkeep {
    identity: Arc<Identity>,
    watched: Vec<Watched>,
}

struct Watched {
    /// Read last, with or without success.
    read: Stamps,
    /// At the last look. A pair is read once it stays the same for a while, so that neither a file half written nor a
    /// new certificate whose key is yet to follow causes a warning.
    seen: Stamps,
}

impl Upkeep {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        let watched = identity.pairs.iter().map(|pair| Watched { read: pair.found, seen: pair.found }).collect();
        Self { identity, watched }
    }

    #[expect(clippy::disallowed_methods, reason = "certificates live by the wall clock")]
    pub(super) async fn run(mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let look = tokio::task::spawn_blocking(move || {
                self.look(SystemTime::now());
                self
            });
            // Fails only when the runtime shuts down.
            let Ok(back) = look.await else { return };
            self = back;
        }
    }

    /// Does what is due.
    pub(super) fn look(&mut self, now: SystemTime) {
        for (index, (pair, watched)) in self.identity.pairs.iter().zip(&mut self.watched).enumerate() {
            let stamps = pair.stamps();
            let settled = stamps == std::mem::replace(&mut watched.seen, stamps);
            if stamps == watched.read || !settled {
                continue;
            }
            watched.read = stamps;
            match pair.read(&self.identity.provider) {
                Ok(certificate) => {
                    info!(cert = %pair.cert().display(), "certificate reloaded");
                    self.identity.replace_configured(index, certificate);
                }
                Err(error) => warn!("new certificate not taken, the old one stays: {error}"),
            }
        }
        if self.identity.is_renewal_due(now) {
            match generate::certificate(&self.identity.names, now, &self.identity.provider) {
                Ok(generated) => {
                    self.identity.replace_generated(generated);
                    info!("generated certificate renewed");
                }
                Err(error) => warn!("generated certificate not renewed: {error}"),
            }
        }
    }
}
