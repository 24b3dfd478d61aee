//! What has changed, told once: to the log, to the metrics and to whoever looks at the status.

use std::time::{Duration, Instant, SystemTime};

use super::{Delivery, count, parcel::Parcel};
use crate::{
    degrade::{Change, Probe},
    metrics::{Degraded, ProbeResult, SpoolState, Strategy},
    outcome::Refusal,
    signal::Signal,
    spool::{State, UnixClock},
};

/// How often the figures of the spool are told.
const SPOOL_INTERVAL: Duration = Duration::from_millis(250);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Reported {
    collectors: Vec<Told>,
    spool_at: Option<Instant>,
    is_broken: Option<SpoolState>,
    ratios: [Option<f64>; 4],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    breaker: u8,
    healthy: bool,
    is_probed: bool,
    is_failing: bool,
}

impl Delivery {
    /// Tells what has changed since the last time.
    pub(super) fn report(&mut self, now: Instant) {
        let told = &mut self.reported.collectors;
        told.resize_with(self.destinations.len(), Told::default);
        for (collector, destination) in self.destinations.iter_mut().enumerate() {
            let mut since = None;
            while let Some(transition) = destination.transition() {
                let (from, to) = (transition.from.name(), transition.to.name());
                tracing::warn!(
                    collector = destination.name,
                    from,
                    circuit_breaker = to,
                    "a circuit breaker changed: {}",
                    transition.why
                );
                self.metrics
                    .breaker_transition(collector, transition.to.number());
                since = Some(system_time(self.unix, transition.at));
            }
            let is = Told {
                breaker: destination.breaker(now).number(),
                healthy: destination.is_healthy(),
                is_probed: destination.was_probed(),
                is_failing: destination.error().is_some(),
            };
            if self.reported.collectors[collector] == is && since.is_none() {
                continue;
            }
            self.metrics.set_breaker(collector, is.breaker);
            self.metrics.set_collector_health(collector, is.healthy);
            let error = destination.error().map(str::to_owned);
            self.metrics.post(|board| {
                let Some(row) = board.collectors.get_mut(collector) else {
                    return;
                };
                row.breaker = is.breaker;
                row.since = since.unwrap_or(row.since);
                row.healthy = is.is_probed.then_some(is.healthy);
                row.error = error;
            });
            self.reported.collectors[collector] = is;
        }
        self.report_spool(now);
    }

    fn report_spool(&mut self, now: Instant) {
        let Some(spool) = self.spooling.spool() else {
            return;
        };
        let is_due = self.reported.spool_at.is_none_or(|at| now >= at);
        if !is_due {
            return;
        }
        self.reported.spool_at = Some(now + SPOOL_INTERVAL);
        let status = spool.status();
        let is_broken = matches!(status.state, State::Broken { .. });
        self.metrics.set_spool(
            status.bytes,
            status.records,
            status.oldest_unix_nanos.unwrap_or(0) / 1_000_000_000,
            count(status.segments),
            is_broken,
        );
        let state = match (is_broken, status.recovering) {
            (true, _) => SpoolState::Broken,
            (false, true) => SpoolState::Recovering,
            (false, false) => SpoolState::Working,
        };
        if self.reported.is_broken == Some(state) {
            return;
        }
        self.reported.is_broken = Some(state);
        let (error, since) = match status.state {
            State::Broken { error, since } => (Some(error.to_string()), since),
            State::Working => (None, now),
        };
        let since = self.system_time(since);
        self.metrics.post(|board| {
            if let Some(spool) = &mut board.spool {
                spool.state = state;
                spool.since = since;
                spool.error = error;
            }
        });
    }

    /// Tells the counters how many batches wait for their answer, and at how many reading stops.
    pub(super) fn report_queue(&self, signal: Signal) {
        let queued = self.queues[signal.index()].len();
        let size = queued + self.under_way[signal.index()];
        let places: usize = self.routes[signal.index()]
            .iter()
            .map(|collector| self.destinations[*collector].places())
            .sum();
        let capacity = places + super::BACKLOG_BATCHES;
        self.metrics.set_queue(signal, count(size), count(capacity));
    }

    pub(super) fn log(&self, parcel: &Parcel, refusal: &Refusal, now: Instant) {
        if let Some(suppressed) = self.failures_logged.allow(now) {
            tracing::warn!(
                signal = parcel.signal().name(),
                requests = parcel.batch.requests(),
                items = parcel.batch.items(),
                attempt = parcel.attempts,
                reason = refusal.reason().name(),
                retryable = refusal.is_retryable(),
                suppressed,
                "a batch was not taken: {}",
                refusal.message()
            );
        }
    }

    /// A condition of degradation began to hold, or holds no more.
    pub(super) fn degradation_changed(&mut self, signal: Signal, change: &Change) {
        let active = self.triggers[signal.index()].active();
        let strategies: Vec<Strategy> = self.strategies().collect();
        if strategies.is_empty() {
            return;
        }
        let is_active = active.is_some();
        let names: Vec<&str> = strategies.iter().map(|strategy| strategy.name()).collect();
        let names = names.join(",");
        if is_active {
            tracing::warn!(
                signal = signal.name(),
                strategies = names,
                "degraded: {}",
                Cause(change)
            );
        } else {
            tracing::info!(
                signal = signal.name(),
                strategies = names,
                "no longer degraded: {}",
                Cause(change)
            );
            self.set_ratio(signal, 1.0);
        }
        for strategy in &strategies {
            self.metrics.set_degradation(signal, *strategy, is_active);
        }
        self.metrics.degradation_changed(signal, is_active);
        let degraded = active.map(|active| Degraded {
            strategies,
            since: self.system_time(active.since),
            why: active.why.to_string(),
        });
        self.metrics
            .post(|board| board.degradation[signal.index()] = degraded);
    }

    fn strategies(&self) -> impl Iterator<Item = Strategy> {
        let degradation = self.degradation;
        let named = [
            (Strategy::UseFallback, degradation.use_fallback),
            (Strategy::UseCache, degradation.use_cache),
            (Strategy::ReduceQuality, degradation.reduce_quality),
        ];
        named
            .into_iter()
            .filter(move |(_, is_named)| degradation.enabled && *is_named)
            .map(|(strategy, _)| strategy)
    }

    fn system_time(&self, at: Instant) -> SystemTime {
        system_time(self.unix, at)
    }

    pub(super) fn set_ratio(&mut self, signal: Signal, ratio: f64) {
        let told = &mut self.reported.ratios[signal.index()];
        if told.replace(ratio) != Some(ratio) {
            self.metrics.set_sampling_ratio(signal, ratio);
        }
    }
}

fn system_time(clock: UnixClock, at: Instant) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(clock.nanos(at))
}

/// What a change is about, for a person.
struct Cause<'a>(&'a Change);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Change::Began(active) | Change::Ended(active)) = self.0;
        active.why.fmt(f)
    }
}

pub(super) const fn result_of(probe: &Probe) -> ProbeResult {
    match probe {
        Probe::Healthy => ProbeResult::Healthy,
        Probe::Alive => ProbeResult::Alive,
        Probe::Unhealthy(_) => ProbeResult::Unhealthy,
    }
}
