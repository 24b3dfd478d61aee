//! Random delays and shares: the only source of randomness.

use std::{cell::Cell, time::Duration};

/// A small generator of random numbers for delays.
///
/// - Source: G. Marsaglia, "Xorshift RNGs".
#[derive(Debug)]
pub struct Jitter {
    state: Cell<u64>,
}

impl Jitter {
    /// A generator; `seed` 0 counts as 1.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Cell::new(seed.max(1)),
        }
    }

    fn next(&self) -> u64 {
        let mut state = self.state.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        state
    }

    /// A number from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "31 bits fit")]
    pub fn fraction(&self) -> f64 {
        (self.next() >> 33) as f64 / (1_u64 << 31) as f64
    }

    /// A duration between the two.
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        let state = self.next();
        let span = u64::try_from(high.saturating_sub(low).as_millis()).unwrap_or(u64::MAX);
        low + Duration::from_millis(state % span.saturating_add(1))
    }
}
