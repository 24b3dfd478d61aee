//! When the strategies of graceful degradation run: what starts them, and what ends them.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::window::Window;
use crate::config::{CircuitBreaker, Degradation};

/// How long everything has to be calm before the strategies end.
const HOLD: Duration = Duration::from_secs(10);

/// What share of a threshold a value has to be under to count as calm: between the two it neither
/// starts nor ends anything.
const CALM: f64 = 0.8;

/// What started the strategies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The circuit breaker of a collector is open.
    BreakerOpen,
    /// This share of the calls failed.
    HighErrorRate(f64),
    /// The 95th percentile of a call's time.
    HighLatency(Duration),
}

impl Why {
    /// The name in labels and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BreakerOpen => "breaker_open",
            Self::HighErrorRate(_) => "high_error_rate",
            Self::HighLatency(_) => "high_latency",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreakerOpen => f.write_str("a circuit breaker is open"),
            Self::HighErrorRate(rate) => write!(f, "{:.0} % of the calls failed", rate * 100.0),
            Self::HighLatency(time) => write!(f, "95 % of the calls took up to {time:.1?}"),
        }
    }
}

/// What has been going on while the strategies run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active {
    /// Since when.
    pub since: Instant,
    /// What started them.
    pub why: Why,
}

/// The strategies begin or end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// They run from now on.
    Began(Active),
    /// They end: what they ran for.
    Ended(Active),
}

/// The triggers of one signal.
///
/// They start at once where a breaker is open, or where a threshold is reached over at least
/// `minimum_calls` of the window. They end when for ten seconds no breaker was open and every value
/// was under four fifths of its threshold; a window without calls is calm.
///
/// Cost: about 14 KiB, for good; [`Triggers::observe`] takes some ten nanoseconds.
#[derive(Clone, Debug)]
pub struct Triggers {
    enabled: bool,
    high_error_rate: Option<f64>,
    high_latency: Option<Duration>,
    minimum_calls: u32,
    window: Window,
    active: Option<Active>,
    calm_since: Option<Instant>,
}

impl Triggers {
    /// Triggers that nothing has started. The window is that of the circuit breaker.
    #[must_use]
    pub fn new(degradation: &Degradation, breaker: &CircuitBreaker) -> Self {
        Self {
            enabled: degradation.enabled,
            high_error_rate: degradation.high_error_rate,
            high_latency: degradation.high_latency,
            minimum_calls: breaker.minimum_calls,
            window: Window::new(breaker.window),
            active: None,
            calm_since: None,
        }
    }

    /// Counts a call to a collector of this signal, not to the fallback.
    pub fn observe(&mut self, success: bool, latency: Duration, now: Instant) {
        if self.enabled {
            self.window.observe(success, latency, now);
        }
    }

    /// Judges what is known up to `now`. To be called every second or so, and when a breaker
    /// changes; `open_breakers`: whether one of this signal's collectors has one that is not
    /// closed.
    ///
    /// Cost: a walk over some 300 numbers where `high_latency` is set.
    pub fn evaluate(&mut self, open_breakers: bool, now: Instant) -> Option<Change> {
        if !self.enabled {
            return None;
        }
        let Some(active) = self.active else {
            let why = self.cause(open_breakers, now)?;
            let active = Active { since: now, why };
            self.active = Some(active);
            self.calm_since = None;
            return Some(Change::Began(active));
        };
        if open_breakers || !self.is_calm(now) {
            self.calm_since = None;
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) < HOLD {
            return None;
        }
        self.active = None;
        Some(Change::Ended(active))
    }

    /// What the strategies run for; `None` while they do not.
    #[must_use]
    pub const fn active(&self) -> Option<Active> {
        self.active
    }

    /// Whether time alone may change what [`Triggers::evaluate`] finds: calls leave the window, and
    /// calm has to last.
    #[must_use]
    pub const fn depends_on_time(&self) -> bool {
        self.active.is_some() || !self.window.is_empty()
    }

    /// What is reason enough to start.
    fn cause(&mut self, open_breakers: bool, now: Instant) -> Option<Why> {
        if open_breakers {
            return Some(Why::BreakerOpen);
        }
        let counts = self.window.counts(now);
        if counts.calls < self.minimum_calls {
            return None;
        }
        let rate = counts.error_rate();
        if self.high_error_rate.is_some_and(|bound| rate >= bound) {
            return Some(Why::HighErrorRate(rate));
        }
        let bound = self.high_latency?;
        let latency = self.window.p95(now)?;
        (latency >= bound).then_some(Why::HighLatency(latency))
    }

    /// Whether nothing speaks for going on. A few calls are enough to speak for it, so that a
    /// strategy does not end because it keeps the calls away that would show the harm.
    fn is_calm(&mut self, now: Instant) -> bool {
        let rate = self.window.counts(now).error_rate();
        let is_failing = self
            .high_error_rate
            .is_some_and(|bound| rate >= bound * CALM);
        let is_slow = self.high_latency.is_some_and(|bound| {
            let latency = self.window.p95(now);
            latency.is_some_and(|latency| latency >= bound.mul_f64(CALM))
        });
        !is_failing && !is_slow
    }
}

#[cfg(test)]
#[path = "triggers_tests.rs"]
mod tests;
