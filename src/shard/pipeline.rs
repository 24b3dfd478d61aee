//! From a request that was taken to the outcome of its batch: seal, send, cut back, answer.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::first_of;
use crate::{
    batch::{Ack, Batch, Batcher, ExportRequest},
    config::{Acknowledge, Config},
    encoding::Encoding,
    exporter::{Exporter, Message},
    logging::Limiter,
    metrics::{Settled, ShardMetrics, Trigger},
    net::{Gate, Hold},
    outcome::{Code, Outcome, Reason, Refusal},
    rt::{self, Notify},
    signal::Signal,
    wire::Packer,
};

/// Sealed batches that wait at most before the shard stops reading.
///
/// - Source: chosen: enough that a place that becomes free is taken at once.
const BACKLOG_BATCHES: usize = 4;

/// How soon after one batch the next may go unfilled, where no call waits for what is in it.
///
/// - Source: measured: a collector answers within 0.1 ms, and what came in that time goes at once
///   when calls wait for it; where none does, so many small batches cost their senders nothing but
///   this shard and the collector a third more CPU (docs/benchmarks.md).
const UNAWAITED_PAUSE: Duration = Duration::from_millis(1);

/// Without an answer for so long, a collector is not slow but pausing.
///
/// - Source: chosen: above the answer time of any collector that keeps up.
const PAUSE: Duration = Duration::from_secs(1);

/// The open batches of a shard, those that wait for a place, and those that are under way.
///
/// - Shard: one per shard.
#[derive(Debug)]
pub(super) struct Pipeline {
    batcher: RefCell<Batcher>,
    waiting: RefCell<[VecDeque<Batch>; 4]>,
    under_way: RefCell<[usize; 4]>,
    exporter: Exporter,
    /// Packs what was merged plain.
    packer: RefCell<Packer>,
    merge_compressed: [bool; 4],
    metrics: Arc<ShardMetrics>,
    gate: Rc<Gate>,
    answered_at: Cell<Instant>,
    /// When a batch of each signal may next go unfilled; only kept where no call waits.
    unfilled_at: Cell<[Option<Instant>; 4]>,
    draining: Cell<bool>,
    flush: Notify,
    finished: Notify,
    failures_logged: Limiter,
}

impl Pipeline {
    pub(super) fn new(
        config: &Config,
        exporter: Exporter,
        gate: Rc<Gate>,
        metrics: Arc<ShardMetrics>,
    ) -> Rc<Self> {
        Rc::new(Self {
            batcher: RefCell::new(Batcher::new(
                config.batch.items_max,
                config.batch.bytes_max,
                config.batch.flush_interval,
                config.acknowledge == Acknowledge::Queued,
            )),
            waiting: RefCell::default(),
            under_way: RefCell::default(),
            exporter,
            packer: RefCell::new(Packer::new(
                config.export.compression,
                config.export.compression_level,
            )),
            merge_compressed: config.export.merge_compressed,
            metrics,
            gate,
            answered_at: Cell::new(rt::now()),
            unfilled_at: Cell::default(),
            draining: Cell::new(false),
            flush: Notify::default(),
            finished: Notify::default(),
            failures_logged: Limiter::new(),
        })
    }

    /// Takes a request into the open batch of its signal.
    pub(super) fn submit(self: &Rc<Self>, request: ExportRequest) -> Ack {
        let was_open = self
            .batcher
            .borrow()
            .is_open(request.signal, request.encoding);
        let (ack, sealed) = self.batcher.borrow_mut().push(request, rt::now());
        if let Some(batch) = sealed {
            self.dispatch(batch);
        }
        // The flusher has to hear of a batch once; then it watches over it.
        if !was_open {
            self.flush.notify();
        }
        ack
    }

