//! The price of a role: all processes of its groups, from the beginning of the measurement on.
//!
//! A role keeps its price when its process ends and another takes its place, and a process keeps
//! the price of threads that ended.

use std::collections::HashMap;

use super::procfs::{self, Process};
use crate::results::{Cost, CostPoint};

/// How far the two clocks of a process may lie apart by rounding: the kernel's is kept in ticks of
/// 10 ms, one for each mode.
const ROUNDING: f64 = 0.03;

/// Looks between two searches for new processes of the groups.
const SEARCH: u32 = 5;

/// Sums up what a role costs.
#[derive(Debug)]
pub struct Meter {
    role: String,
    groups: Vec<u32>,
    members: Vec<u32>,
    looks: u32,
    processes: HashMap<u32, Seen>,
    origin: Totals,
    peak: u64,
    last: (f64, f64),
    points: Vec<CostPoint>,
}

/// A process as last seen.
#[derive(Debug, Default)]
struct Seen {
    user: f64,
    system: f64,
    tasks: HashMap<u32, (u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    user: f64,
    system: f64,
    cpu: f64,
    switches: u64,
}

impl Meter {
    /// A meter of no process yet.
    #[must_use]
    pub fn new(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            groups: Vec::new(),
            members: Vec::new(),
            looks: 0,
            processes: HashMap::new(),
            origin: Totals::default(),
            peak: 0,
            last: (0.0, 0.0),
            points: Vec::new(),
        }
    }

    /// Counts a further process group from now on.
    pub fn follow(&mut self, group: u32) {
        self.groups.push(group);
        self.looks = 0;
    }

    /// Begins the measurement: what was spent so far is left out.
    pub fn begin(&mut self) {
        self.look();
        self.origin = self.totals();
        self.last = (0.0, self.origin.cpu);
        self.points.clear();
    }

    /// Notes a point, `at` seconds after the beginning.
    pub fn sample(&mut self, at: f64) {
        let rss = self.look();
        let cpu = self.totals().cpu;
        let (before, spent) = self.last;
        if at > before {
            self.points.push(CostPoint {
                at,
                rss,
                cores: (cpu - spent) / (at - before),
            });
            self.last = (at, cpu);
        }
    }

    /// What was spent since the beginning. Look once more with [`Self::sample`] before.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let totals = self.totals();
        Cost {
            role: self.role.clone(),
            user: totals.user - self.origin.user,
            system: totals.system - self.origin.system,
            cpu: totals.cpu - self.origin.cpu,
            rss_peak: self.peak,
            switches: totals.switches - self.origin.switches,
            syscalls: None,
            points: self.points.clone(),
        }
    }

    /// Reads every process; says how much memory they hold.
    fn look(&mut self) -> u64 {
        // Searching reads all of /proc, so that is done seldom; reading what is known is cheap.
        if self.looks == 0 {
            self.members = procfs::members(&self.groups);
        }
        self.looks = (self.looks + 1) % SEARCH;
        let alive: Vec<Process> = self
            .members
            .iter()
            .filter_map(|&id| procfs::process(id))
            .collect();
        self.note(&alive)
    }

    fn note(&mut self, alive: &[Process]) -> u64 {
        for process in alive {
            let seen = self.processes.entry(process.id).or_default();
            seen.user = process.user;
            seen.system = process.system;
            for task in &process.tasks {
                seen.tasks.insert(task.id, (task.ran, task.switches));
            }
        }
        self.peak = self
            .peak
            .max(alive.iter().map(|process| process.rss_peak).sum());
        alive.iter().map(|process| process.rss).sum()
    }

    fn totals(&self) -> Totals {
        self.processes
            .values()
            .map(Seen::totals)
            .fold(Totals::default(), |sum, one| Totals {
                user: sum.user + one.user,
                system: sum.system + one.system,
                cpu: sum.cpu + one.cpu,
                switches: sum.switches + one.switches,
            })
    }
}

impl Seen {
    /// The scheduler's clock is exact, but a thread that came and went between two looks is in the
    /// process's own clock only.
    fn totals(&self) -> Totals {
        let ran = self.tasks.values().map(|(ran, _)| *ran).sum::<u64>() as f64 / 1e9;
        let ticked = self.user + self.system;
        Totals {
            user: self.user,
            system: self.system,
            cpu: if ticked > ran + ROUNDING { ticked } else { ran },
            switches: self.tasks.values().map(|(_, switches)| switches).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::procfs::Task;
    use super::*;

    fn process(id: u32, tasks: &[(u32, u64)]) -> Process {
        Process {
            id,
            rss: 10,
            rss_peak: 20,
            tasks: tasks
                .iter()
                .map(|&(id, ran)| Task {
                    id,
                    ran,
                    switches: 1,
                })
                .collect(),
            ..Process::default()
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn threads_and_processes_that_ended_stay_in_the_price() {
        let mut meter = Meter::new("forwarder");
        meter.note(&[process(1, &[(1, SECOND), (2, SECOND)])]);
        meter.note(&[process(1, &[(1, 2 * SECOND)]), process(9, &[(9, SECOND)])]);
        meter.note(&[process(9, &[(9, 2 * SECOND)])]);
        let cost = meter.cost();
        assert_eq!(cost.cpu, 5.0);
        assert_eq!(cost.switches, 3);
        assert_eq!(cost.rss_peak, 40);
    }

    #[test]
    fn what_was_spent_before_the_measurement_is_left_out() {
        let mut meter = Meter::new("forwarder");
        meter.note(&[process(1, &[(1, 3 * SECOND)])]);
        meter.begin();
        meter.note(&[process(1, &[(1, 4 * SECOND)])]);
        meter.sample(2.0);
        assert_eq!(meter.cost().cpu, 1.0);
        assert_eq!(meter.cost().points[0].cores, 0.5);
    }

    #[test]
    fn threads_that_nobody_saw_are_found_by_the_other_clock() {
        let mut meter = Meter::new("forwarder");
        let rounded = Process {
            user: 1.0,
            system: 0.02,
            ..process(1, &[(1, SECOND)])
        };
        meter.note(std::slice::from_ref(&rounded));
        assert_eq!(meter.cost().cpu, 1.0);
        meter.note(&[Process {
            user: 3.0,
            ..rounded
        }]);
        assert_eq!(meter.cost().cpu, 3.02);
    }

    #[test]
    fn a_meter_of_nothing_is_zero() {
        let mut meter = Meter::new("forwarder");
        meter.begin();
        meter.sample(0.0);
        meter.sample(1.0);
        assert_eq!(meter.cost().cpu, 0.0);
        assert_eq!(meter.cost().points.len(), 1);
    }
}
