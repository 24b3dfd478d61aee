//! What becomes of a request that was taken, from its batch to its outcome: sent, tried again,
//! sent elsewhere, kept on the disk, thinned, or refused with a delay.
//!
//! Pure: told the time, does no I/O. Whoever drives it performs the [`Action`]s that it asks for
//! and tells it what came of each; every sender's [`Ack`] is answered by it, once. So a simulation
//! can drive it through any order of events.
//!
//! | file | its one job |
//! | --- | --- |
//! | `deadlines` | senders that give up at a time they named |
//! | `destination` | one collector: places, breaker, probes, pauses |
//! | `flow` | a parcel from its queue to a collector, and what its answer means |
//! | `ladder` | which way a parcel goes now |
//! | `parcel` | a sealed batch on its way |
//! | `queue` | the parcels of a signal that wait, the oldest first |
//! | `settle` | an outcome into the ledger and to the senders |
//! | `spooling` | what lies on the disk, and what the spool says; `store` writes, `replay` reads back, at a `rate` that all shards share |
//! | `quality` | thinning under pressure |
//! | `report` | what has changed, told once |
//! | `time` | what is the time's to do |

mod deadlines;
mod destination;
mod flow;
mod ladder;
mod parcel;
mod quality;
mod queue;
mod report;
mod settle;
mod spooling;
mod time;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

use crate::{
    batch::{Ack, Batch, Batcher, Budget, ExportRequest, Waiter},
    config::{Acknowledge, Config, Degradation},
    degrade::{Probe, RetryPolicy, Triggers},
    encoding::Encoding,
    jitter::Jitter,
    logging::Limiter,
    metrics::ShardMetrics,
    outcome::{Outcome, Refusal},
    signal::Signal,
    spool::{self, Spool, UnixClock},
    wire::{Message, Packer, Unpacker},
};
use deadlines::Deadlines;
use destination::{Destination, SMALL_PER_PLACE};
use ladder::{Asked, Way};
use parcel::Parcel;
use queue::Queue;
pub use spooling::ReplayRate;
use spooling::{Spooling, Then};

/// Sealed batches that wait at most before the shard stops reading.
///
/// - Source: chosen: enough that a place that becomes free is taken at once.
pub const BACKLOG_BATCHES: usize = 4;

/// How soon after one batch the next may go unfilled, where no call waits for what is in it.
///
/// - Source: measured: a collector answers within 0.1 ms, and what came in that time goes at once
///   when calls wait for it; where none does, so many small batches cost their senders nothing but
///   this shard and the collector a third more CPU (docs/benchmarks.md).
const UNAWAITED_PAUSE: Duration = Duration::from_millis(1);

/// Without an answer for so long, a collector is not slow but pausing.
///
/// - Source: chosen: above the answer time of any collector that keeps up.
const STALLED: Duration = Duration::from_secs(1);

/// The shortest delay that a sender is told where nobody names one; up to twice as long.
///
/// - Source: chosen: the time in which a restarted collector is usually back.
const DEFAULT_DELAY: Duration = Duration::from_secs(1);

/// What the driver is to do next.
#[derive(Debug)]
pub enum Action {
    /// Send a message, and tell [`Delivery::attempted`] what came of it.
    Send {
        /// What to name in the answer.
        attempt: usize,
        /// The collector, by its place in [`crate::config::Export::collectors`].
        collector: usize,
        /// What to send.
        message: Arc<Message>,
        /// The longest that it may take.
        timeout: Duration,
    },
    /// Probe a collector, and tell [`Delivery::probed`].
    Probe {
        /// The collector, as above.
        collector: usize,
    },
    /// Perform an operation of the spool, and tell [`Delivery::disk_done`].
    Disk(spool::OpId, spool::Op),
}

/// What a shard lends its deliveries.
#[derive(Debug)]
pub struct Lent {
    /// The shard's counters.
    pub metrics: Arc<ShardMetrics>,
    /// The shard's memory.
    pub budget: Rc<Budget>,
    /// Makes delays differ.
    pub jitter: Jitter,
    /// The shard's part of the disk, where the configuration asks for one.
    pub spool: Option<LentSpool>,
}