    /// Seals open batches that need not or must not wait any longer.
    ///
    /// A batch need not wait while none of its signal is under way and a collector has room: then
    /// it goes as soon as the connections that have something to read have been read. Else it
    /// fills, so that batches are small at low load and large at high load by themselves. What is
    /// not merged anyway gains nothing by filling: it goes wherever a collector has room.
    pub(super) async fn flush(self: Rc<Self>) {
        loop {
            match self.next_look(rt::now()) {
                None => self.flush.notified().await,
                Some(at) => {
                    let left = at.saturating_duration_since(rt::now());
                    first_of(self.flush.notified(), rt::sleep(left)).await;
                }
            }
            rt::yield_now().await;
            for signal in Signal::ALL {
                for encoding in Encoding::ALL {
                    if let Some(batch) = self.seal_ripe(signal, encoding) {
                        self.dispatch(batch);
                    }
                }
            }
        }
    }

    fn seal_ripe(&self, signal: Signal, encoding: Encoding) -> Option<Batch> {
        let mut batcher = self.batcher.borrow_mut();
        if !batcher.is_open(signal, encoding) {
            return None;
        }
        let now = rt::now();
        let trigger = if self.draining.get() {
            Trigger::Drain
        } else if (self.is_idle(signal) && !self.is_pausing(signal, now))
            || (self.goes_on_alone(signal, encoding) && self.exporter.has_room(signal))
        {
            Trigger::Idle
        } else if batcher.is_due(signal, encoding, now) {
            Trigger::Interval
        } else {
            return None;
        };
        batcher.seal(signal, encoding, trigger, now)
    }

