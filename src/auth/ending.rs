//! How rights end: by the clock, by the list of the denied, or because nobody confirms them.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

use super::{
    Auth,
    grant::{Grant, Reason, Recheck, Refusal},
    request::Request,
    service::Event,
    wall_clock,
};

impl Auth {
    /// Waits until a session must end: its rights are over, were taken back, or are not confirmed any more.
    pub async fn ended(&self, request: &Request, grant: &Grant) -> Reason {
        if grant.expires.is_none() && grant.recheck.is_none() && self.deny.is_none() {
            return std::future::pending().await;
        }
        // In a box, so that sessions whose rights never end hold no place for it.
        Box::pin(self.ending(request, grant)).await
    }

    async fn ending(&self, request: &Request, grant: &Grant) -> Reason {
        let mut changes = self.changes.subscribe();
        let mut grant = grant.clone();
        let mut recheck = grant.recheck.map(Schedule::new);
        // Kept while it waits for an answer, so that nothing else has to.
        let mut asking = None;
        loop {
            let left = match grant.expires.map(|expires| expires.duration_since(wall_clock())) {
                Some(Ok(left)) if left > Duration::ZERO => left.min(LOOK),
                Some(_) => return Reason::Expired,
                None => LONGEST_WAIT,
            };
            if self.is_denied(&grant.revocable).await {
                return Reason::Revoked;
            }
            let due = recheck.as_ref().filter(|_| asking.is_none()).map(|recheck| recheck.next);
            tokio::select! {
                () = sleep(left) => {}
                _ = changes.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    asking = Some(Box::pin(self.decide(request, Event::Revalidate)));
                }
                answer = answered(&mut asking), if asking.is_some() => {
                    asking = None;
                    match self.confirmed(&grant, answer, recheck.as_mut()) {
                        Ok(Some(now)) => {
                            recheck = now.recheck.map(Schedule::new);
                            grant = now;
                        }
                        Ok(None) => {}
                        Err(reason) => return reason,
                    }
                }
            }
        }
    }

    /// Looks for what changes the rights of those who are in. Until dropped.
    pub(super) async fn watch_changes(&self) {
        let mut list = self.list().await;
        let (mut wall, mut steady) = (wall_clock(), Instant::now());
        loop {
            sleep(EVERY).await;
            let now = match &self.deny {
                Some(deny) => deny.look().await,
                None => None,
            };
            let changed = match (&list, &now) {
                (Some(old), Some(new)) => !Arc::ptr_eq(old, new),
                (old, new) => old.is_some() != new.is_some(),
            };
            list = now;
            // Somebody has set the clock: whoever sleeps until its rights end may sleep too long.
            let expected = wall + steady.elapsed();
            (wall, steady) = (wall_clock(), Instant::now());
            let jumped = wall.duration_since(expected).unwrap_or_else(|early| early.duration()) > JUMP;
            if changed || jumped {
                self.changes.send_replace(());
            }
        }
    }

    /// What an answer makes of the rights of a session: others, the same for a while, or none.
    fn confirmed(
        &self,
        grant: &Grant,
        answer: Result<Grant, Refusal>,
        schedule: Option<&mut Schedule>,
    ) -> Result<Option<Grant>, Reason> {
        match answer {
            Ok(now) if grant.is_within(&now) => {
                // What the session can see and say was settled when it began.
                let (publish, subscribe) = (grant.publish.clone(), grant.subscribe.clone());
                Ok(Some(Grant { publish, subscribe, ..now }))
            }
            Ok(_) => Err(Reason::Revoked),
            Err(refusal) if refusal.reason.is_temporary() => {
                warn!(reason = refusal.reason.name(), story = refusal.story(), "rights not confirmed");
                match schedule.map(Schedule::postponed) {
                    Some(Over(true)) => Err(refusal.reason),
                    _ => Ok(None),
                }
            }
            Err(refusal) => {
                debug!(reason = refusal.reason.name(), story = refusal.story(), "rights taken back");
                Err(if refusal.reason == Reason::Expired { Reason::Expired } else { Reason::Revoked })
            }
        }
    }
}

/// The answer to a question that is being asked.
async fn answered<T>(asking: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

/// When to ask again.
struct Schedule {
    recheck: Recheck,
    /// When the last answer came.
    confirmed: Instant,
    next: Instant,
    /// How long to wait after the next failure.
    retry: Duration,
}

/// Whether nobody has answered for too long.
#[derive(PartialEq, Eq)]
struct Over(bool);

impl Schedule {
    fn new(recheck: Recheck) -> Self {
        let now = Instant::now();
        Self { recheck, confirmed: now, next: now + recheck.every, retry: FIRST_RETRY }
    }

    fn postponed(&mut self) -> Over {
        let most = self.recheck.every.min(LAST_RETRY).max(FIRST_RETRY);
        let jitter = 0.75 + rand::random::<f64>() / 2.0;
        self.next = Instant::now() + self.retry.min(most).mul_f64(jitter);
        self.retry = (self.retry * 2).min(LAST_RETRY);
        Over(self.confirmed.elapsed() > self.recheck.every + self.recheck.patience)
    }
}

/// How often the clock and the list of the denied are looked at. Half: twice the system calls; double: whoever was
/// denied, or has slept through a change of the clock, stays longer than a second.
const EVERY: Duration = Duration::from_millis(500);
/// A step of the wall clock that is not just its drift.
const JUMP: Duration = Duration::from_millis(250);
/// How often a session whose rights end looks at the wall clock, which may run a little faster or slower than timers do.
const LOOK: Duration = Duration::from_secs(60);
/// How far ahead timers count.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_never_answers_is_asked_for_ever() {
        let mut schedule =
            Schedule::new(Recheck { every: Duration::from_secs(1), patience: Duration::from_secs(3600) });
        for _ in 0..200 {
            assert!(schedule.postponed() == Over(false));
            assert!(schedule.next <= Instant::now() + 2 * LAST_RETRY);
        }
    }
}
