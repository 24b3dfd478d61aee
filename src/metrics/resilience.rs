//! What a shard counts of the ways to lose nothing: retries, breakers, degradation, the spool.

use std::time::Duration;

use super::{
    board::Board,
    cell::{Counter, Gauge},
    labels::{BREAKER_STATES, ProbeResult, REASONS, Strategy},
    shard::{Durations, ShardMetrics},
};
use crate::{outcome::Reason, signal::Signal};

/// Collectors that have series of their own at the most; those beyond have none.
///
/// - Source: chosen: more than anybody sends to, and still a page that can be read.
pub const COLLECTORS_MAX: usize = 64;

/// Parts of a ratio: it is kept as a whole number of millionths.
const MILLION: f64 = 1e6;

/// One collector as one shard sees it.
#[derive(Debug)]
pub(super) struct CollectorCounters {
    pub(super) name: String,
    pub(super) breaker: Gauge,
    pub(super) transitions: [Counter; BREAKER_STATES.len()],
    pub(super) unhealthy: Gauge,
    pub(super) probes: [Counter; ProbeResult::ALL.len()],
}

/// What is done for one signal while the collectors do not take it.
#[derive(Debug)]
pub(super) struct Degradation {
    pub(super) retries: [Counter; REASONS],
    pub(super) active: [Gauge; Strategy::ALL.len()],
    pub(super) changes: [Counter; 2],
    /// Items of a million that are thinned out.
    pub(super) thinned: Gauge,
}

/// The spool.
#[derive(Debug)]
pub(super) struct SpoolCounters {
    pub(super) bytes: Gauge,
    pub(super) bytes_max: Gauge,
    pub(super) records: Gauge,
    /// When the oldest record was taken, in seconds since 1970; 0 where there is none.
    pub(super) oldest: Gauge,
    pub(super) segments: Gauge,
    pub(super) broken: Gauge,
    pub(super) sync_duration: Durations,
    pub(super) written_bytes: Counter,
    pub(super) replayed_items: Counter,
    pub(super) replayed_bytes: Counter,
    pub(super) damaged_records: Counter,
}

/// The ways to lose nothing. A collector is named by the index at which it was registered
/// ([`ShardMetrics::with_collectors`]); an index without a collector counts nothing.
impl ShardMetrics {
    /// Moves items of the ledger from waiting to stored: they are on disk, written and synced.
    ///
    /// # Panics
    ///
    /// In debug builds, where fewer are waiting.
    pub fn stored(&self, signal: Signal, items: u64) {
        self.ledgers[signal.index()].store(items);
    }

    /// Moves items of the ledger from stored back to waiting: before they are settled.
    ///
    /// # Panics
    ///
    /// In debug builds, where fewer are stored.
    pub fn unstored(&self, signal: Signal, items: u64) {
        self.ledgers[signal.index()].unstore(items);
    }

    /// Enters items into the ledger that an earlier run of the process left on disk: received, by
    /// the transport `spool`, and stored.
    pub fn recovered(&self, signal: Signal, items: u64) {
        self.ledgers[signal.index()].recover(items);
    }

    /// Counts an attempt of a batch that is made again, and why the one before failed.
    pub fn attempt_retried(&self, signal: Signal, reason: Reason) {
        self.degradation[signal.index()].retries[reason.index()].add(1);
    }

    /// Says the state of a collector's breaker: 0 closed, 1 open, 2 half-open.
    pub fn set_breaker(&self, collector: usize, state: u8) {
        if let Some(counters) = self.collectors.get(collector) {
            counters.breaker.set(u64::from(state));
        }
    }

    /// Counts a breaker that went to the state `to`.
    pub fn breaker_transition(&self, collector: usize, to: u8) {
        let counters = self.collectors.get(collector);
        if let Some(slot) = counters.and_then(|it| it.transitions.get(usize::from(to))) {
            slot.add(1);
        }
    }

    /// Says whether a collector is healthy; one of which nothing is said is taken to be.
    pub fn set_collector_health(&self, collector: usize, healthy: bool) {
        if let Some(counters) = self.collectors.get(collector) {
            counters.unhealthy.set(u64::from(!healthy));
        }
    }

