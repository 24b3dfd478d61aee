//! The circuit breaker of one collector: closed, open, half-open.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use super::{
    verdict::Verdict,
    window::{Counts, Sliding},
};
use crate::config::CircuitBreaker;

/// How soon to ask again while every place of a half-open breaker is taken: an answer frees one.
const PLACES_TAKEN: Duration = Duration::from_millis(100);

/// Transitions that wait to be handed out at the most; the oldest goes first.
const TRANSITIONS_MAX: usize = 16;

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Every call.
    Closed,
    /// None.
    Open,
    /// A few, to see whether the collector is back.
    HalfOpen,
}

impl BreakerState {
    /// The state's number in metrics: 0 closed, 1 open, 2 half-open.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Open => 1,
            Self::HalfOpen => 2,
        }
    }

    /// The state's name in labels and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Why a breaker changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Too many calls of the window failed.
    Failures(Counts),
    /// `recovery_timeout` has passed.
    TimePassed,
    /// A probe found the collector well.
    ProbeSucceeded,
    /// A call failed that was let through to see.
    TrialFailed,
    /// As many calls as there are places succeeded.
    TrialsSucceeded(u32),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures(Counts { calls, failures }) => {
                write!(f, "{failures} of the last {calls} calls failed")
            }
            Self::TimePassed => f.write_str("the recovery timeout has passed"),
            Self::ProbeSucceeded => f.write_str("a probe succeeded"),
            Self::TrialFailed => f.write_str("a trial call failed"),
            Self::TrialsSucceeded(1) => f.write_str("a trial call succeeded"),
            Self::TrialsSucceeded(count) => write!(f, "{count} trial calls succeeded"),
        }
    }
}

/// One change of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: BreakerState,
    /// The state since.
    pub to: BreakerState,
    /// When.
    pub at: Instant,
    /// Why.
    pub why: Cause,
}

/// A call that was let through. Every one is given back to [`Breaker::end`], whatever became of it:
/// while the breaker is half-open it holds a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a call holds a place until it is ended"]
pub struct Call {
    generation: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { under_way: u32, succeeded: u32 },
}

/// The circuit breaker of one collector.
///
/// Closed, it opens at `failure_threshold` failures among at least `minimum_calls` of the window.
/// Open, it turns half-open after `recovery_timeout` or at a good probe. Half-open, it lets
/// `half_open_max_calls` through at once; as many successes close it, one failure opens it again.
///
/// Cost: some 150 bytes, and a few nanoseconds a call.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: CircuitBreaker,
    phase: Phase,
    /// Goes up with every change, so that an answer to a call of an earlier state counts for none.
    generation: u64,
    window: Sliding<Counts>,
    transitions: VecDeque<Transition>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: &CircuitBreaker) -> Self {
        Self {
            settings: *settings,
            phase: Phase::Closed,
            generation: 0,
            window: Sliding::new(settings.window),
            transitions: VecDeque::new(),
        }
    }

    /// Lets a call through and takes its place.
    ///
    /// # Errors
    ///
    /// How long to wait: until the breaker turns half-open, or for a short while where it is and
    /// every place is taken.
    pub fn begin(&mut self, now: Instant) -> Result<Call, Duration> {
        self.tick(now);
        self.would_begin(now)?;
        if let Phase::HalfOpen { under_way, .. } = &mut self.phase {
            *under_way += 1;
        }
        Ok(Call {
            generation: self.generation,
        })
    }

    /// Whether [`Breaker::begin`] would let a call through, without taking a place.
    ///
    /// # Errors
    ///
    /// Those of [`Breaker::begin`].
    pub fn would_begin(&self, now: Instant) -> Result<(), Duration> {
        match self.phase {
            Phase::Open { until } if now < until => Err(until.duration_since(now)),
            Phase::HalfOpen { under_way, .. } if under_way >= self.places() => Err(PLACES_TAKEN),
            _ => Ok(()),
        }
    }

    /// Gives back a call and counts what it says of the collector. A call of an earlier state
    /// counts for nothing.
    pub fn end(&mut self, call: Call, verdict: Verdict, now: Instant) {
        if call.generation != self.generation {
            return;
        }
        match &mut self.phase {
            // No call is of a generation that lets none through.
            Phase::Open { .. } => {}
            Phase::Closed => match verdict {
                Verdict::Neutral => {}
                Verdict::Success => self.window.add(now, |counts| counts.add(true)),
                Verdict::Failure => {
                    self.window.add(now, |counts| counts.add(false));
                    let counts = *self.window.sum(now);
                    let is_enough = counts.calls >= self.settings.minimum_calls;
                    if is_enough && counts.failures >= self.settings.failure_threshold {
                        self.open(Cause::Failures(counts), now);
                    }
                }
            },
            Phase::HalfOpen {
                under_way,
                succeeded,
            } => {
                *under_way = under_way.saturating_sub(1);
                match verdict {
                    Verdict::Neutral => {}
                    Verdict::Failure => self.open(Cause::TrialFailed, now),
                    Verdict::Success => {
                        *succeeded += 1;
                        let succeeded = *succeeded;
                        if succeeded >= self.places() {
                            self.window.clear();
                            self.change(Phase::Closed, Cause::TrialsSucceeded(succeeded), now);
                        }
                    }
                }
            }
        }
    }

    /// Turns an open breaker half-open before its time, because a probe found the collector well.
    pub fn probe_succeeded(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Open { .. }) {
            self.half_open(Cause::ProbeSucceeded, now);
        }
    }

    /// Turns an open breaker half-open once its time has come.
    pub fn tick(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Open { until } if now >= until) {
            self.half_open(Cause::TimePassed, now);
        }
    }

    /// When [`Breaker::tick`] has something to do; `None` while only calls can change it.
    #[must_use]
    pub const fn next_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed | Phase::HalfOpen { .. } => None,
        }
    }

    /// The state that a call at `now` meets.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.phase {
            Phase::Open { until } if now >= until => BreakerState::HalfOpen,
            phase => phase.state(),
        }
    }

    /// The next change that was not handed out yet: each is, once, in order. To be asked for after
    /// every call of another method until there is none.
    pub fn transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    const fn places(&self) -> u32 {
        self.settings.half_open_max_calls
    }

    fn open(&mut self, why: Cause, now: Instant) {
        let until = now + self.settings.recovery_timeout;
        self.change(Phase::Open { until }, why, now);
    }

    fn half_open(&mut self, why: Cause, now: Instant) {
        let phase = Phase::HalfOpen {
            under_way: 0,
            succeeded: 0,
        };
        self.change(phase, why, now);
    }

    fn change(&mut self, to: Phase, why: Cause, at: Instant) {
        let from = std::mem::replace(&mut self.phase, to);
        self.generation += 1;
        if self.transitions.len() == TRANSITIONS_MAX {
            self.transitions.pop_front();
        }
        self.transitions.push_back(Transition {
            from: from.state(),
            to: to.state(),
            at,
            why,
        });
    }
}

impl Phase {
    const fn state(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
