//! The ways to lose nothing: retries, degradation, the spool.

use super::{Row, counter, gauge, histogram};
use crate::{
    metrics::{
        histogram::DURATION_BOUNDS,
        labels::Strategy,
        registry::Group,
        shard::ShardMetrics,
        text::{Millionths, Seconds},
    },
    signal::Signal,
};

pub(super) const DEGRADATION: &[Row] = &[
    gauge(
        "otlp_degradation_active",
        "state",
        "Whether a strategy of graceful degradation is active for a signal, on one shard at least.",
        &["signal", "strategy"],
        |group, out| {
            for signal in Signal::ALL {
                for strategy in Strategy::ALL {
                    let place = (signal.index(), strategy as usize);
                    let active =
                        group.max(|shard| shard.degradation[place.0].active[place.1].get());
                    out.value(&[signal.name(), strategy.name()], active);
                }
            }
        },
    ),
    counter(
        "otlp_degradation_changes_total",
        "changes",
        "Changes of a signal to degraded (on) and back (off).",
        &["signal", "to"],
        |group, out| {
            for signal in Signal::ALL {
                for (slot, to) in ["off", "on"].into_iter().enumerate() {
                    let place = signal.index();
                    let changes = group.sum(|shard| shard.degradation[place].changes[slot].get());
                    out.value(&[signal.name(), to], changes);
                }
            }
        },
    ),
    gauge(
        "otlp_sampling_ratio",
        "ratio",
        "Share of a signal's items that is kept while quality is reduced; of several shards, the \
         least. 1: nothing is thinned out.",
        &["signal"],
        |group, out| {
            for signal in Signal::ALL {
                let place = signal.index();
                let thinned = group.max(|shard| shard.degradation[place].thinned.get());
                out.value(&[signal.name()], Millionths(1_000_000 - thinned));
            }
        },
    ),
];

pub(super) const SPOOL: &[Row] = &[
    gauge(
        "otlp_spool_bytes",
        "bytes",
        "Bytes that the spool takes on disk.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.bytes.get())),
    ),
    gauge(
        "otlp_spool_bytes_max",
        "bytes",
        "Bytes that the spool may take on disk at the most; 0 without a spool.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.bytes_max.get())),
    ),
    gauge(
        "otlp_spool_records",
        "records",
        "Requests in the spool that no collector has taken yet.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.records.get())),
    ),
    gauge(
        "otlp_spool_segments",
        "files",
        "Files that the spool consists of.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.segments.get())),
    ),
    gauge(
        "otlp_spool_oldest_age_seconds",
        "seconds",
        "Age of the oldest request in the spool; 0 where it is empty.",
        &[],
        |group, out| out.value(&[], oldest_age(group)),
    ),
    gauge(
        "otlp_spool_broken",
        "state",
        "Whether the disk of the spool does not take data, on one shard at least.",
        &[],
        |group, out| out.value(&[], group.max(|shard| shard.spool.broken.get())),
    ),
    histogram(
        "otlp_spool_sync_duration_seconds",
        "seconds",
        "Time of a write to the spool and its sync.",
        &[],
        |group, out| {
            let buckets = group.buckets(|shard| &shard.spool.sync_duration);
            out.histogram(&[], &DURATION_BOUNDS, &buckets, Seconds);
        },
    ),
    counter(
        "otlp_spool_written_bytes_total",
        "bytes",
        "Bytes written to the spool and synced.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.written_bytes.get())),
    ),
    counter(
        "otlp_spool_replayed_items_total",
        "items",
        "Items read back from the spool to be sent; those that were not delivered then count again.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.replayed_items.get())),
    ),
    counter(
        "otlp_spool_replayed_bytes_total",
        "bytes",
        "Bytes read back from the spool to be sent; those that were not delivered then count again.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.replayed_bytes.get())),
    ),
    counter(
        "otlp_spool_damaged_records_total",
        "records",
        "Requests in the spool that can no longer be read.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.spool.damaged_records.get())),
    ),
];

/// Seconds since the oldest record of these shards was taken.
pub(in crate::metrics) fn oldest_age(group: &Group<'_>) -> u64 {
    let taken = |shard: &ShardMetrics| shard.spool.oldest.get();
    let oldest = group.shards().map(taken).filter(|&at| at > 0).min();
    oldest.map_or(0, |at| group.unix_seconds.saturating_sub(at))
}
