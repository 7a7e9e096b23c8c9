//! What a file says, as of a moment ago.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::Stamp;

/// How long a look counts. Half: twice the system calls while many people come in; double: what an operator changed is
/// in force that much later.
const FRESH: Duration = Duration::from_secs(1);

/// What the last good content is worth once the file cannot be used any more.
const STALE: Duration = Duration::from_secs(3600);

/// A file whose content is kept parsed. It is looked at when somebody asks, at most once a second.
pub struct Watched<T> {
    path: PathBuf,
    parse: Parse<T>,
    missing: Missing,
    /// It can be read again.
    is_plain: bool,
    state: Mutex<State<T>>,
}

type Parse<T> = fn(&str) -> Result<T, String>;

/// What it means when the file is not there any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// A mistake or a moment between two others: the last content counts for an hour.
    Keep,
    /// It was taken away on purpose.
    Drop,
}

/// There is no content, or none that is young enough.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot use {}: {reason}", path.display())]
pub struct Unavailable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

struct State<T> {
    /// The last good content.
    value: Option<Arc<T>>,
    /// What was read last, whether it was good or not.
    read: Option<Stamp>,
    /// Why `value` is not what is there now.
    problem: Option<Problem>,
    looked: Instant,
}

struct Problem {
    reason: String,
    since: Instant,
    /// A file that is being written is bad for a moment, which is nothing to tell anybody.
    told: bool,
}

impl<T> Watched<T> {
    /// Reads a file for the first time. Blocks.
    pub fn open(path: &Path, parse: Parse<T>, missing: Missing) -> Result<Self, Unavailable> {
        let read = Stamp::of(path);
        let value = fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| parse(&text));
        let value = value.map_err(|reason| Unavailable { path: path.to_owned(), reason })?;
        let state = State { value: Some(Arc::new(value)), read, problem: None, looked: Instant::now() };
        Ok(Self { path: path.to_owned(), parse, missing, is_plain: read.is_some(), state: Mutex::new(state) })
    }

    /// The content. A look, when the last one is old, happens where it may block.
    pub async fn get(self: &Arc<Self>) -> Result<Arc<T>, Unavailable>
    where
        T: Send + Sync + 'static,
    {
        match self.fresh() {
            Some(content) => content,
            None => self.blocking(Self::read).await,
        }
    }

    /// The content at this moment.
    pub async fn look(self: &Arc<Self>) -> Result<Arc<T>, Unavailable>
    where
        T: Send + Sync + 'static,
    {
        self.blocking(|file| file.read_after(Duration::ZERO)).await
    }

    async fn blocking(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<Arc<T>, Unavailable> + Send + 'static,
    ) -> Result<Arc<T>, Unavailable>
    where
        T: Send + Sync + 'static,
    {
        let file = self.clone();
        let reason = |error: tokio::task::JoinError| Unavailable { path: self.path.clone(), reason: error.to_string() };
        tokio::task::spawn_blocking(move || read(&file)).await.map_err(reason)?
    }

    /// The content. Blocks for a look when the last one is old.
    pub fn read(&self) -> Result<Arc<T>, Unavailable> {
        self.read_after(FRESH)
    }

    fn read_after(&self, age: Duration) -> Result<Arc<T>, Unavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What could not be told apart from outside, such as the pipe of `<(…)`, can be read only once.
        if self.is_plain && state.looked.elapsed() >= age {
            state.look(self);
        }
        self.answer(&state)
    }

    /// The content without a look, when that is young enough and nobody is looking.
    fn fresh(&self) -> Option<Result<Arc<T>, Unavailable>> {
        let state = self.state.try_lock().ok()?;
        (!self.is_plain || state.looked.elapsed() < FRESH).then(|| self.answer(&state))
    }

    fn answer(&self, state: &State<T>) -> Result<Arc<T>, Unavailable> {
        let good = state.problem.as_ref().is_none_or(|problem| problem.since.elapsed() < STALE);
        match &state.value {
            Some(value) if good => Ok(value.clone()),
            _ => {
                let reason = state.problem.as_ref().map_or("it was removed", |problem| &problem.reason).to_owned();
                Err(Unavailable { path: self.path.clone(), reason })
            }
        }
    }
}

impl<T> State<T> {
    fn look(&mut self, file: &Watched<T>) {
        self.looked = Instant::now();
        let stamp = Stamp::of(&file.path);
        if stamp == self.read && stamp.is_some() {
            if let Some(problem) = self.problem.as_mut().filter(|problem| !problem.told) {
                problem.told = true;
                warn!(path = %file.path.display(), reason = problem.reason, "new content not taken, the old one stays");
            }
            return;
        }
        match fs::read_to_string(&file.path).map(|text| (file.parse)(&text)) {
            Ok(Ok(value)) => {
                info!(path = %file.path.display(), "reloaded");
                (self.value, self.problem) = (Some(Arc::new(value)), None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.missing == Missing::Drop => {
                (self.value, self.problem) = (None, None);
            }
            Ok(Err(reason)) => self.fail(reason),
            Err(error) => self.fail(error.to_string()),
        }
        self.read = stamp;
    }

    fn fail(&mut self, reason: String) {
        let since = self.problem.as_ref().map_or_else(Instant::now, |problem| problem.since);
        let told = self.problem.as_ref().is_some_and(|problem| problem.told && problem.reason == reason);
        self.problem = Some(Problem { reason, since, told });
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        text.trim().parse().map_err(|_| format!("{text:?} is no number"))
    }

    struct World {
        _folder: tempfile::TempDir,
        path: PathBuf,
        file: Watched<u32>,
    }

    impl World {
        fn new(missing: Missing) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("number");
            fs::write(&path, "1").unwrap();
            let file = Watched::open(&path, number, missing).unwrap();
            Self { _folder: folder, path, file }
        }

        async fn after(&self, wait: Duration) -> Result<u32, String> {
            tokio::time::advance(wait).await;
            self.file.read().map(|value| *value).map_err(|error| error.reason)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_up_within_a_second() {
        let world = World::new(Missing::Keep);
        fs::write(&world.path, "22").unwrap();
        assert_eq!(world.after(Duration::ZERO).await, Ok(1));
        assert_eq!(world.after(FRESH).await, Ok(22));
    }

    #[tokio::test(start_paused = true)]
    async fn broken_content_leaves_the_last_for_an_hour() {
        let world = World::new(Missing::Keep);
        fs::write(&world.path, "two").unwrap();
        assert_eq!(world.after(FRESH).await, Ok(1));
        assert_eq!(world.after(STALE / 2).await, Ok(1));
        assert_eq!(world.after(STALE / 2).await, Err("\"two\" is no number".to_owned()));
        fs::write(&world.path, "333").unwrap();
        assert_eq!(world.after(FRESH).await, Ok(333));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_gone_counts_as_its_owner_says() {
        let (kept, dropped) = (World::new(Missing::Keep), World::new(Missing::Drop));
        for world in [&kept, &dropped] {
            fs::remove_file(&world.path).unwrap();
        }
        assert_eq!(kept.after(FRESH).await, Ok(1));
        assert_eq!(dropped.after(Duration::ZERO).await, Err("it was removed".to_owned()));
        fs::write(&dropped.path, "4").unwrap();
        assert_eq!(dropped.after(FRESH).await, Ok(4));
    }

    #[test]
    fn what_cannot_be_read_at_first_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Watched::open(&folder.path().join("none"), number, Missing::Keep).unwrap_err();
        assert!(error.to_string().contains("none: No such file"), "{error}");
    }
}
