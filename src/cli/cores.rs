//! The cores that this process may use, asked before the first thread is pinned.

use std::fs;

/// The cores of this process's affinity mask, at most as many as its CPU quota pays for.
///
/// - Source: `sched_getaffinity`, which `taskset`, systemd and cpusets set; the quota of cgroup
///   v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`), rounded up.
pub(super) fn usable() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let mut cores: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    if cores.is_empty() {
        cores.push(0);
    }
    if let Some(quota) = quota() {
        cores.truncate(quota.max(1));
    }
    cores
}

fn quota() -> Option<usize> {
    if let Ok(text) = fs::read_to_string("/sys/fs/cgroup/cpu.max") {
        return quota_of_v2(&text);
    }
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/sys/fs/cgroup/cpu/{name}")).ok()?;
        text.trim().parse::<i64>().ok()
    };
    whole_cores(read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
}

fn quota_of_v2(text: &str) -> Option<usize> {
    let (quota, period) = text.trim().split_once(' ')?;
    whole_cores(quota.parse().ok()?, period.parse().ok()?)
}

fn whole_cores(quota: i64, period: i64) -> Option<usize> {
    if quota <= 0 || period <= 0 {
        return None;
    }
    usize::try_from(quota.saturating_add(period - 1) / period).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_rounded_up_to_whole_cores() {
        assert_eq!(quota_of_v2("max 100000\n"), None);
        assert_eq!(quota_of_v2("50000 100000\n"), Some(1));
        assert_eq!(quota_of_v2("150000 100000\n"), Some(2));
        assert_eq!(quota_of_v2("200000 100000\n"), Some(2));
        assert_eq!(whole_cores(-1, 100_000), None);
    }
}
