//! What became of the calls of the last while: a ring of slots, in fixed memory.

use std::time::{Duration, Instant};

use super::latency::Latencies;

/// Slots of a ring. What is older than a window leaves it a tenth of the window at a time.
const SLOTS: u32 = 10;

/// What the slots of a ring hold.
pub(super) trait Tally: Clone {
    /// The tally of nothing.
    fn new() -> Self;
    /// Takes out what `old`, which is part of it, has counted.
    fn subtract(&mut self, old: &Self);
    /// Forgets everything.
    fn clear(&mut self);
}

/// A tally of the last while: of between nine tenths of the window and all of it.
///
/// Cost: a comparison of times a call; at the end of a slot the slot is taken out of the sum.
#[derive(Clone, Debug)]
pub(super) struct Sliding<T> {
    slots: Box<[T]>,
    sum: T,
    current: usize,
    width: Duration,
    /// When the current slot ends; `None` before the first use.
    ends: Option<Instant>,
}

impl<T: Tally> Sliding<T> {
    /// An empty tally over `window`.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| T::new()).collect(),
            sum: T::new(),
            current: 0,
            // A width of 0 would never reach the present.
            width: (window / SLOTS).max(Duration::from_nanos(1)),
            ends: None,
        }
    }

    /// Counts something at `now`: `add` is told each tally that it belongs to.
    pub(super) fn add(&mut self, now: Instant, add: impl Fn(&mut T)) {
        self.advance(now);
        add(&mut self.sum);
        if let Some(slot) = self.slots.get_mut(self.current) {
            add(slot);
        }
    }

    /// The sum over the window that ends at `now`.
    pub(super) fn sum(&mut self, now: Instant) -> &T {
        self.advance(now);
        &self.sum
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.sum.clear();
        self.slots.iter_mut().for_each(T::clear);
        self.ends = None;
    }

    fn advance(&mut self, now: Instant) {
        match self.ends {
            Some(ends) if now < ends => {}
            Some(ends) => self.turn(ends, now),
            None => self.ends = Some(now + self.width),
        }
    }

    /// Ends the slots that are over; after a whole window of silence, all of them.
    #[cold]
    fn turn(&mut self, mut ends: Instant, now: Instant) {
        if now.saturating_duration_since(ends) >= self.width * SLOTS {
            self.clear();
            self.ends = Some(now + self.width);
            return;
        }
        while ends <= now {
            self.current = (self.current + 1) % self.slots.len();
            if let Some(slot) = self.slots.get_mut(self.current) {
                self.sum.subtract(slot);
                slot.clear();
            }
            ends += self.width;
        }
        self.ends = Some(ends);
    }
}

/// Calls and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that succeeded or failed.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
}

impl Counts {
    pub(super) const fn add(&mut self, success: bool) {
        self.calls = self.calls.saturating_add(1);
        if !success {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// The share of calls that failed: 0 to 1; 0 without calls.
    #[must_use]
    pub fn error_rate(self) -> f64 {
        if self.calls == 0 {
            return 0.0;
        }
        f64::from(self.failures) / f64::from(self.calls)
    }
}

impl Tally for Counts {
    fn new() -> Self {
        Self::default()
    }

    fn subtract(&mut self, old: &Self) {
        self.calls = self.calls.saturating_sub(old.calls);
        self.failures = self.failures.saturating_sub(old.failures);
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Calls, failures and latencies of the last while.
///
/// Cost: about 14 KiB, for good; [`Window::observe`] takes some ten nanoseconds.
#[derive(Clone, Debug)]
pub struct Window {
    calls: Sliding<(Counts, Latencies)>,
}

impl Tally for (Counts, Latencies) {
    fn new() -> Self {
        (Counts::default(), Latencies::new())
    }

    fn subtract(&mut self, old: &Self) {
        self.0.subtract(&old.0);
        self.1.subtract(&old.1);
    }

    fn clear(&mut self) {
        self.0.clear();
        self.1.clear();
    }
}

impl Window {
    /// An empty window of this length.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        Self {
            calls: Sliding::new(length),
        }
    }

    /// Counts a call that ended at `now` after `latency`.
    pub fn observe(&mut self, success: bool, latency: Duration, now: Instant) {
        let bucket = Latencies::bucket(latency);
        self.calls.add(now, |(counts, latencies)| {
            counts.add(success);
            latencies.add(bucket);
        });
    }

    /// The calls and failures up to `now`.
    pub fn counts(&mut self, now: Instant) -> Counts {
        self.calls.sum(now).0
    }

    /// Whether there were no calls, as of the last look.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.calls.sum.0.calls == 0
    }

    /// The time that 95 of 100 calls stayed within, to about 3 %; `None` without calls.
    ///
    /// Cost: a walk over the buckets, some 300 of them.
    pub fn p95(&mut self, now: Instant) -> Option<Duration> {
        self.calls.sum(now).1.quantile(0.95)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
