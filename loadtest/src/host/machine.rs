//! The machine that the runs are made on.

use std::fs;
use std::time::SystemTime;

use crate::results::Machine;

/// This machine, now.
#[must_use]
pub fn machine() -> Machine {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    Machine {
        cpu: processor(&read("/proc/cpuinfo")).to_owned(),
        cores: u32::try_from(processors(&read("/proc/cpuinfo"))).unwrap_or(u32::MAX),
        memory: memory(&read("/proc/meminfo")),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        date: utc(SystemTime::now()),
    }
}

/// A moment as RFC 3339, UTC, whole seconds.
#[must_use]
pub fn utc(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Some processors have no model name in `/proc/cpuinfo`, only a part number.
fn processor(cpuinfo: &str) -> &str {
    ["model name", "Model", "CPU part"]
        .iter()
        .find_map(|name| field(cpuinfo, name))
        .unwrap_or(std::env::consts::ARCH)
}

fn processors(cpuinfo: &str) -> usize {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count()
        .max(1)
}

fn memory(meminfo: &str) -> u64 {
    let kib = field(meminfo, "MemTotal").and_then(|value| value.split(' ').next()?.parse().ok());
    kib.unwrap_or(0u64) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_processor_and_the_memory() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: Fast 9\n\nprocessor\t: 1\nmodel name\t: Fast 9\n";
        assert_eq!(processor(cpuinfo), "Fast 9");
        assert_eq!(processors(cpuinfo), 2);
        assert_eq!(processor(""), std::env::consts::ARCH);
        assert_eq!(memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), 2 << 20);
        assert_eq!(memory(""), 0);
    }

    #[test]
    fn dates_are_whole_seconds_of_utc() {
        let moment = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(86_400_999);
        assert_eq!(utc(moment), "1970-01-02T00:00:00Z");
    }
}
