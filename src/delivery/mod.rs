//! What becomes of a request that was taken, from its batch to its outcome: sent, tried again,
//! sent elsewhere, kept on the disk, thinned, or refused with a delay.
//!
//! Pure: told the time, does no I/O. Whoever drives it performs the [`Action`]s that it asks for
//! and tells it what came of each; every sender's [`Ack`] is answered by it, once. So a simulation
//! can drive it through any order of events.
//!
//! | file | its one job |
//! | --- | --- |
//! | `destination` | one collector: places, breaker, probes, pauses |
//! | `ladder` | which way a parcel goes now |
//! | `parcel` | a sealed batch on its way |
//! | `settle` | an outcome into the ledger and to the senders |
//! | `spooling` | to the disk and back |
//! | `quality` | thinning under pressure |

mod destination;
mod ladder;
mod parcel;
mod quality;
mod report;
mod settle;
mod spooling;

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

use crate::{
    batch::{Ack, Batch, Batcher, Budget, ExportRequest, Waiter},
    config::{Acknowledge, Config, Degradation},
    degrade::{self, Probe, RetryPolicy, Triggers, Verdict},
    encoding::Encoding,
    jitter::Jitter,
    logging::Limiter,
    metrics::{ShardMetrics, Trigger},
    outcome::{Attempt, Outcome, Reason, Refusal},
    signal::Signal,
    spool::{self, Spool},
    wire::{Message, Packer, Unpacker},
};
use destination::{Destination, SMALL_PER_PLACE};
use ladder::{Asked, Way};
use parcel::Parcel;
use report::UnixClock;
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

/// Connections that a message may meet which had lain idle and were closed.
///
/// - Source: chosen: more than a pool has by default; beyond that something else is wrong.
const STALE_MAX: u32 = 8;

