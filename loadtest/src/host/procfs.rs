//! What `/proc` says of processes and their threads.

use std::fs;

/// One thread at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: u32,
    /// Time on a core, nanoseconds, by the scheduler's clock.
    pub(super) ran: u64,
    /// Context switches, voluntary and not.
    pub(super) switches: u64,
}

/// One process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) id: u32,
    /// User CPU of all threads, also those that ended, seconds, in ticks of 10 ms.
    pub(super) user: f64,
    /// System CPU, likewise.
    pub(super) system: f64,
    /// Resident, bytes.
    pub(super) rss: u64,
    /// Largest resident set so far, bytes.
    pub(super) rss_peak: u64,
    pub(super) tasks: Vec<Task>,
}

/// The processes of the groups. One that has ended and that nobody has waited for is none.
pub(super) fn members(groups: &[u32]) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            Stat::parse(&stat).is_some_and(|stat| !stat.ended && groups.contains(&stat.group))
        })
        .collect()
}

/// A process; none when it has ended.
pub(super) fn process(id: u32) -> Option<Process> {
    let stat = Stat::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let tick = rustix::param::clock_ticks_per_second() as f64;
    Some(Process {
        id,
        user: stat.user_ticks as f64 / tick,
        system: stat.system_ticks as f64 / tick,
        rss: number(&status, "VmRSS").unwrap_or(0) * 1024,
        rss_peak: number(&status, "VmHWM").unwrap_or(0) * 1024,
        tasks: tasks(id),
    })
}

fn tasks(process: u32) -> Vec<Task> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            let schedstat = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            Some(Task {
                id,
                ran: ran(&schedstat),
                switches: switches(&status),
            })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ended: bool,
    group: u32,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    /// The command's name stands in brackets and may itself hold brackets and blanks, so the
    /// fields are counted from the last bracket on.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            ended: *fields.first()? == "Z",
            group: fields.get(2)?.parse().ok()?,
            user_ticks: fields.get(11)?.parse().ok()?,
            system_ticks: fields.get(12)?.parse().ok()?,
        })
    }
}

fn ran(schedstat: &str) -> u64 {
    schedstat
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(0)
}

fn switches(status: &str) -> u64 {
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
        .iter()
        .filter_map(|name| number(status, name))
        .sum()
}

fn number(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        if key != name {
            return None;
        }
        value.split_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 7 8 20 0 1 0";
        assert_eq!(
            Stat::parse(stat),
            Some(Stat {
                ended: false,
                group: 42,
                user_ticks: 150,
                system_ticks: 25
            })
        );
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("7 (x) S 1"), None);
    }

    #[test]
    fn reads_threads_and_memory() {
        assert_eq!(ran("371465 50615 3\n"), 371_465);
        assert_eq!(ran(""), 0);
        let status = "VmHWM:\t    2048 kB\nVmRSS:\t1024 kB\nvoluntary_ctxt_switches:\t5\n\
                      nonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(number(status, "VmRSS"), Some(1024));
        assert_eq!(number(status, "VmHWM"), Some(2048));
        assert_eq!(switches(status), 7);
    }

    #[test]
    fn finds_this_process_in_its_group() {
        let id = std::process::id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let group = Stat::parse(&stat).unwrap().group;
        assert!(members(&[group]).contains(&id));
        let here = process(id).unwrap();
        assert!(here.rss > 0 && here.rss_peak >= here.rss && !here.tasks.is_empty());
        assert_eq!(process(u32::MAX), None);
    }
}
