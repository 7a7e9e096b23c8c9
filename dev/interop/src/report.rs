//! Runs cases a few at a time, each under a deadline, and prints one line per case in a fixed order. The veterans use it
//! too; the crate says the deadline.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How a case ended.
pub enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// One thing to try and the line it is reported on.
pub struct Case {
    name: String,
    run: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

impl Case {
    pub fn new(name: String, run: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> Self {
        Self::within(crate::DEADLINE, name, run)
    }

    /// A case with a deadline of its own.
    pub fn within(
        deadline: Duration,
        name: String,
        run: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        let run = async move {
            match timeout(deadline, run).await {
                Ok(Ok(())) => Outcome::Passed,
                Ok(Err(err)) => Outcome::Failed(format!("{err:#}")),
                Err(_) => Outcome::Failed(format!("nothing for {} s", deadline.as_secs())),
            }
        };
        Self { name, run: Box::pin(run) }
    }

    pub fn skipped(name: String, reason: String) -> Self {
        Self { name, run: Box::pin(async { Outcome::Skipped(reason) }) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    /// Run `cases`, `width` at a time.
    pub async fn run(&mut self, cases: Vec<Case>, width: usize) {
        let turns = Arc::new(Semaphore::new(width));
        let started: Vec<_> = cases
            .into_iter()
            .map(|Case { name, run }| {
                let turns = turns.clone();
                let task = tokio::spawn(async move {
                    let _turn = turns.acquire().await.expect("the semaphore is never closed");
                    run.await
                });
                (name, task)
            })
            .collect();
        for (name, task) in started {
            let outcome = task.await.unwrap_or_else(|err| Outcome::Failed(err.to_string()));
            self.print(&name, outcome);
        }
    }

    fn print(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Outcome::Failed(reason) => self.failed(name, &reason),
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                println!("skipped {name}: {reason}");
            }
        }
    }

    pub fn failed(&mut self, name: &str, reason: &str) {
        self.failed += 1;
        println!("FAILED  {name}: {reason}");
    }

    /// Print the final line. True when nothing failed.
    pub fn finish(self) -> bool {
        println!(
            "{}: {} passed, {} failed, {} skipped",
            env!("CARGO_PKG_NAME"),
            self.passed,
            self.failed,
            self.skipped
        );
        self.failed == 0
    }
}
