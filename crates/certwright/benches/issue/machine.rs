//! What the machine's cores were busy with: figures from a box that others use at the same time say little.

use anyhow::{Context, Result};
use std::time::Duration;

/// Busy time of all cores together so far, without what PostgreSQL took, and PostgreSQL's.
pub(crate) fn busy() -> Result<(Duration, Duration)> {
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. Stolen time is busy with somebody else.
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat")?;
    let mut total = 0_u64;
    for (index, field) in line.split_whitespace().skip(1).take(8).enumerate() {
        if index != 3 && index != 4 {
            total = total.saturating_add(field.parse()?);
        }
    }
    let mut postgres = Duration::ZERO;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // A process may end while we look.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(("postgres", time)) = of_process(&stat) {
            postgres = postgres.saturating_add(time);
        }
    }
    Ok((ticks(total).saturating_sub(postgres), postgres))
}

/// Name and CPU time of a process from its `/proc/<pid>/stat`.
pub(crate) fn of_process(stat: &str) -> Option<(&str, Duration)> {
    // proc_pid_stat(5): the name in parentheses may hold spaces; fields 14 and 15 are ticks of user and system time.
    let (front, fields) = stat.rsplit_once(')')?;
    let (_, name) = front.split_once('(')?;
    let mut time = 0_u64;
    for field in fields.split_whitespace().skip(11).take(2) {
        time = time.saturating_add(field.parse().ok()?);
    }
    Some((name, ticks(time)))
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(1000).checked_div(rustix::param::clock_ticks_per_second()).unwrap_or(0))
}
