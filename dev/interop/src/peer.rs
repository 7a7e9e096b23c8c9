//! The published client library in its two roles: a publisher and a viewer, each on a session of its own.

mod publisher;
mod reading;
mod session;
mod viewer;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

pub use self::publisher::{Broadcast, Publisher, write};
pub use self::reading::{Group, Watching};
pub use self::viewer::Viewer;

/// How long any single thing may be waited for. Longer than a relay holds on to what a killed publisher had (five
/// seconds, and one to notice), shorter than a case's deadline, so that a failure says what it waited for.
const STEP: Duration = Duration::from_secs(8);

/// Wait for `what`, but not forever.
async fn step<T, E>(what: impl Fn() -> String, wait: impl Future<Output = Result<T, E>>) -> Result<T>
where
    Result<T, E>: Context<T, E>,
{
    within(STEP, what, wait).await
}

async fn within<T, E>(
    patience: Duration,
    what: impl Fn() -> String,
    wait: impl Future<Output = Result<T, E>>,
) -> Result<T>
where
    Result<T, E>: Context<T, E>,
{
    match timeout(patience, wait).await {
        Ok(result) => result.with_context(what),
        Err(_) => bail!("{}: nothing for {} s", what(), patience.as_secs()),
    }
}
