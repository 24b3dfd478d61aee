//! What the kernel says that the demo used: processor time of the shards, memory of the process.

use std::fs;

/// Memory of the process in RAM, in bytes; 0 where `/proc` does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub now: u64,
    pub peak: u64,
}

impl Memory {
    pub(super) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// - Source: proc(5), `/proc/[pid]/status`, `VmRSS` and `VmHWM`.
    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
            Some(kib * 1024)
        };
        Self {
            now: field("VmRSS:").unwrap_or(0),
            peak: field("VmHWM:").unwrap_or(0),
        }
    }
}

/// Processor time that threads whose name begins so have used up to now, in nanoseconds.
///
/// - Source: `/proc/self/task/*/schedstat`, first number; 0 where the kernel does not count it.
pub(super) fn cpu_of_threads(name: &str) -> u64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let used = |task: fs::DirEntry| {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if !read("comm").starts_with(name) {
            return 0;
        }
        let schedstat = read("schedstat");
        let first = schedstat.split_ascii_whitespace().next();
        first.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    tasks.flatten().map(used).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = Memory::parse("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n");
        assert_eq!((memory.now, memory.peak), (1 << 20, 2 << 20));
        assert_eq!(Memory::parse(""), Memory::default());
        assert!(Memory::read().now > 0);
    }

    #[test]
    fn threads_of_another_name_do_not_count() {
        assert_eq!(cpu_of_threads("no thread has this name"), 0);
    }
}
