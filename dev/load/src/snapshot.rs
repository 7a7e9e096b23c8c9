//! What server, load generator and everybody else have used at one instant.

use std::{collections::BTreeMap, time::Instant};

use anyhow::Result;

use crate::{
    report::round,
    usage::{Usage, busy_us, cores, threads},
};

pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) server: Option<Usage>,
    own: Usage,
    /// CPU time of the server's threads, by their ids.
    threads: BTreeMap<String, u64>,
    /// CPU time of everybody else on the same cores.
    others_us: u64,
}

impl Snapshot {
    pub(crate) fn take(pids: &[u32]) -> Result<Self> {
        let server = used(pids)?;
        let own = Usage::of(std::process::id())?;
        let mut shared = cores(std::process::id())?;
        let mut by_thread = BTreeMap::new();
        for pid in pids {
            shared.extend(cores(*pid)?);
            by_thread.extend(threads(*pid)?);
        }
        let used = own.cpu_us + server.map_or(0, |s| s.cpu_us);
        // Counters of processes and cores are not sampled together, so a sum may be off by a little.
        let others_us = busy_us(&shared)?.saturating_sub(used);
        Ok(Self { at: Instant::now(), server, own, threads: by_thread, others_us })
    }

    /// What the load generator has used of a core since then.
    pub(crate) fn load_cpu_pct(&self, since: &Self) -> f64 {
        self.share(since, self.own.cpu_us.saturating_sub(since.own.cpu_us))
    }

    /// What everybody else has used since then, in percent of one core.
    pub(crate) fn others_cpu_pct(&self, since: &Self) -> f64 {
        self.share(since, self.others_us.saturating_sub(since.others_us))
    }

    /// What the server has used since then, in microseconds.
    pub(crate) fn server_us(&self, since: &Self) -> u64 {
        let used = |snapshot: &Self| snapshot.server.map_or(0, |server| server.cpu_us);
        used(self).saturating_sub(used(since))
    }

    /// How many of the server's threads have done the work since then, a tenth of it at least.
    pub(crate) fn busy_threads(&self, since: &Self) -> u64 {
        let before = |id: &String| since.threads.get(id).copied().unwrap_or(0);
        let used: Vec<u64> = self.threads.iter().map(|(id, used)| used.saturating_sub(before(id))).collect();
        let all: u64 = used.iter().sum();
        used.iter().filter(|used| **used > 0 && **used * 10 >= all).count() as u64
    }

    /// The server's memory.
    pub(crate) fn server_mb(&self) -> f64 {
        round(self.server.map_or(0.0, |server| server.rss_kb as f64 / 1024.0), 1)
    }

    fn share(&self, since: &Self, micros: u64) -> f64 {
        round(micros as f64 / (self.at - since.at).as_secs_f64() / 1e4, 1)
    }
}

/// What these processes have used together, if there are any.
pub(crate) fn used(pids: &[u32]) -> Result<Option<Usage>> {
    let each: Vec<_> = pids.iter().map(|pid| Usage::of(*pid)).collect::<Result<_>>()?;
    Ok(each.into_iter().reduce(Usage::plus))
}
