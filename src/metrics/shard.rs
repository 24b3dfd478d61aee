//! What one shard counts. Written by the shard's thread alone, read by the admin thread.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    board::{Board, CollectorName, CollectorStatus, Posted},
    cell::{Counter, Gauge},
    histogram::{BYTE_BOUNDS, DURATION_BOUNDS, Histogram, ITEM_BOUNDS, REQUEST_BOUNDS},
    labels::{Answer, Outcome, REASONS, Settled, Transport, Trigger},
    ledger::Ledger,
    resilience::{COLLECTORS_MAX, CollectorCounters, Degradation, SpoolCounters},
    summary::Account,
};
use crate::{outcome::Reason, signal::Signal};

/// Slots of a call's signal: the four, and one for calls whose path names none.
pub(super) const CALL_SIGNALS: usize = Signal::ALL.len() + 1;

/// A histogram of durations.
pub(super) type Durations = Histogram<{ DURATION_BOUNDS.len() }>;

/// The counters of one shard.
///
/// No call here but [`ShardMetrics::post`] allocates, locks or waits; none is a locked instruction. Aligned so that no two
/// shards write to one cache line or to a pair that is fetched together.
///
/// - Shard: one per shard; every method but the reader's is for the shard's thread only. A second
///   writer would lose counts.
/// - Time: durations are told by the caller.
/// - Cost: 1 to 10 ns a call (benches/counters.rs); 14 KiB a shard.
#[derive(Debug)]
#[repr(align(128))]
pub struct ShardMetrics {
    shard: usize,
    pub(super) ledgers: [Ledger; 4],
    pub(super) calls: [[Calls; 2]; CALL_SIGNALS],
    pub(super) batches: [Batches; 4],
    pub(super) exports: [Exports; 4],
    pub(super) received_bytes: Counter,
    pub(super) connections_accepted: Counter,
    pub(super) sender_connections: Gauge,
    pub(super) collector_connections: Gauge,
    pub(super) memory_used: Gauge,
    pub(super) memory_limit: Gauge,
    pub(super) collectors: Box<[CollectorCounters]>,
    pub(super) degradation: [Degradation; 4],
    pub(super) spool: SpoolCounters,
    pub(super) board: Posted,
}

/// Calls of one signal over one transport.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) outcomes: [Counter; Outcome::ALL.len()],
    pub(super) errors: [Counter; REASONS],
    pub(super) duration: Durations,
    pub(super) items_accepted: Counter,
    pub(super) items_refused: Counter,
    pub(super) items_failed: Counter,
}

/// Batches sealed of one signal.
#[derive(Debug)]
pub(super) struct Batches {
    pub(super) triggers: [Counter; Trigger::ALL.len()],
    pub(super) requests: Histogram<{ REQUEST_BOUNDS.len() }>,
    pub(super) items: Histogram<{ ITEM_BOUNDS.len() }>,
    pub(super) bytes: Histogram<{ BYTE_BOUNDS.len() }>,
}

/// Exports of one signal.
#[derive(Debug)]
pub(super) struct Exports {
    pub(super) in_flight: Gauge,
    pub(super) sent_items: Counter,
    pub(super) failed_items: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) duration: Durations,
    pub(super) queue_size: Gauge,
    pub(super) queue_capacity: Gauge,
}

impl ShardMetrics {
    /// The counters of shard number `shard`, all 0, without a collector.
    #[must_use]
    pub fn new(shard: usize) -> Arc<Self> {
        Self::with_collectors(shard, &[], SystemTime::UNIX_EPOCH)
    }

    /// The same with these collectors, which are named by their index from here on. Those beyond
    /// [`COLLECTORS_MAX`] are not counted by themselves. Their breakers are closed since `now`.
    #[must_use]
    pub fn with_collectors(
        shard: usize,
        collectors: &[CollectorName],
        now: SystemTime,
    ) -> Arc<Self> {
        let board = Board {
            collectors: told_apart(collectors.iter().take(COLLECTORS_MAX))
                .map(|collector| CollectorStatus::new(collector, now))
                .collect(),
            ..Board::default()
        };
        Arc::new(Self {
            shard,
            ledgers: [const { Ledger::new() }; 4],
            calls: [const { [const { Calls::new() }; 2] }; CALL_SIGNALS],
            batches: [const { Batches::new() }; 4],
            exports: [const { Exports::new() }; 4],
            received_bytes: Counter::new(),
            connections_accepted: Counter::new(),
            sender_connections: Gauge::new(),
            collector_connections: Gauge::new(),
            memory_used: Gauge::new(),
            memory_limit: Gauge::new(),
            collectors: board
                .collectors
                .iter()
                .map(|it| CollectorCounters::new(it.name.clone()))
                .collect(),
            degradation: [const { Degradation::new() }; 4],
            spool: SpoolCounters::new(),
            board: Posted::new(board),
        })
    }

    /// The number of the shard that writes here.
    #[must_use]
    pub const fn shard(&self) -> usize {
        self.shard
    }

    /// Enters items that were counted in a request into the ledger: from now on they are waiting.
    pub fn received(&self, signal: Signal, transport: Transport, items: u64) {
        self.ledgers[signal.index()].receive(transport, items);
    }

    /// Moves items of the ledger from waiting to their final state.
    ///
    /// # Panics
    ///
    /// In debug builds, where more is settled than was received.
    pub fn settle(&self, signal: Signal, items: u64, how: Settled) {
        self.ledgers[signal.index()].settle(items, how);
    }

    /// The ledger of a signal as it stands now; for any thread.
    ///
    /// - Cost: a read of some 100 words.
    #[must_use]
    pub fn account(&self, signal: Signal) -> Account {
        Account::new(signal, &self.ledgers[signal.index()].read())
    }