    /// Counts a health probe of a collector.
    pub fn collector_probed(&self, collector: usize, result: ProbeResult) {
        if let Some(counters) = self.collectors.get(collector) {
            counters.probes[result as usize].add(1);
        }
    }

    /// Says whether a strategy is active for a signal.
    pub fn set_degradation(&self, signal: Signal, strategy: Strategy, active: bool) {
        self.degradation[signal.index()].active[strategy as usize].set(u64::from(active));
    }

    /// Counts that the degradation of a signal began (`true`) or ended.
    pub fn degradation_changed(&self, signal: Signal, active: bool) {
        self.degradation[signal.index()].changes[usize::from(active)].add(1);
    }

    /// Says which share of a signal's items is kept: 0 to 1, exact to a millionth. 1 until it is
    /// said.
    pub fn set_sampling_ratio(&self, signal: Signal, ratio: f64) {
        let thinned = (1.0 - ratio.clamp(0.0, 1.0)) * MILLION;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0 to a million; a ratio that is no number thins nothing out"
        )]
        self.degradation[signal.index()]
            .thinned
            .set(thinned.round() as u64);
    }

    /// Says what the spool may hold at the most, in bytes. 0: there is no spool.
    pub fn set_spool_max(&self, bytes: u64) {
        self.spool.bytes_max.set(bytes);
    }

    /// Says what the spool holds: bytes on disk, records, when the oldest of them was taken (in
    /// seconds since 1970; 0 where there is none) and segments; and whether its disk fails.
    pub fn set_spool(
        &self,
        bytes: u64,
        records: u64,
        oldest_unix_seconds: u64,
        segments: u64,
        broken: bool,
    ) {
        let spool = &self.spool;
        spool.bytes.set(bytes);
        spool.records.set(records);
        spool.oldest.set(oldest_unix_seconds);
        spool.segments.set(segments);
        spool.broken.set(u64::from(broken));
    }

    /// Counts a write and its sync: how long both took, and how many bytes they brought to disk.
    pub fn spool_synced(&self, duration: Duration, bytes: u64) {
        self.spool.sync_duration.observe_duration(duration);
        self.spool.written_bytes.add(bytes);
    }

    /// Counts records that were skipped because they are damaged.
    pub fn spool_damaged(&self, records: u64) {
        self.spool.damaged_records.add(records);
    }

    /// Counts what was read back from the spool to be sent.
    pub fn spool_replayed(&self, items: u64, bytes: u64) {
        self.spool.replayed_items.add(items);
        self.spool.replayed_bytes.add(bytes);
    }

    /// Changes what the shard says of itself in words.
    ///
    /// - Cost: an uncontended lock, and what `change` does; call it on a change, not per request.
    pub fn post(&self, change: impl FnOnce(&mut Board)) {
        self.board.change(change);
    }
}

impl CollectorCounters {
    pub(super) const fn new(name: String) -> Self {
        Self {
            name,
            breaker: Gauge::new(),
            transitions: [const { Counter::new() }; BREAKER_STATES.len()],
            unhealthy: Gauge::new(),
            probes: [const { Counter::new() }; ProbeResult::ALL.len()],
        }
    }
}

impl Degradation {
    pub(super) const fn new() -> Self {
        Self {
            retries: [const { Counter::new() }; REASONS],
            active: [const { Gauge::new() }; Strategy::ALL.len()],
            changes: [const { Counter::new() }; 2],
            thinned: Gauge::new(),
        }
    }
}

impl SpoolCounters {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Gauge::new(),
            bytes_max: Gauge::new(),
            records: Gauge::new(),
            oldest: Gauge::new(),
            segments: Gauge::new(),
            broken: Gauge::new(),
            sync_duration: Durations::new(),
            written_bytes: Counter::new(),
            replayed_items: Counter::new(),
            replayed_bytes: Counter::new(),
            damaged_records: Counter::new(),
        }
    }
}
