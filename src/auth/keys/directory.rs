//! A key per name: `{kid}.jwk` in a folder, or below a URL.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{super::jwk::Jwk, Refusal, Verifier, unavailable, unknown};
use crate::{
    files::{Missing, Watched},
    http::Client,
};

/// The most keys remembered at a time, known or not. Half: a service with more customers asks its disk or key server
/// more often; double: so much more that names made up by strangers can fill.
const MAX_KEYS: usize = 1024;
/// How long a key counts when the server does not say, and how long a name without a key.
const FRESH: Duration = Duration::from_secs(60);
/// The longest that a key counts, whatever the server says, and that one counts which cannot be fetched again.
const STALE: Duration = Duration::from_secs(3600);
/// How long a key may take, with the wait for a turn to ask.
const DEADLINE: Duration = Duration::from_secs(6);
/// Questions to the key server at a time.
const ASKING: usize = 8;

/// Where the files are.
#[derive(Debug)]
pub(in crate::auth) enum Directory {
    /// A folder.
    Folder(Names),
    /// Below a URL.
    Url(Remote),
}

impl Directory {
    /// The key of this name, which must be fit for a file.
    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Verifier>, Refusal> {
        match self {
            Self::Folder(folder) => folder.find(kid).await,
            Self::Url(remote) => remote.find(kid).await,
        }
    }
}

/// A folder of key files. A file that is removed is a key that counts no more.
#[derive(Debug)]
pub(in crate::auth) struct Names {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<Watched<Verifier>>>>,
}

impl Names {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, open: Mutex::default() }
    }

    async fn find(&self, kid: &str) -> Result<Arc<Verifier>, Refusal> {
        let known = lock(&self.open).get(kid).cloned();
        if let Some(file) = known {
            match file.get().await {
                Ok(key) => return Ok(key),
                Err(error) => {
                    lock(&self.open).remove(kid);
                    return Err(unknown(error.to_string()));
                }
            }
        }
        let path = self.folder.join(format!("{kid}.jwk"));
        let opened = tokio::task::spawn_blocking(move || Watched::open(&path, parse, Missing::Drop)).await;
        let opened = opened.map_err(|error| unavailable(error.to_string()))?;
        let file = Arc::new(opened.map_err(|error| unknown(error.to_string()))?);
        self.remember(kid, file.clone());
        file.get().await.map_err(|error| unknown(error.to_string()))
    }

    fn remember(&self, kid: &str, file: Arc<Watched<Verifier>>) {
        let mut open = lock(&self.open);
        if open.len() >= MAX_KEYS {
            // They are read again when somebody needs them.
            open.clear();
        }
        open.insert(kid.to_owned(), file);
    }
}

/// Key files that are fetched when a token names them.
#[derive(Debug)]
pub(in crate::auth) struct Remote {
    base: String,
    client: Client,
    asking: Semaphore,
    fetched: Mutex<HashMap<String, Fetched>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    /// `None`: there is no key of this name.
    key: Option<Arc<Verifier>>,
    /// Until then it counts without asking.
    fresh: Instant,
    /// Until then it counts when nobody answers.
    stale: Instant,
}

impl Remote {
    pub(super) fn new(base: String, client: Client) -> Self {
        Self { base, client, asking: Semaphore::new(ASKING), fetched: Mutex::default() }
    }

    async fn find(&self, kid: &str) -> Result<Arc<Verifier>, Refusal> {
        let known = lock(&self.fetched).get(kid).cloned();
        if let Some(fetched) = known.as_ref().filter(|fetched| fetched.fresh > Instant::now()) {
            return fetched.key.clone().ok_or_else(|| unknown("the key server does not know it"));
        }
        let fetched = timeout(DEADLINE, self.fetch(kid)).await;
        match fetched.unwrap_or_else(|_| Err("the key server is too slow".to_owned())) {
            Ok(fetched) => {
                let key = fetched.key.clone();
                self.remember(kid, fetched);
                key.ok_or_else(|| unknown("the key server does not know it"))
            }
            Err(story) => {
                let kept = known.filter(|known| known.stale > Instant::now()).and_then(|known| known.key);
                kept.ok_or_else(|| unavailable(story))
            }
        }
    }

    fn remember(&self, kid: &str, fetched: Fetched) {
        let mut all = lock(&self.fetched);
        if all.len() >= MAX_KEYS {
            // Names that somebody made up go first.
            all.retain(|_, fetched| fetched.key.is_some());
        }
        if all.len() >= MAX_KEYS {
            all.clear();
        }
        all.insert(kid.to_owned(), fetched);
    }

    async fn fetch(&self, kid: &str) -> Result<Fetched, String> {
        let _turn = self.asking.acquire().await.map_err(|error| error.to_string())?;
        let answer = self.client.get(&address(&self.base, kid)).await.map_err(|error| error.to_string())?;
        let now = Instant::now();
        if matches!(answer.status, 404 | 410) {
            return Ok(Fetched { key: None, fresh: now + FRESH, stale: now });
        }
        let answer = answer.success().map_err(|error| error.to_string())?;
        let text = String::from_utf8(answer.body).map_err(|_| "the key is not text")?;
        let fresh = answer.max_age.unwrap_or(FRESH).min(STALE);
        Ok(Fetched { key: Some(Arc::new(parse(&text)?)), fresh: now + fresh, stale: now + STALE })
    }
}

/// The file below the base, before what its query says.
fn address(base: &str, kid: &str) -> String {
    let (path, query) = base.split_once('?').map_or((base, String::new()), |(path, query)| (path, format!("?{query}")));
    format!("{}/{kid}.jwk{query}", path.trim_end_matches('/'))
}

fn parse(text: &str) -> Result<Verifier, String> {
    Jwk::parse(text).and_then(|jwk| Verifier::new(&jwk)).map_err(|error| error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_below_the_base() {
        assert_eq!(address("https://a/keys", "x"), "https://a/keys/x.jwk");
        assert_eq!(address("https://a/keys/", "x"), "https://a/keys/x.jwk");
        assert_eq!(address("https://a/k?v=1", "x"), "https://a/k/x.jwk?v=1");
    }
}