/// A shard's part of the disk.
#[derive(Debug)]
pub struct LentSpool {
    /// What is written and read.
    pub spool: Spool,
    /// Bytes that it may hold.
    pub bytes_max: u64,
    /// How fast all shards together read back.
    pub replay_rate: Arc<ReplayRate>,
}

/// The requests of a shard that have no outcome yet.
///
/// - Shard: one per shard.
/// - Time: `now` must not go backwards; told by the caller.
#[derive(Debug)]
pub struct Delivery {
    acknowledge: Acknowledge,
    merge_compressed: [bool; 4],
    operation: Duration,
    retry: RetryPolicy,
    degradation: Degradation,
    batcher: Batcher,
    packer: Packer,
    unpacker: Unpacker,
    destinations: Vec<Destination>,
    routes: [Vec<usize>; 4],
    fallback: Option<usize>,
    turn: usize,
    /// The signal that goes first next.
    signals_turn: usize,
    triggers: [Triggers; 4],
    triggers_at: Instant,
    /// What the conditions of degradation are read from may have changed since.
    has_news: bool,
    queues: [Queue; 4],
    retries: BTreeMap<(Instant, u64), Parcel>,
    retries_made: u64,
    in_flight: Slab<Sent>,
    under_way: [usize; 4],
    deadlines: Deadlines,
    spooling: Spooling,
    metrics: Arc<ShardMetrics>,
    budget: Rc<Budget>,
    jitter: Jitter,
    failures_logged: Limiter,
    answered_at: Instant,
    /// When a batch of each signal may next go unfilled; only kept where no call waits.
    unfilled_at: [Option<Instant>; 4],
    /// When a queue whose head may not go now is to be looked at again.
    blocked_until: [Option<Instant>; 4],
    /// What had become due by then was looked at.
    ticked_at: Instant,
    /// Open batches have another way than they had.
    tick_due: Option<Instant>,
    /// When whoever calls [`Delivery::tick`] wakes by itself.
    sleeps_until: Option<Instant>,
    is_stirred: bool,
    /// Every collector may be called, and nothing is degraded.
    is_clear: bool,
    is_draining: bool,
    reported: report::Reported,
    unix: UnixClock,
}

/// A parcel that a collector has.
#[derive(Debug)]
struct Sent {
    parcel: Parcel,
    collector: usize,
    place: destination::Place,
    at: Instant,
}

impl Delivery {
    /// Deliveries as configured, none yet. `now` and `unix_nanos`, in nanoseconds since 1970, are
    /// the same moment.
    #[must_use]
    pub fn new(config: &Config, lent: Lent, now: Instant, unix_nanos: u64) -> Self {
        let export = &config.export;
        let collectors = export.collectors();
        let place_of = |endpoint| collectors.iter().position(|known| *known == endpoint);
        let routes = Signal::ALL.map(|signal| {
            let endpoints = export.endpoints_of(signal).iter();
            endpoints.filter_map(place_of).collect()
        });
        let Lent {
            metrics,
            budget,
            jitter,
            spool,
        } = lent;
        let mut delivery = Self {
            acknowledge: config.acknowledge,
            merge_compressed: export.merge_compressed,
            operation: export.timeouts.operation,
            retry: RetryPolicy::new(&config.retry),
            degradation: config.degradation,
            batcher: Batcher::new(
                config.batch.items_max,
                config.batch.bytes_max,
                config.batch.flush_interval,
            ),
            packer: Packer::new(export.compression, export.compression_level),
            unpacker: Unpacker::new(),
            destinations: collectors
                .iter()
                .map(|endpoint| {
                    let Config {
                        circuit_breaker,
                        health_check,
                        ..
                    } = config;
                    Destination::new(endpoint, export, circuit_breaker, health_check)
                })
                .collect(),
            fallback: export.fallback.as_ref().and_then(place_of),
            routes,
            turn: 0,
            signals_turn: 0,
            triggers: [(); 4].map(|()| Triggers::new(&config.degradation, &config.circuit_breaker)),
            triggers_at: now,
            has_news: false,
            queues: Default::default(),
            retries: BTreeMap::new(),
            retries_made: 0,
            in_flight: Slab::new(),
            under_way: [0; 4],
            deadlines: Deadlines::default(),
            spooling: Spooling::new(config, spool, now),
            metrics,
            budget,
            jitter,
            failures_logged: Limiter::new(),
            answered_at: now,
            unfilled_at: [None; 4],
            blocked_until: [None; 4],
            ticked_at: now,
            tick_due: None,
            sleeps_until: None,
            is_stirred: true,
            is_clear: true,
            is_draining: false,
            reported: report::Reported::default(),
            unix: UnixClock::new(now, unix_nanos),
        };
        delivery.report(now);
        delivery
    }

