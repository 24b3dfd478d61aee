//! Parts of the measurement that are told apart, by when requests were due.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::latency::{histogram, record};
use crate::{figures::latency_of, results::SendPhase};

/// A part of the measurement, from its beginning on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What it is called.
    pub name: String,
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
}

impl FromStr for Phase {
    type Err = String;

    /// Reads `NAME=FROM..TO`, such as `outage=5s..15s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("`{text}` is no phase: {why}: write NAME=FROM..TO");
        let parts = text
            .split_once('=')
            .and_then(|(name, times)| Some((name.trim(), times.split_once("..")?)));
        let Some((name, (from, to))) = parts else {
            return Err(wrong("it has no name or no times".to_owned()));
        };
        let time = |text: &str| {
            humantime::parse_duration(text.trim()).map_err(|error| wrong(error.to_string()))
        };
        let (from, to) = (time(from)?, time(to)?);
        if name.is_empty() || from >= to {
            return Err(wrong("it has no name or no length".to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            from,
            to,
        })
    }
}

/// What is counted of a phase.
pub(super) struct Counted {
    pub(super) phase: Phase,
    begin: Instant,
    end: Instant,
    due: u64,
    accepted: u64,
    items: u64,
    times: Histogram<u64>,
}

impl Counted {
    pub(super) fn new(phase: &Phase, start: Instant) -> Self {
        Self {
            begin: start + phase.from,
            end: start + phase.to,
            phase: phase.clone(),
            due: 0,
            accepted: 0,
            items: 0,
            times: histogram(),
        }
    }

    fn holds(&self, due: Instant) -> bool {
        (self.begin..self.end).contains(&due)
    }

    /// A request is due.
    pub(super) fn due(&mut self, due: Instant) {
        self.due += u64::from(self.holds(due));
    }

    /// A request that was due then was acknowledged, with so many items, after this time.
    pub(super) fn accept(&mut self, due: Instant, items: u64, waited: Duration) {
        if self.holds(due) {
            self.accepted += 1;
            self.items += items;
            record(&mut self.times, waited);
        }
    }

    pub(super) fn report(&self) -> SendPhase {
        SendPhase {
            from: self.phase.from.as_secs_f64(),
            to: self.phase.to.as_secs_f64(),
            due: self.due,
            accepted: self.accepted,
            items: self.items,
            latency: latency_of(&self.times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_a_name_and_times_that_go_forward() {
        let phase: Phase = "replay=1500ms..4s".parse().unwrap();
        assert_eq!(phase.name, "replay");
        assert_eq!(phase.from, Duration::from_millis(1500));
        assert_eq!(phase.to, Duration::from_secs(4));
        for wrong in ["x", "x=1s", "=1s..2s", "x=2s..1s", "x=1s..1s", "x=1..2"] {
            let error = wrong.parse::<Phase>().unwrap_err();
            assert!(error.contains("NAME=FROM..TO"), "{error}");
        }
    }

    #[test]
    fn a_request_counts_where_it_was_due_however_long_it_took() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut counted = Counted::new(&"a=1s..2s".parse().unwrap(), start);
        for due in [0, 1, 2] {
            counted.due(start + due * second);
            counted.accept(start + due * second, 5, 9 * second);
        }
        let report = counted.report();
        assert_eq!((report.due, report.accepted, report.items), (1, 1, 5));
        assert!(report.latency.p50_us > 8_900_000);
    }
}