    /// Counts an answered call. `signal` is `None` where the path named none; `items` is 0 where
    /// the body was not counted; `duration` runs from the call's headers to its answer.
    pub fn answered(
        &self,
        signal: Option<Signal>,
        transport: Transport,
        answer: Answer<'_>,
        items: u64,
        duration: Duration,
    ) {
        let place = signal.map_or(CALL_SIGNALS - 1, Signal::index);
        let calls = &self.calls[place][transport as usize];
        calls.outcomes[answer.outcome() as usize].add(1);
        calls.duration.observe_duration(duration);
        if let Some(reason) = answer.error() {
            calls.errors[reason].add(1);
        }
        match answer {
            Answer::Accepted => calls.items_accepted.add(items),
            Answer::Partial { rejected } => {
                calls.items_accepted.add(items.saturating_sub(rejected));
                calls.items_refused.add(rejected.min(items));
            }
            Answer::Refused(refusal) if is_downstream(refusal.reason()) => {
                calls.items_refused.add(items);
            }
            Answer::Refused(_) => calls.items_failed.add(items),
        }
    }

    /// Counts a sealed batch: its requests, items and bytes, and why it was sealed.
    pub fn batch_sealed(
        &self,
        signal: Signal,
        requests: u64,
        items: u64,
        bytes: u64,
        trigger: Trigger,
    ) {
        let batches = &self.batches[signal.index()];
        batches.triggers[trigger as usize].add(1);
        batches.requests.observe(&REQUEST_BOUNDS, requests);
        batches.items.observe(&ITEM_BOUNDS, items);
        batches.bytes.observe(&BYTE_BOUNDS, bytes);
    }

    /// Counts an export in flight.
    pub fn export_started(&self, signal: Signal) {
        self.exports[signal.index()].in_flight.add(1);
    }

    /// Counts an export that came to its end. `sent`: the collector accepted it; `duration` runs
    /// from its start to the collector's answer.
    pub fn export_finished(
        &self,
        signal: Signal,
        items: u64,
        bytes: u64,
        sent: bool,
        duration: Duration,
    ) {
        let exports = &self.exports[signal.index()];
        exports.in_flight.add(-1);
        exports.duration.observe_duration(duration);
        if sent {
            exports.sent_items.add(items);
            exports.sent_bytes.add(bytes);
        } else {
            exports.failed_items.add(items);
        }
    }

    /// Counts connections to collectors that were opened (1) or closed (-1).
    pub fn collector_connections(&self, delta: i64) {
        self.collector_connections.add(delta);
    }

    /// Counts connections of senders that were accepted (1) or closed (-1).
    pub fn sender_connections(&self, delta: i64) {
        self.sender_connections.add(delta);
        self.connections_accepted
            .add(u64::try_from(delta).unwrap_or(0));
    }

    /// Says how much of the shard's memory budget is used, in bytes.
    pub fn set_memory(&self, used: u64, limit: u64) {
        self.memory_used.set(used);
        self.memory_limit.set(limit);
    }

    /// Says how many sealed batches of a signal wait for their answer, and how many may.
    pub fn set_queue(&self, signal: Signal, size: u64, capacity: u64) {
        let exports = &self.exports[signal.index()];
        exports.queue_size.set(size);
        exports.queue_capacity.set(capacity);
    }

    /// Counts bytes of request bodies as they came over the wire.
    pub fn bytes_received(&self, bytes: u64) {
        self.received_bytes.add(bytes);
    }
}

impl Calls {
    const fn new() -> Self {
        Self {
            outcomes: [const { Counter::new() }; Outcome::ALL.len()],
            errors: [const { Counter::new() }; REASONS],
            duration: Durations::new(),
            items_accepted: Counter::new(),
            items_refused: Counter::new(),
            items_failed: Counter::new(),
        }
    }
}

impl Batches {
    const fn new() -> Self {
        Self {
            triggers: [const { Counter::new() }; Trigger::ALL.len()],
            requests: Histogram::new(),
            items: Histogram::new(),
            bytes: Histogram::new(),
        }
    }
}

impl Exports {
    const fn new() -> Self {
        Self {
            in_flight: Gauge::new(),
            sent_items: Counter::new(),
            failed_items: Counter::new(),
            sent_bytes: Counter::new(),
            duration: Durations::new(),
            queue_size: Gauge::new(),
            queue_capacity: Gauge::new(),
        }
    }
}

/// The collectors with names of their own: the second of a name is `name#2`.
fn told_apart<'a>(
    collectors: impl Iterator<Item = &'a CollectorName>,
) -> impl Iterator<Item = CollectorName> {
    let mut seen = BTreeMap::new();
    collectors.map(move |collector| {
        let count = seen.entry(&collector.name).or_insert(0);
        *count += 1;
        let name = match *count {
            1 => collector.name.clone(),
            count => format!("{}#{count}", collector.name),
        };
        CollectorName {
            name,
            role: collector.role,
        }
    })
}

/// Whether the Collector would count a refusal for this reason as refused (what is behind the
/// receiver said no) and not as failed (the receiver could not take it).
const fn is_downstream(reason: Reason) -> bool {
    match reason {
        Reason::MemoryFull
        | Reason::Draining
        | Reason::Connection
        | Reason::Timeout
        | Reason::CircuitOpen
        | Reason::Cancelled
        | Reason::Deadline
        | Reason::SpoolFull
        | Reason::SpoolFailed
        | Reason::SpoolExpired
        | Reason::SpoolDamaged
        | Reason::HeaderSetsFull
        | Reason::Collector(_) => true,
        Reason::Malformed
        | Reason::TooLarge
        | Reason::UnknownPath
        | Reason::WrongMethod
        | Reason::Unsupported
        | Reason::SlowBody => false,
    }
}
