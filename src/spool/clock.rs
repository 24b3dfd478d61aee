//! Unix time from a clock that only goes forward.

use std::time::Instant;

/// A moment that is known on both clocks: from it on, the one that only goes forward tells the other.
///
/// What a person sets back does not make records younger or older; a restart takes it over.
#[derive(Clone, Copy, Debug)]
pub struct UnixClock {
    started: Instant,
    nanos: u64,
}

impl UnixClock {
    /// `started` and `nanos`, in nanoseconds since 1970, are the same moment.
    #[must_use]
    pub const fn new(started: Instant, nanos: u64) -> Self {
        Self { started, nanos }
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn nanos(self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.started).as_nanos();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.nanos.saturating_add(passed)
    }
}
