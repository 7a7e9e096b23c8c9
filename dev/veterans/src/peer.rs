//! The old libraries in their two roles, whichever line and door: a publisher and a viewer, each on a session of its own.

mod publisher;
mod reading;
mod viewer;

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::timeout;

pub use self::publisher::{Broadcast, Publisher, Track};
pub use self::reading::Watching;
pub use self::viewer::Viewer;

/// How long any single thing may be waited for. Shorter than a case's deadline, so that a failure says what it waited
/// for.
const STEP: Duration = Duration::from_secs(6);

/// Wait for `what`, but not forever.
async fn step<T>(what: impl Fn() -> String, wait: impl Future<Output = T>) -> Result<T> {
    match timeout(STEP, wait).await {
        Ok(result) => Ok(result),
        Err(_) => bail!("{}: nothing for {} s", what(), STEP.as_secs()),
    }
}
