//! How often one place may log. Pure: told the time, does no I/O.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// The least time between two lines of one place.
///
/// - Chosen: an operator watching sees that it goes on; a failing peer writes 360 lines an hour.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one line through every 10 s and counts what it holds back.
///
/// ```
/// # use std::time::Instant;
/// # fn refused(limiter: &otlp::logging::Limiter, now: Instant) {
/// if let Some(suppressed) = limiter.allow(now) {
///     tracing::warn!(suppressed, "a collector refuses data");
/// }
/// # }
/// ```
///
/// - Shard: one a place that logs, per shard; not shared.
/// - Cost: no allocation, no system call.
#[derive(Debug, Default)]
pub struct Limiter {
    last: Cell<Option<Instant>>,
    suppressed: Cell<u64>,
}

impl Limiter {
    /// A limiter that lets the first line through.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            last: Cell::new(None),
            suppressed: Cell::new(0),
        }
    }

    /// Whether to log now: `Some` with the number of lines held back since the last one, or `None`.
    ///
    /// - Time: told by the caller; a time before the last one is taken for the same moment.
    #[must_use]
    pub fn allow(&self, now: Instant) -> Option<u64> {
        let quiet = |last| now.saturating_duration_since(last) < INTERVAL;
        if self.last.get().is_some_and(quiet) {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
            return None;
        }
        self.last.set(Some(now));
        Some(self.suppressed.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_passes_and_says_how_many_did_not() {
        #[expect(clippy::disallowed_methods, reason = "any start will do")]
        let start = Instant::now();
        let limiter = Limiter::new();
        let at = |milliseconds| limiter.allow(start + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(0), at(1), at(9_999)), (None, None, None));
        assert_eq!(at(10_000), Some(3));
        assert_eq!((at(9_000), at(20_000)), (None, Some(1)));
    }
}