    /// Whether a request of this signal is worth its reading.
    ///
    /// # Errors
    ///
    /// The refusal, with the time that is left, where no collector may be called and nothing else
    /// takes the data.
    pub fn admit(&self, signal: Signal, now: Instant) -> Result<(), Refusal> {
        let is_taken_here = match self.acknowledge {
            Acknowledge::Delivered => false,
            Acknowledge::Stored => self.spooling.takes(now),
            Acknowledge::Queued => true,
        };
        if self.is_clear || is_taken_here {
            return Ok(());
        }
        match self.way(signal, Asked::BATCH, now) {
            Way::Out(left) if !self.can_store(now) => Err(self.circuit_open(signal, left)),
            _ => Ok(()),
        }
    }

    /// Takes a request: into the open batch of its signal, or to the disk first.
    pub fn submit(&mut self, request: ExportRequest, now: Instant) -> Ack {
        let Some(request) = self.thin(request) else {
            return Ack::ready(Outcome::Accepted);
        };
        let signal = request.signal;
        if self.acknowledge != Acknowledge::Queued {
            self.deadlines.note(request.deadline);
        }
        if self.acknowledge == Acknowledge::Stored {
            let (ack, waiter) = Ack::pending();
            self.store(request, Some(waiter), Then::Deliver, now);
            return ack;
        }
        let (ack, waiter) = match self.acknowledge {
            Acknowledge::Queued => (Ack::ready(Outcome::Accepted), None),
            _ => {
                let (ack, waiter) = Ack::pending();
                (ack, Some(waiter))
            }
        };
        if !self.is_clear && matches!(self.way(signal, Asked::BATCH, now), Way::Disk) {
            self.store(request, waiter, Then::Leave(None), now);
        } else {
            self.gather(request, waiter, now);
        }
        ack
    }

    /// Takes a request into the open batch of its signal.
    fn gather(&mut self, request: ExportRequest, waiter: Option<Waiter>, now: Instant) {
        if let Some(batch) = self.batcher.push(request, waiter, now) {
            self.seal(batch);
        }
    }

    /// Queues a sealed batch.
    fn seal(&mut self, batch: Batch) {
        let signal = batch.signal();
        self.metrics.batch_sealed(
            signal,
            count(batch.requests()),
            batch.items(),
            count(batch.bytes()),
            batch.trigger(),
        );
        if !batch.is_awaited() {
            self.unfilled_at[signal.index()] = Some(batch.sealed_at() + UNAWAITED_PAUSE);
        }
        for parcel in self.parcels(batch, false) {
            self.queues[signal.index()].push(parcel);
        }
        self.is_stirred = true;
    }

    /// What is sent of a sealed batch: it as a whole, or each of its requests where they are not
    /// merged.
    fn parcels(&self, batch: Batch, is_replayed: bool) -> Vec<Parcel> {
        let is_small = self.goes_on_alone(batch.signal(), batch.encoding());
        let parts = match is_small {
            true => batch.into_requests(),
            false => vec![batch],
        };
        let parcel = |part| Parcel::new(part, is_small, is_replayed);
        parts.into_iter().map(parcel).collect()
    }

    /// Whether every request may come in, without a look at its signal: all is well.
    #[must_use]
    pub const fn admits_all(&self) -> bool {
        self.is_clear
    }

    /// Whether [`Delivery::next_action`] may have something to do: not where a request has only
    /// joined an open batch.
    #[must_use]
    pub const fn has_work(&self) -> bool {
        self.is_stirred || self.spooling.has_spool()
    }

