//! A JWK Set that is fetched now and then (RFC 7517 §5).

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};
use tracing::{debug, warn};

use super::{Refusal, Set, Verifier, unavailable};
use crate::http::{Answer, Client};

/// How soon a name that nobody knows may cause another fetch. Half: whoever makes up names has our key server asked
/// twice as often; double: a new key is of no use for that long.
const SOONEST: Duration = Duration::from_secs(60);
/// How long the last good keys count when there are no new ones.
const STALE: Duration = Duration::from_secs(3600);
/// The longest until another try after one that failed.
const RETRY: Duration = Duration::from_secs(60);

/// Keys that live somewhere else.
#[derive(Debug)]
pub(in crate::auth) struct RemoteSet {
    url: String,
    refresh: Duration,
    client: Client,
    current: RwLock<Option<Current>>,
    /// When the last fetch ended; held while one is under way.
    last: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Current {
    set: Arc<Set>,
    since: Instant,
}

impl RemoteSet {
    pub(super) fn new(url: String, refresh: Duration, client: Client) -> Arc<Self> {
        Arc::new(Self { url, refresh, client, current: RwLock::default(), last: Mutex::default() })
    }

    pub(super) async fn find(&self, kid: Option<&str>) -> Result<Vec<Arc<Verifier>>, Refusal> {
        let known = self.current();
        if let Some(set) = &known
            && kid.is_none_or(|kid| set.knows(kid))
        {
            return set.find(kid);
        }
        let failure = self.fetch(if known.is_some() { SOONEST } else { Duration::from_secs(1) }).await.err();
        match self.current() {
            Some(set) => set.find(kid),
            None => Err(unavailable(failure.unwrap_or_else(|| "the key server gave no keys".to_owned()))),
        }
    }

    /// Fetches now and then, and sooner after a failure.
    pub(super) async fn maintain(&self) {
        loop {
            let wait = match self.fetch(Duration::ZERO).await {
                Ok(()) => self.refresh,
                Err(reason) => {
                    warn!(reason, "keys not fetched: the last good ones count for an hour");
                    self.refresh.min(RETRY)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Keys that are young enough.
    fn current(&self) -> Option<Arc<Set>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        current.filter(|current| current.since.elapsed() < STALE.max(2 * self.refresh)).map(|current| current.set)
    }

    /// Fetches, unless somebody did less than `apart` ago; waits for whoever does it now.
    async fn fetch(&self, apart: Duration) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if last.is_some_and(|last| last.elapsed() < apart) {
            return Ok(());
        }
        let fetched = self.fetch_now().await;
        // Those who waited meanwhile have their answer, too.
        *last = Some(Instant::now());
        fetched
    }

    async fn fetch_now(&self) -> Result<(), String> {
        let answer = self.client.get(&self.url).await.and_then(Answer::success);
        let answer = answer.map_err(|error| error.to_string())?;
        let text = String::from_utf8(answer.body).map_err(|_| "the answer is not text")?;
        let current = Current { set: Arc::new(Set::parse(&text)?), since: Instant::now() };
        debug!("keys fetched");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(())
    }
}
