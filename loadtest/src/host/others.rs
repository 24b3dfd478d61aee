//! Work on the machine that is nobody's of the run: it spoils every figure, and is found out.

use std::fs;

/// What the machine has done since it was started, seconds over all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// In processes; interrupts are left out, because they are charged to nobody.
    pub processes: f64,
    /// Taken by the hypervisor.
    pub stolen: f64,
    /// Cores of the machine.
    pub cores: usize,
}

impl Work {
    /// Until now.
    #[must_use]
    pub fn now() -> Self {
        let tick = rustix::param::clock_ticks_per_second() as f64;
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default(), tick)
    }

    /// What came on top since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            processes: self.processes - before.processes,
            stolen: self.stolen - before.stolen,
            cores: self.cores,
        }
    }

    /// `cpu  user nice system idle iowait irq softirq steal …`, in ticks.
    fn parse(stat: &str, tick: f64) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or(0.0) / tick;
        let cores = stat
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with("cpu"))
            .count();
        Self {
            processes: field(0) + field(1) + field(2),
            stolen: field(7),
            cores,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(processes: f64, stolen: f64) -> Work {
        Work {
            processes,
            stolen,
            cores: 2,
        }
    }

    #[test]
    fn work_is_what_processes_did() {
        let stat = "cpu  100 200 300 9999 50 7 8 40 0 0\ncpu0 1 2\ncpu1 3 4\nintr 5\n";
        let later = Work::parse(stat, 100.0);
        assert_eq!(later, work(6.0, 0.4));
        assert_eq!(later.since(work(1.0, 0.4)), work(5.0, 0.0));
        assert_eq!(Work::parse("", 100.0), Work::default());
        assert!(Work::now().processes > 0.0);
    }
}
