//! What the kernel says of this process: age, processor time and memory. Read when asked.

use std::fs;

/// The process as `/proc` shows it; all 0 where that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    /// Time since its start.
    ///
    /// - Unit: nanoseconds, in steps of 10 ms.
    pub(super) uptime: u64,
    /// Time that processors spent on it.
    ///
    /// - Unit: nanoseconds, in steps of 10 ms.
    pub(super) cpu: u64,
    /// Memory that it holds in RAM, in bytes.
    pub(super) rss: u64,
}

impl Process {
    /// Reads two files of `/proc`.
    pub(super) fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second();
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(0);
        Self::parse(&read("/proc/self/stat"), &read("/proc/uptime"), ticks, page)
            .unwrap_or_default()
    }

    /// - Source: proc(5), `/proc/[pid]/stat` fields 14, 15, 22 and 24, and `/proc/uptime`.
    fn parse(stat: &str, uptime: &str, ticks: u64, page: u64) -> Option<Self> {
        // The program's name is field 2, in parentheses, and may itself hold blanks and parentheses.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let tick = 1_000_000_000_u64.checked_div(ticks)?;
        let (seconds, hundredths) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
        let now = seconds.parse::<u64>().ok()? * 1_000_000_000
            + hundredths.parse::<u64>().ok()? * 10_000_000;
        Some(Self {
            uptime: now.saturating_sub(field(22)? * tick),
            cpu: (field(14)? + field(15)?) * tick,
            rss: field(24)? * page,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_behind_a_name_with_parentheses() {
        let stat =
            "7 (a (b) c) S 1 7 7 0 -1 4194560 500 0 0 0 150 50 0 0 20 0 3 0 1000 9999 2048 1";
        let process = Process::parse(stat, "15.25 20.00\n", 100, 4096).unwrap();
        assert_eq!(
            process,
            Process {
                uptime: 5_250_000_000,
                cpu: 2_000_000_000,
                rss: 2048 * 4096
            }
        );
    }

    #[test]
    fn a_text_that_is_not_the_kernels_yields_nothing() {
        assert_eq!(Process::parse("", "", 100, 4096), None);
        assert_eq!(Process::parse("1 (x) S 1", "1.00 1.00", 100, 4096), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(Process::read().rss > 0);
    }
}