    /// The next thing to do; `None` when nothing can be done before an answer comes, a request is
    /// submitted or the time of [`Delivery::next_at`] is there.
    pub fn next_action(&mut self, now: Instant) -> Option<Action> {
        loop {
            if let Some((id, op)) = self.spooling.next_op(now) {
                return Some(Action::Disk(id, op));
            }
            if self.hear_spool(now) {
                continue;
            }
            if !self.is_stirred {
                return None;
            }
            if let Some(action) = self.dispatch(now).or_else(|| self.probe(now)) {
                return Some(action);
            }
            self.is_stirred = false;
            self.look_ahead(now);
            self.replay(now);
            self.report(now);
        }
    }

    /// Whether requests may come in without a look at the collectors: until something stirs, all
    /// may be called.
    fn look_ahead(&mut self, now: Instant) {
        let is_callable = |destination: &Destination| destination.callable(now).is_ok();
        let is_degraded = |triggers: &Triggers| triggers.active().is_some();
        self.is_clear =
            self.destinations.iter().all(is_callable) && !self.triggers.iter().any(is_degraded);
    }

    /// What a probe came to.
    pub fn probed(&mut self, collector: usize, probe: Probe, now: Instant) {
        self.is_stirred = true;
        self.has_news = true;
        self.metrics
            .collector_probed(collector, report::result_of(&probe));
        let why = match &probe {
            Probe::Unhealthy(why) => why.clone(),
            Probe::Healthy | Probe::Alive => String::new(),
        };
        let Some(destination) = self.destinations.get_mut(collector) else {
            return;
        };
        match destination.probed(probe, now) {
            Some(true) => {
                tracing::info!(collector = destination.name, "a collector is healthy again");
            }
            Some(false) => tracing::warn!(
                collector = destination.name,
                "a collector is taken out: its probes fail: {why}"
            ),
            None => {}
        }
    }

    /// Whether requests of this signal and encoding are sent each on its own.
    const fn goes_on_alone(&self, signal: Signal, encoding: Encoding) -> bool {
        encoding.is_packed() && !self.merge_compressed[signal.index()]
    }

    /// Whether reading should stop: enough batches wait for collectors that are all at work.
    ///
    /// What a collector takes no faster only grows old in memory, and out of the caches, while the
    /// senders' flow control would hold it for nothing: measured, a backlog of 200 MiB doubles the
    /// CPU that a span costs. Memory is for a collector that pauses.
    #[must_use]
    pub fn has_backlog(&self, now: Instant) -> bool {
        // A parcel weighs one at least: no more of them need be looked at, however many wait.
        const ENOUGH: usize = BACKLOG_BATCHES * SMALL_PER_PLACE;
        let first = self.queues.iter().flat_map(Queue::iter).take(ENOUGH);
        first.map(Parcel::share).sum::<usize>() >= ENOUGH
            && now.saturating_duration_since(self.answered_at) < STALLED
            && self
                .destinations
                .iter()
                .all(|destination| !destination.has_room(false))
    }

    /// Seals everything from now on as it comes; nothing is read back from the disk.
    pub fn drain(&mut self, now: Instant) {
        self.is_draining = true;
        self.stop_replay();
        // What waits for a further attempt has its say at once: to the disk, where there is one.
        for (_, parcel) in std::mem::take(&mut self.retries) {
            self.queues[parcel.signal().index()].put_back(parcel);
        }
        self.tick(now);
    }

    /// Takes nothing more to the disk, and writes down what needs no replay.
    pub fn close(&mut self) {
        self.spooling.close();
        self.is_stirred = true;
    }

    /// Whether the disk has all that it was to have, after [`Delivery::close`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.spooling.is_closed()
    }

    /// Batches that have no outcome yet, open ones aside.
    #[must_use]
    pub fn batches(&self) -> usize {
        let queued: usize = self.queues.iter().map(Queue::len).sum();
        queued + self.retries.len() + self.in_flight.len() + self.spooling.pending()
    }

    /// Whether no request is without an outcome; what is safe on the disk has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches() == 0 && self.batcher.next_due().is_none()
    }

    /// What an [`Action::Disk`] came to.
    pub fn disk_done(
        &mut self,
        op: spool::OpId,
        came: Result<spool::Done, spool::DiskError>,
        now: Instant,
    ) {
        self.spooling.done(op, came, now);
        self.is_stirred = true;
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
