//! How much is printed in a second, and what was held back. Pure: told the time.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::text::counted;
use crate::signal::Signal;

/// Lines printed in a second, but for the rest of the summary that crosses the bound.
///
/// - Source: chosen: more than a person reads, less than a terminal's scroll-back in ten seconds.
const LINES_PER_SECOND_MAX: usize = 200;

const WINDOW: Duration = Duration::from_secs(1);

/// Lets a bounded number of lines through in each second.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    lines: usize,
    held: Held,
}

/// What was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    requests: u64,
    items: [u64; 4],
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            lines: 0,
            held: Held::default(),
        }
    }

    /// Begins a new second when the last is over, and tells what that one held back.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Held> {
        if now.saturating_duration_since(self.since) < WINDOW {
            return None;
        }
        self.since = now;
        self.lines = 0;
        self.rest()
    }

    /// What was held back and not yet told.
    pub(super) fn rest(&mut self) -> Option<Held> {
        let held = std::mem::take(&mut self.held);
        (held.requests > 0).then_some(held)
    }

    pub(super) const fn may_print(&self) -> bool {
        self.lines < LINES_PER_SECOND_MAX
    }

    pub(super) const fn printed(&mut self, lines: usize) {
        self.lines += lines;
    }

    pub(super) const fn hold(&mut self, signal: Signal, items: u64) {
        self.held.requests += 1;
        self.held.items[signal.index()] += items;
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "and {} with ", counted(self.requests, "request"))?;
        let mut separator = "";
        for signal in Signal::ALL {
            let items = self.items[signal.index()];
            if items > 0 {
                write!(f, "{separator}{}", text_of(signal, items))?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("no items")?;
        }
        Ok(())
    }
}

fn text_of(signal: Signal, items: u64) -> String {
    counted(items, super::text::noun(signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_held_back_and_told_once_a_second() {
        let start = crate::rt::now();
        let mut pace = Pace::new(start);
        assert!(pace.may_print());
        pace.printed(LINES_PER_SECOND_MAX);
        assert!(!pace.may_print());
        pace.hold(Signal::Traces, 100);
        pace.hold(Signal::Metrics, 1);
        assert_eq!(pace.turn(start + WINDOW / 2), None);
        let held = pace.turn(start + WINDOW).unwrap();
        assert_eq!(
            held.to_string(),
            "and 2 requests with 100 spans, 1 metric point"
        );
        assert!(pace.may_print());
        assert_eq!(pace.turn(start + WINDOW * 2), None);
    }
}
