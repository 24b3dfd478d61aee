//! Bytes out: choose a collector, choose a connection, send, read the answer as an outcome.
//!
//! Knows no sender: a [`Message`] goes in, an [`Outcome`] comes out.

mod answer;
mod collector;
mod connection;
mod head;
mod http1;
mod http2;
mod message;
mod probe;

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

pub use collector::Collector;
pub use message::Message;
pub use probe::Probe;

use crate::{
    config::{Endpoint, Export},
    outcome::{Outcome, Reason, Refusal},
    rt,
    signal::Signal,
};
pub use collector::Shared;
use collector::{Attempt, Resources};

/// The shortest delay that a sender is told when no collector can be reached; up to twice as long.
///
/// - Source: chosen: the time in which a restarted collector is usually back.
const UNREACHABLE_DELAY: Duration = Duration::from_secs(1);

/// Every collector that a shard sends to.
///
/// - Shard: one per shard, with connections of its own.
#[derive(Debug)]
pub struct Exporter {
    collectors: Vec<Rc<Collector>>,
    routes: [Vec<Rc<Collector>>; 4],
    turn: Cell<usize>,
    operation: Duration,
    shared: Rc<Shared>,
}

impl Exporter {
    /// The collectors of a configuration; signals that share an endpoint share its connections.
    #[must_use]
    pub fn new(export: &Export, shared: Shared) -> Self {
        let shared = Rc::new(shared);
        let resources = Rc::new(Resources::new(export, Rc::clone(&shared)));
        let mut collectors: Vec<(Endpoint, Rc<Collector>)> = Vec::new();
        let routes = Signal::ALL.map(|signal| {
            let endpoints = export.endpoints_of(signal);
            endpoints
                .iter()
                .map(|endpoint| {
                    if let Some((_, known)) = collectors.iter().find(|(known, _)| known == endpoint)
                    {
                        return Rc::clone(known);
                    }
                    let collector =
                        Rc::new(Collector::new(endpoint.clone(), Rc::clone(&resources)));
                    collectors.push((endpoint.clone(), Rc::clone(&collector)));
                    collector
                })
                .collect()
        });
        let collectors = collectors
            .into_iter()
            .map(|(_, collector)| collector)
            .collect();
        Self {
            collectors,
            routes,
            turn: Cell::new(0),
            operation: export.timeouts.operation,
            shared,
        }
    }

    /// Whether a request of this signal could be sent now without waiting for another; also when
    /// no collector can be tried, which is told at once.
    #[must_use]
    pub fn has_room(&self, signal: Signal) -> bool {
        let now = rt::now();
        let route = &self.routes[signal.index()];
        let mut candidates = route
            .iter()
            .filter(|collector| collector.can_be_tried(now))
            .peekable();
        candidates.peek().is_none() || candidates.any(|collector| collector.has_room())
    }

    /// Whether one small message of this signal could be sent now beside those in flight.
    #[must_use]
    pub fn has_room_for_one(&self, signal: Signal) -> bool {
        let now = rt::now();
        let route = &self.routes[signal.index()];
        route
            .iter()
            .any(|collector| collector.can_be_tried(now) && collector.has_room_for_one())
    }

    /// Requests of this signal that may be in flight to all its collectors together.
    #[must_use]
    pub fn places(&self, signal: Signal) -> usize {
        self.routes[signal.index()]
            .iter()
            .map(|collector| collector.in_flight_max())
            .sum()
    }

    /// Whether every collector has as many requests in flight as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.collectors
            .iter()
            .all(|collector| !collector.has_room())
    }

    /// Sends a message to one collector and reads its answer, by `sealed_at` plus the operation
    /// timeout at the latest.
    ///
    /// A collector that cannot be reached is passed over for the next. Nothing that a collector
    /// may have taken is sent again, but for a connection that was broken while it lay idle.
    pub async fn send(&self, message: &Message, sealed_at: Instant) -> Outcome {
        let left = (sealed_at + self.operation).saturating_duration_since(rt::now());
        match rt::timeout(left, self.attempts(message)).await {
            Ok(outcome) => outcome,
            Err(rt::Elapsed) => Outcome::Refused(self.later(
                Reason::Timeout,
                UNREACHABLE_DELAY,
                "the collector did not answer within timeout.operation_timeout".to_owned(),
            )),
        }
    }

    async fn attempts(&self, message: &Message) -> Outcome {
        let route = &self.routes[message.signal().index()];
        let mut unreachable = None;
        // One more than there are collectors: the last may be a connection that had gone stale.
        for _ in 0..=route.len() {
            let Some(collector) = self.choose(route) else {
                break;
            };
            match collector.send(message).await {
                Attempt::Answered(outcome) => return outcome,
                Attempt::NotSent(error) => unreachable = Some(error),
                Attempt::Broken(reason, error) => {
                    return Outcome::Refused(self.later(reason, UNREACHABLE_DELAY, error));
                }
            }
        }
        let back = route
            .iter()
            .filter_map(|collector| collector.back_at())
            .min();
        let delay = back.map_or(UNREACHABLE_DELAY, |back| {
            back.saturating_duration_since(rt::now())
                .max(UNREACHABLE_DELAY)
        });
        let error = unreachable.or_else(|| route.iter().find_map(|collector| collector.error()));
        Outcome::Refused(self.later(
            Reason::Connection,
            delay,
            error.unwrap_or_else(|| "no collector can be reached".to_owned()),
        ))
    }

    /// The collector with the fewest requests in flight among those that can be tried; of equals,
    /// each in its turn.
    fn choose<'a>(&self, route: &'a [Rc<Collector>]) -> Option<&'a Rc<Collector>> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let (before, after) = route.split_at(turn.checked_rem(route.len())?);
        let now = rt::now();
        after
            .iter()
            .chain(before)
            .filter(|collector| collector.can_be_tried(now))
            .min_by_key(|collector| collector.in_flight())
    }

    fn later(&self, reason: Reason, delay: Duration, error: String) -> Refusal {
        let delay = self.shared.jitter.between(delay, delay * 2);
        Refusal::retryable(reason, delay, error).shared()
    }

    /// Asks one collector whether it is well: gRPC's health service, or a page where there is a
    /// `path` or no gRPC. An index without a collector is not healthy.
    ///
    /// - Cost: one request, which takes no place of those in flight.
    pub async fn probe(&self, collector: usize, path: Option<&str>, timeout: Duration) -> Probe {
        match self.collectors.get(collector) {
            Some(collector) => collector.probe(path, timeout).await,
            None => Probe::Unhealthy(format!("there is no collector {collector}")),
        }
    }

    /// Looks after what no socket event would wake: collectors that have gone silent, names that
    /// may have moved.
    pub fn sweep(&self) {
        let now = rt::now();
        for collector in &self.collectors {
            collector.sweep(now);
        }
    }
}