/// How often the conditions of degradation are looked at.
///
/// - Cost: sums of a window, some 100 ns.
const TRIGGERS_INTERVAL: Duration = Duration::from_millis(100);

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
    /// The shard's part of the disk, where the configuration asks for one, and the bytes that it
    /// may hold.
    pub spool: Option<(Spool, u64)>,
    /// Bytes that this shard may read back from the disk in a second; 0: no bound.
    pub replay_rate: u64,
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
    triggers: [Triggers; 4],
    triggers_at: Instant,
    queues: [VecDeque<Parcel>; 4],
    retries: BTreeMap<(Instant, u64), Parcel>,
    retries_made: u64,
    in_flight: Slab<Sent>,
    under_way: [usize; 4],
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
            replay_rate,
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
            triggers: [(); 4].map(|()| Triggers::new(&config.degradation, &config.circuit_breaker)),
            triggers_at: now,
            queues: Default::default(),
            retries: BTreeMap::new(),
            retries_made: 0,
            in_flight: Slab::new(),
            under_way: [0; 4],
            spooling: Spooling::new(config, spool, replay_rate, now),
            metrics,
            budget,
            jitter,
            failures_logged: Limiter::new(),
            answered_at: now,
            unfilled_at: [None; 4],
            blocked_until: [None; 4],
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
        if self.is_clear || self.acknowledge == Acknowledge::Queued {
            // Its sender has its answer from the memory, as long as there is any.
            return Ok(());
        }
        match self.way(signal, Asked::BATCH, now) {
            Way::Out(left) if !self.can_store(signal, now) => Err(self.circuit_open(signal, left)),
            _ => Ok(()),
        }
    }

    /// Takes a request: into the open batch of its signal, or to the disk first.
    pub fn submit(&mut self, request: ExportRequest, now: Instant) -> Ack {
        let Some(request) = self.thin(request) else {
            return Ack::ready(Outcome::Accepted);
        };
        let signal = request.signal;
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
            self.store(request, waiter, Then::Leave, now);
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

    /// Queues a sealed batch: whole, or request by request where it is not merged.
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
        if self.goes_on_alone(signal, batch.encoding()) {
            let requests = batch.into_requests().into_iter();
            self.queues[signal.index()]
                .extend(requests.map(|request| Parcel::new(request, true, false)));
        } else {
            self.queues[signal.index()].push_back(Parcel::new(batch, false, false));
        }
        self.is_stirred = true;
    }

    /// Whether the open batch of a signal and an encoding holds anything.
    #[must_use]
    pub fn is_open(&self, signal: Signal, encoding: Encoding) -> bool {
        self.batcher.is_open(signal, encoding)
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
        self.is_clear = self.destinations.iter().all(is_callable)
            && !self.triggers.iter().any(is_degraded);
    }

    /// Sends what may go now, signal by signal.
    fn dispatch(&mut self, now: Instant) -> Option<Action> {
        for signal in Signal::ALL {
            self.blocked_until[signal.index()] = None;
            loop {
                match self.step(signal, now) {
                    Step::Did => {}
                    Step::Do(action) => return Some(action),
                    Step::Nothing => break,
                }
            }
        }
        None
    }

    /// Takes the next parcel of a signal one step further. What was read back from the disk goes
    /// behind all that is live.
    fn step(&mut self, signal: Signal, now: Instant) -> Step {
        let queue = &mut self.queues[signal.index()];
        let Some(parcel) = queue.pop_front() else {
            return self.step_replayed(signal, now);
        };
        match self.way(signal, Asked::of(&parcel), now) {
            Way::To(collector) => self.start(parcel, collector, now),
            Way::Full => {
                self.queues[signal.index()].push_front(parcel);
                Step::Nothing
            }
            Way::Disk => {
                self.store_all(parcel.batch, now);
                Step::Did
            }
            Way::Paused(left) => {
                let refusal = self.unreachable(signal);
                self.again(parcel, refusal, Some(left), now);
                Step::Did
            }
            Way::Out(left) if self.is_only_here(&parcel) => self.hold(parcel, left, now),
            Way::Out(left) => {
                let refusal = self.circuit_open(signal, left);
                self.settle(parcel.batch, Outcome::Refused(refusal));
                Step::Did
            }
        }
    }

    /// Whether nobody but this memory has the data: its senders were told that it is safe.
    fn is_only_here(&self, parcel: &Parcel) -> bool {
        !parcel.batch.is_awaited() && parcel.batch.stored_items() == 0
    }

    /// Keeps what is only here until its collector may be called again, or it is too old.
    fn hold(&mut self, parcel: Parcel, left: Duration, now: Instant) -> Step {
        let signal = parcel.signal();
        let since = parcel.batch.sealed_at();
        if self.retry.gives_up(parcel.attempts, since, now, false) {
            let refusal = self.circuit_open(signal, left);
            self.settle(parcel.batch, Outcome::Refused(refusal));
            return Step::Did;
        }
        self.blocked_until[signal.index()] = Some(now + left);
        self.queues[signal.index()].push_front(parcel);
        Step::Nothing
    }

    /// Sends a parcel, but for the requests in it whose senders have gone.
    fn start(&mut self, mut parcel: Parcel, collector: usize, now: Instant) -> Step {
        let signal = parcel.signal();
        if parcel.batch.has_abandoned(now) {
            let template = Parcel::template(&parcel);
            let (kept, gone) = parcel.batch.part_abandoned(now);
            if let Some(gone) = gone {
                let refusal = Refusal::retryable(
                    Reason::Cancelled,
                    DEFAULT_DELAY,
                    "the sender has gone or its deadline has passed before the data was sent on",
                );
                self.settle(gone, Outcome::Refused(refusal));
            }
            let Some(kept) = kept else { return Step::Did };
            parcel = template.of(kept);
        }
        if parcel.batch.requests() > 1
            && self.destinations[collector].is_too_large(parcel.batch.bytes(), now)
        {
            self.split(parcel);
            return Step::Did;
        }
        let timeout = match parcel.batch.is_awaited() {
            true => (parcel.batch.sealed_at() + self.operation).saturating_duration_since(now),
            false => self.operation,
        };
        if timeout.is_zero() {
            let refusal = Refusal::retryable(
                Reason::Timeout,
                self.default_delay(),
                "no collector has answered within timeout.operation_timeout",
            );
            self.give_up(parcel, refusal);
            return Step::Did;
        }
        let Some(place) = self.destinations[collector].begin(parcel.is_small, now) else {
            self.queues[signal.index()].push_front(parcel);
            return Step::Nothing;
        };
        self.turn = self.turn.wrapping_add(1);
        parcel.attempts += 1;
        parcel.first_at.get_or_insert(now);
        let packer = &mut self.packer;
        let message = parcel.message(|batch| match batch.encoding() {
            Encoding::Identity => packer.pack(batch.slices()),
            packed => (packed, batch.slices()),
        });
        self.metrics.export_started(signal);
        if parcel.is_replayed {
            self.spooling.went(parcel.batch.bytes(), now);
        } else {
            self.under_way[signal.index()] += 1;
        }
        let attempt = self.in_flight.insert(Sent {
            parcel,
            collector,
            place,
            at: now,
        });
        self.report_queue(signal);
        Step::Do(Action::Send {
            attempt,
            collector,
            message,
            timeout,
        })
    }

    /// Cuts a parcel into two that go next.
    fn split(&mut self, parcel: Parcel) {
        let template = Parcel::template(&parcel);
        let queue = &mut self.queues[parcel.signal().index()];
        match parcel.batch.split() {
            Ok((one, two)) => {
                queue.push_front(template.of(two));
                queue.push_front(template.of(one));
            }
            Err(whole) => queue.push_front(template.of(whole)),
        }
    }

    fn probe(&mut self, now: Instant) -> Option<Action> {
        let mut destinations = self.destinations.iter_mut();
        let collector = destinations.position(|destination| destination.begin_probe(now))?;
        Some(Action::Probe { collector })
    }

    /// What came of an [`Action::Send`].
    pub fn attempted(&mut self, attempt: usize, came: Attempt, now: Instant) {
        let Some(sent) = self.in_flight.try_remove(attempt) else {
            return;
        };
        let Sent {
            parcel,
            collector,
            place,
            at,
        } = sent;
        let (signal, taken) = (parcel.signal(), now.saturating_duration_since(at));
        self.is_stirred = true;
        self.answered_at = now;
        if parcel.is_replayed {
            self.spooling.in_flight -= 1;
        } else {
            self.under_way[signal.index()] -= 1;
        }
        let is_sent = matches!(&came, Attempt::Answered(outcome) if !matches!(outcome, Outcome::Refused(_)));
        self.metrics.export_finished(
            signal,
            parcel.batch.items(),
            count(parcel.batch.bytes()),
            is_sent,
            taken,
        );
        let verdict = verdict_of(&came);
        let destination = &mut self.destinations[collector];
        destination.end(place, verdict, now);
        if verdict != Verdict::Neutral && self.routes[signal.index()].contains(&collector) {
            self.triggers[signal.index()].observe(verdict == Verdict::Success, taken, now);
        }
        match came {
            Attempt::Answered(Outcome::Refused(refusal)) => {
                destination.failed(refusal.message());
                self.log(&parcel, &refusal, now);
                self.refused(parcel, collector, verdict, refusal, now);
            }
            Attempt::Answered(outcome) => {
                if parcel.is_replayed {
                    self.spooling.failures = 0;
                    let bytes = count(parcel.batch.bytes());
                    self.metrics.spool_replayed(parcel.batch.items(), bytes);
                }
                self.settle(parcel.batch, outcome);
            }
            Attempt::Stale(_) if parcel.stale < STALE_MAX => {
                let mut parcel = parcel;
                parcel.stale += 1;
                parcel.attempts -= 1;
                self.queues[signal.index()].push_front(parcel);
            }
            Attempt::NotSent(error) | Attempt::Stale(error) => {
                destination.unreachable(&error, &self.jitter, now);
                let refusal = self.unreachable(signal);
                self.log(&parcel, &refusal, now);
                self.elsewhere(parcel, refusal, now);
            }
            Attempt::Broken(reason, error) => {
                destination.failed(&error);
                let refusal = Refusal::retryable(reason, Duration::ZERO, error).shared();
                self.log(&parcel, &refusal, now);
                self.again(parcel, refusal, None, now);
            }
        }
        self.report_queue(signal);
        self.look_at_triggers(now);
    }

    /// What a collector's refusal means for what it refused.
    fn refused(
        &mut self,
        parcel: Parcel,
        collector: usize,
        verdict: Verdict,
        refusal: Refusal,
        now: Instant,
    ) {
        if refusal.is_retryable() {
            let least = refusal.retry_after().filter(|delay| !delay.is_zero());
            if let (Verdict::Neutral, Some(delay)) = (verdict, least) {
                self.destinations[collector].be_patient(delay, now);
            }
            return self.again(parcel, refusal, least, now);
        }
        if parcel.batch.requests() > 1 && settle::is_about_content(&refusal) {
            if settle::is_about_size(&refusal) {
                self.destinations[collector].too_large(parcel.batch.bytes(), now);
            }
            return self.split(parcel);
        }
        self.settle(parcel.batch, Outcome::Refused(refusal));
    }

    /// A collector could not be reached: another may be tried at once, as if nothing had been.
    fn elsewhere(&mut self, mut parcel: Parcel, refusal: Refusal, now: Instant) {
        let signal = parcel.signal();
        match self.way(signal, Asked::of(&parcel), now) {
            Way::To(_) if !parcel.is_replayed => {
                parcel.attempts -= 1;
                self.queues[signal.index()].push_front(parcel);
            }
            _ => self.again(parcel, refusal, None, now),
        }
    }

    /// Tries a parcel again later, after `least` at the soonest, or gives the collectors up for it.
    fn again(
        &mut self,
        mut parcel: Parcel,
        refusal: Refusal,
        least: Option<Duration>,
        now: Instant,
    ) {
        let signal = parcel.signal();
        if parcel.is_replayed {
            self.spooling.failures = self.spooling.failures.saturating_add(1);
            let pause = self.retry.delay(self.spooling.failures, least, self.jitter.fraction());
            return self.put_back(parcel.batch, pause, now);
        }
        let is_awaited = parcel.batch.is_awaited();
        let first_at = *parcel.first_at.get_or_insert(now);
        let made = parcel.attempts.max(1);
        let delay = self.retry.delay(made, least, self.jitter.fraction());
        let is_too_late = is_awaited && now + delay >= parcel.batch.sealed_at() + self.operation;
        let is_safer_on_disk = self.is_draining && !is_awaited && self.can_store(signal, now);
        if is_too_late
            || is_safer_on_disk
            || !self.retry.class(refusal.reason(), true)
            || self.retry.gives_up(made, first_at, now, is_awaited)
        {
            return self.exhausted(parcel, refusal, now);
        }
        self.metrics.attempt_retried(signal, refusal.reason());
        parcel.attempts = made;
        self.retries_made += 1;
        self.retries.insert((now + delay, self.retries_made), parcel);
    }

    /// Takes a parcel down the ladder: to the fallback, to the disk, back to its senders.
    fn exhausted(&mut self, mut parcel: Parcel, refusal: Refusal, now: Instant) {
        let signal = parcel.signal();
        let falls_back = Asked {
            falls_back: true,
            ..Asked::of(&parcel)
        };
        match self.way(signal, falls_back, now) {
            Way::To(_) | Way::Full if !parcel.falls_back => {
                parcel.falls_back = true;
                parcel.attempts = 0;
                self.queues[signal.index()].push_front(parcel);
            }
            _ if self.can_store(signal, now) => self.store_all(parcel.batch, now),
            _ => self.give_up(parcel, refusal),
        }
    }

    /// Answers with a refusal that carries a delay.
    fn give_up(&mut self, parcel: Parcel, refusal: Refusal) {
        let delay = refusal.retry_after().filter(|delay| !delay.is_zero());
        let delay = delay.unwrap_or_else(|| self.default_delay());
        let refusal = refusal.with_delay(delay);
        self.settle(parcel.batch, Outcome::Refused(refusal));
    }

    fn default_delay(&self) -> Duration {
        self.jitter.between(DEFAULT_DELAY, DEFAULT_DELAY * 2)
    }

    fn circuit_open(&self, signal: Signal, left: Duration) -> Refusal {
        let why = self.error_of(signal);
        let left = left.max(DEFAULT_DELAY);
        let delay = self.jitter.between(left, left + left / 4);
        let text = format!("no collector for {signal} may be called now: {why}");
        Refusal::retryable(Reason::CircuitOpen, delay, text).shared()
    }

    fn unreachable(&self, signal: Signal) -> Refusal {
        Refusal::retryable(Reason::Connection, Duration::ZERO, self.error_of(signal)).shared()
    }

    fn error_of(&self, signal: Signal) -> String {
        let mut route = self.routes[signal.index()].iter();
        let error = route.find_map(|collector| self.destinations[*collector].error());
        error.unwrap_or("no collector can be reached").to_owned()
    }

    /// What a probe came to.
    pub fn probed(&mut self, collector: usize, probe: Probe, now: Instant) {
        self.is_stirred = true;
        self.metrics.collector_probed(collector, report::result_of(&probe));
        let why = match &probe {
            Probe::Unhealthy(why) => why.clone(),
            Probe::Healthy | Probe::Alive => String::new(),
        };
        let Some(destination) = self.destinations.get_mut(collector) else {
            return;
        };
        match destination.probed(probe, now) {
            Some(true) => tracing::info!(collector = destination.name, "a collector is healthy again"),
            Some(false) => tracing::warn!(
                collector = destination.name,
                "a collector is taken out: its probes fail: {why}"
            ),
            None => {}
        }
    }

    /// Time has passed, or what there is to read has been read: seals open batches that need not or
    /// must not wait any longer, tries again what is due.
    ///
    /// A batch need not wait while none of its signal is under way and a collector has room. Else it
    /// fills, so that batches are small at low load and large at high load by themselves. What is
    /// not merged anyway gains nothing by filling: it goes wherever a collector has room.
    pub fn tick(&mut self, now: Instant) {
        self.is_stirred = true;
        for destination in &mut self.destinations {
            destination.tick(now);
        }
        self.spooling.tick(now);
        while let Some(due) = self.retries.first_entry()
            && due.key().0 <= now
        {
            let parcel = due.remove();
            self.queues[parcel.signal().index()].push_front(parcel);
        }
        self.look_at_triggers(now);
        for signal in Signal::ALL {
            for encoding in Encoding::ALL {
                if let Some(batch) = self.seal_ripe(signal, encoding, now) {
                    self.seal(batch);
                }
            }
        }
    }

    fn seal_ripe(&mut self, signal: Signal, encoding: Encoding, now: Instant) -> Option<Batch> {
        if !self.batcher.is_open(signal, encoding) {
            return None;
        }
        let is_small = self.goes_on_alone(signal, encoding);
        let has_room = || {
            let asked = Asked {
                is_small,
                falls_back: false,
            };
            !matches!(self.way(signal, asked, now), Way::Full | Way::Paused(_))
        };
        let is_idle = || self.under_way[signal.index()] == 0 && !self.is_gathering(signal, now);
        let trigger = if self.is_draining {
            Trigger::Drain
        } else if (is_small || is_idle()) && has_room() {
            Trigger::Idle
        } else if self.batcher.is_due(signal, encoding, now) {
            Trigger::Interval
        } else {
            return None;
        };
        self.batcher.seal(signal, encoding, trigger, now)
    }

    /// Whether a batch of this signal went so lately that the next should gather.
    fn is_gathering(&self, signal: Signal, now: Instant) -> bool {
        self.unfilled_at[signal.index()].is_some_and(|at| at > now)
    }

    /// When [`Delivery::tick`] has something to do.
    #[must_use]
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let unfilled = self.unfilled_at.into_iter().flatten();
        let due = self.batcher.next_due();
        let gathered = due.and_then(|_| unfilled.filter(|at| *at > now).min());
        let retry = self.retries.first_key_value().map(|((at, _), _)| *at);
        let blocked = self.blocked_until.into_iter().flatten().min();
        let destinations = self.destinations.iter();
        let destination = destinations.filter_map(|destination| destination.next_at(now)).min();
        let is_degraded = self.triggers.iter().any(|triggers| triggers.active().is_some());
        let trigger = is_degraded.then(|| self.triggers_at + TRIGGERS_INTERVAL);
        let spool = self.spooling.next_at(now);
        let times = [due, gathered, retry, blocked, destination, trigger, spool];
        times.into_iter().flatten().min()
    }

    fn look_at_triggers(&mut self, now: Instant) {
        if !self.degradation.enabled || now < self.triggers_at + TRIGGERS_INTERVAL {
            return;
        }
        self.triggers_at = now;
        for signal in Signal::ALL {
            let mut route = self.routes[signal.index()].iter();
            let is_out = route.all(|collector| self.destinations[*collector].is_out(now));
            let is_out = is_out && !self.routes[signal.index()].is_empty();
            if let Some(change) = self.triggers[signal.index()].evaluate(is_out, now) {
                self.is_stirred = true;
                self.degradation_changed(signal, &change);
            }
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
        let waiting: usize = self.queues.iter().flatten().map(Parcel::share).sum();
        waiting >= BACKLOG_BATCHES * SMALL_PER_PLACE
            && now.saturating_duration_since(self.answered_at) < STALLED
            && self.destinations.iter().all(|destination| !destination.has_room(false))
    }

    /// Seals everything from now on as it comes; nothing is read back from the disk.
    pub fn drain(&mut self, now: Instant) {
        self.is_draining = true;
        self.stop_replay();
        // What waits for a further attempt has its say at once: to the disk, where there is one.
        for (_, parcel) in std::mem::take(&mut self.retries) {
            self.queues[parcel.signal().index()].push_back(parcel);
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
        let queued: usize = self.queues.iter().map(VecDeque::len).sum();
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

/// How far one step came.
enum Step {
    /// Something was done, and there may be more.
    Did,
    /// Something is to be done by the driver.
    Do(Action),
    /// Nothing can be done now.
    Nothing,
}

/// What an attempt says of the collector itself.
fn verdict_of(came: &Attempt) -> Verdict {
    match came {
        Attempt::Answered(Outcome::Refused(refusal)) => {
            degrade::verdict(Err((refusal.reason(), refusal.is_retryable())))
        }
        Attempt::Answered(_) => Verdict::Success,
        Attempt::Stale(_) => Verdict::Neutral,
        Attempt::NotSent(_) | Attempt::Broken(..) => Verdict::Failure,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
