//! What a process has used, and what its cores did meanwhile, from /proc.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_us: u64,
    pub(crate) rss_kb: u64,
    pub(crate) peak_kb: u64,
    /// Context switches, of all its threads.
    pub(crate) ctx: u64,
    pub(crate) threads: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the server process is gone")?;
        let fields: Vec<&str> = stat[stat.rfind(')').context("stat")? + 2..].split(' ').collect();
        let mut usage = Self { cpu_us: cpu_us(&stat)?, threads: fields[17].parse()?, ..Default::default() };

        for line in std::fs::read_to_string(format!("/proc/{pid}/status"))?.lines() {
            match line.split_once(':') {
                Some(("VmRSS", rest)) => usage.rss_kb = number(rest),
                Some(("VmHWM", rest)) => usage.peak_kb = number(rest),
                _ => {}
            }
        }
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = std::fs::read_to_string(task?.path().join("status")).unwrap_or_default();
            let switches = status.lines().filter_map(|l| l.split_once("ctxt_switches:"));
            usage.ctx += switches.map(|(_, rest)| number(rest)).sum::<u64>();
        }
        Ok(usage)
    }

    /// Two processes together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu_us: self.cpu_us + other.cpu_us,
            rss_kb: self.rss_kb + other.rss_kb,
            peak_kb: self.peak_kb + other.peak_kb,
            ctx: self.ctx + other.ctx,
            threads: self.threads + other.threads,
        }
    }
}

/// The CPU time of each thread of a process by its id, in microseconds.
pub(crate) fn threads(pid: u32) -> Result<BTreeMap<String, u64>> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?;
        // One that has ended meanwhile used nothing that counts.
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        threads.insert(task.file_name().to_string_lossy().into_owned(), cpu_us(&stat)?);
    }
    Ok(threads)
}

/// The CPU time that a line of /proc tells.
fn cpu_us(stat: &str) -> Result<u64> {
    let fields: Vec<&str> = stat[stat.rfind(')').context("stat")? + 2..].split(' ').collect();
    micros(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

/// The cores that a process may run on.
pub(crate) fn cores(pid: u32) -> Result<BTreeSet<usize>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let list = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).context("Cpus_allowed_list")?;
    let mut cores = BTreeSet::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<usize>()?..=last.parse()?);
    }
    Ok(cores)
}

/// What all processes together have used of these cores, and what the host took away from them, in microseconds.
/// Interrupts are left out: most of them are packets of the processes under test.
pub(crate) fn busy_us(cores: &BTreeSet<usize>) -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let mut ticks = 0;
    for core in cores {
        let name = format!("cpu{core}");
        let fields: Vec<&str> = stat
            .lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>())
            .find(|f| f.first() == Some(&name.as_str()))
            .with_context(|| format!("/proc/stat has no {name}"))?;
        // user, nice, system and steal
        ticks += [1, 2, 3, 8].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum::<u64>();
    }
    micros(ticks)
}

fn micros(ticks: u64) -> Result<u64> {
    let hz = sysconf(SysconfVar::CLK_TCK)?.context("ticks per second")? as u64;
    Ok(ticks * 1_000_000 / hz)
}

/// The first word of a field, or 0 when it is not a number.
fn number(field: &str) -> u64 {
    field.split_whitespace().next().and_then(|v| v.parse().ok()).unwrap_or(0)
}