    /// When an open batch is to be looked at again: where it has waited for long enough, or may go
    /// unfilled.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let due = self.batcher.borrow().next_due()?;
        let unfilled = self.unfilled_at.get().into_iter().flatten();
        unfilled.filter(|at| *at > now).chain([due]).min()
    }

    /// Whether a batch of this signal went so lately that the next should gather.
    fn is_pausing(&self, signal: Signal, now: Instant) -> bool {
        self.unfilled_at.get()[signal.index()].is_some_and(|at| at > now)
    }

    /// Sends a sealed batch, or lets it wait for a place.
    fn dispatch(self: &Rc<Self>, batch: Batch) {
        self.metrics.batch_sealed(
            batch.signal(),
            count(batch.requests()),
            batch.items(),
            count(batch.bytes()),
            batch.trigger(),
        );
        if !batch.is_awaited() {
            let mut unfilled_at = self.unfilled_at.get();
            unfilled_at[batch.signal().index()] = Some(batch.sealed_at() + UNAWAITED_PAUSE);
            self.unfilled_at.set(unfilled_at);
        }
        if self.exporter.has_room(batch.signal()) {
            self.start(batch);
        } else {
            let signal = batch.signal();
            self.waiting.borrow_mut()[signal.index()].push_back(batch);
            self.hold_back();
            self.report_queue(signal);
        }
    }

    fn start(self: &Rc<Self>, batch: Batch) {
        let signal = batch.signal();
        self.under_way.borrow_mut()[signal.index()] += 1;
        self.report_queue(signal);
        let pipeline = Rc::clone(self);
        rt::spawn(async move {
            let mut next = Some(batch);
            // A task runs inside the call that spawns it, up to its first wait: were each batch to
            // start the next one, a queue of batches that are too late to send would nest as deep
            // as it is long.
            while let Some(batch) = next {
                pipeline.deliver(batch).await;
                next = pipeline.next_waiting(signal);
            }
            pipeline.under_way.borrow_mut()[signal.index()] -= 1;
            pipeline.report_queue(signal);
            pipeline.go_on();
        });
    }

    /// The batch that waits longest, where there is a place for it.
    fn next_waiting(&self, signal: Signal) -> Option<Batch> {
        if !self.exporter.has_room(signal) {
            return None;
        }
        self.waiting.borrow_mut()[signal.index()].pop_front()
    }

    /// Whether nothing of this signal is under way and it could go at once.
    fn is_idle(&self, signal: Signal) -> bool {
        self.under_way.borrow()[signal.index()] == 0 && self.exporter.has_room(signal)
    }

    /// Whether requests of this signal and encoding are sent each on its own.
    const fn goes_on_alone(&self, signal: Signal, encoding: Encoding) -> bool {
        encoding.is_packed() && !self.merge_compressed[signal.index()]
    }

    /// Tells the counters how many batches wait for their answer, and at how many reading stops.
    fn report_queue(&self, signal: Signal) {
        let size =
            self.waiting.borrow()[signal.index()].len() + self.under_way.borrow()[signal.index()];
        let capacity = self.exporter.places(signal) + BACKLOG_BATCHES;
        self.metrics.set_queue(signal, count(size), count(capacity));
    }

    /// A place is free: the next batch that waits takes it, else an open one may.
    fn go_on(self: &Rc<Self>) {
        for signal in Signal::ALL {
            while let Some(batch) = self.next_waiting(signal) {
                self.start(batch);
            }
        }
        self.hold_back();
        self.flush.notify();
        self.finished.notify();
    }

    /// Stops reading while enough batches wait for collectors that are all at work, and starts
    /// again when they are fewer, or when the collectors have stopped.
    ///
    /// What a collector takes no faster only grows old in memory, and out of the caches, while the
    /// senders' flow control would hold it for nothing: measured, a backlog of 200 MiB doubles the
    /// CPU that a span costs. Memory is for a collector that pauses.
    fn hold_back(&self) {
        let waiting: usize = self.waiting.borrow().iter().map(VecDeque::len).sum();
        let at_work = rt::now().saturating_duration_since(self.answered_at.get()) < PAUSE;
        let backlog = waiting >= BACKLOG_BATCHES && at_work && self.exporter.is_full();
        self.gate.hold(Hold::Backlog, backlog);
    }

    /// Looks after what no answer would wake.
    pub(super) fn sweep(&self) {
        self.exporter.sweep();
        self.hold_back();
    }

    /// Sends a batch until every request in it has its outcome: a batch that is refused for what
    /// is in it is cut back, so that only the bad request is refused, to its own sender.
    async fn deliver(&self, batch: Batch) {
        if self.goes_on_alone(batch.signal(), batch.encoding()) {
            return self.deliver_each(batch).await;
        }
        let mut work = vec![batch];
        while let Some(batch) = work.pop() {
            let outcome = self.send(&batch).await;
            if is_about_content(&outcome) {
                match batch.split() {
                    Ok((one, two)) => work.extend([two, one]),
                    Err(batch) => self.settle(batch, outcome),
                }
            } else {
                self.settle(batch, outcome);
            }
        }
    }

    /// Sends each request of a packed batch on its own, as it came: at once as far as the
    /// collectors have room for requests of this size, and one at least.
    async fn deliver_each(&self, batch: Batch) {
        let signal = batch.signal();
        let mut requests = batch.into_requests().into_iter().peekable();
        let mut under_way = FuturesUnordered::new();
        poll_fn(|cx| {
            loop {
                while let Poll::Ready(Some(())) = under_way.poll_next_unpin(cx) {}
                let has_room = under_way.is_empty() || self.exporter.has_room_for_one(signal);
                match requests.next_if(|_| has_room) {
                    // Polled at once, so that it takes its place before the next one asks.
                    Some(request) => under_way.push(async move {
                        let outcome = self.send(&request).await;
                        self.settle(request, outcome);
                    }),
                    None if under_way.is_empty() => return Poll::Ready(()),
                    None => return Poll::Pending,
                }
            }
        })
        .await;
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let started = rt::now();
        self.metrics.export_started(batch.signal());
        let message = self.message(batch);
        let outcome = self.exporter.send(&message, batch.sealed_at()).await;
        let bytes = u64::try_from(batch.bytes()).unwrap_or(u64::MAX);
        let sent = !matches!(outcome, Outcome::Refused(_));
        self.answered_at.set(rt::now());
        let duration = rt::now().saturating_duration_since(started);
        self.metrics
            .export_finished(batch.signal(), batch.items(), bytes, sent, duration);
        if let Outcome::Refused(refusal) = &outcome {
            self.log(batch, refusal, started);
        }
        outcome
    }

    /// What is sent of a batch: packed as it came, or else packed now.
    fn message(&self, batch: &Batch) -> Message {
        let (encoding, slices) = match batch.encoding() {
            Encoding::Identity => self.packer.borrow_mut().pack(batch.slices()),
            packed => (packed, batch.slices()),
        };
        let message = Message::new(batch.signal(), encoding, slices);
        if self.goes_on_alone(batch.signal(), batch.encoding()) {
            message.small()
        } else {
            message
        }
    }

    fn log(&self, batch: &Batch, refusal: &Refusal, now: Instant) {
        if let Some(suppressed) = self.failures_logged.allow(now) {
            tracing::warn!(
                signal = batch.signal().name(),
                requests = batch.requests(),
                items = batch.items(),
                reason = refusal.reason().name(),
                retryable = refusal.is_retryable(),
                suppressed,
                "a batch was not taken: {}",
                refusal.message()
            );
        }
    }

    /// Enters a batch's outcome into the ledger, then answers its requests.
    fn settle(&self, batch: Batch, outcome: Outcome) {
        let (signal, items) = (batch.signal(), batch.items());
        match &outcome {
            Outcome::Accepted => self.metrics.settle(signal, items, Settled::Delivered),
            Outcome::Partial { rejected, .. } => {
                let rejected = (*rejected).min(items);
                self.metrics
                    .settle(signal, rejected, Settled::RejectedPartially);
                self.metrics
                    .settle(signal, items - rejected, Settled::Delivered);
            }
            Outcome::Refused(refusal) => {
                let reason = refusal.reason();
                let how = match (refusal.is_retryable(), batch.is_awaited()) {
                    (false, _) => Settled::Rejected(reason),
                    (true, true) => Settled::Refused(reason),
                    (true, false) => Settled::Dropped(reason),
                };
                self.metrics.settle(signal, items, how);
            }
        }
        let share = Share::of(&batch, outcome);
        batch.resolve(|entry| share.of_request(entry.items));
    }

    /// Seals everything from now on as it comes.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.flush.notify();
    }

    /// Batches that have no outcome yet, open ones aside.
    pub(super) fn batches(&self) -> usize {
        let waiting: usize = self.waiting.borrow().iter().map(VecDeque::len).sum();
        self.under_way.borrow().iter().sum::<usize>() + waiting
    }

    /// Waits until no request is without an outcome.
    pub(super) async fn empty(&self) {
        while self.batches() > 0 || self.batcher.borrow().next_due().is_some() {
            self.finished.notified().await;
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Whether a collector refused a batch for what is in it or for its size: then a part of it may
/// well be taken.
fn is_about_content(outcome: &Outcome) -> bool {
    let Outcome::Refused(refusal) = outcome else {
        return false;
    };
    !refusal.is_retryable()
        && matches!(
            refusal.reason(),
            Reason::Collector(Code::InvalidArgument | Code::ResourceExhausted)
        )
}

/// What each request of a batch is told of the batch's outcome.
enum Share {
    /// The same as the batch.
    Same(Outcome),
    /// All items were rejected, so each request's were.
    All(Rc<str>),
}

impl Share {
    /// A collector that rejects a part of a merged batch does not say whose items those were. What
    /// is true is told: one request alone gets the exact answer, all get it when all was rejected,
    /// and else each is warned with the figures of the batch.
    fn of(batch: &Batch, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Partial { rejected, message } if batch.requests() > 1 => {
                if rejected >= batch.items() {
                    return Self::All(message);
                }
                let warning = format!(
                    "the collector rejected {rejected} of the {} items of the batch that this \
                     request shared with {} others, without saying which: {message}",
                    batch.items(),
                    batch.requests() - 1,
                );
                let message = if rejected == 0 {
                    message
                } else {
                    Rc::from(warning)
                };
                Self::Same(Outcome::Partial {
                    rejected: 0,
                    message,
                })
            }
            outcome => Self::Same(outcome),
        }
    }

    fn of_request(&self, items: u64) -> Outcome {
        match self {
            Self::Same(outcome) => outcome.clone(),
            Self::All(message) => Outcome::Partial {
                rejected: items,
                message: Rc::clone(message),
            },
        }
    }
}
