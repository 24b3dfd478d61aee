//! What goes out: batches, exports, their items, and the collectors that take them.

use super::{Row, counter, gauge, histogram};
use crate::{
    metrics::{
        histogram::{BYTE_BOUNDS, DURATION_BOUNDS, ITEM_BOUNDS, REQUEST_BOUNDS},
        labels::Trigger,
        ledger::State,
        registry::Group,
        shard::{Exports, ShardMetrics},
        text::{Seconds, Series},
    },
    outcome::{Code, Reason},
    signal::Signal,
};

pub(super) const BATCHES: &[Row] = &[
    counter(
        "otlp_batches_total",
        "batches",
        "Batches sealed, by what sealed them.",
        &["signal", "trigger"],
        |group, out| {
            for signal in Signal::ALL {
                for trigger in Trigger::ALL {
                    let place = (signal.index(), trigger as usize);
                    let sealed = group.sum(|shard| shard.batches[place.0].triggers[place.1].get());
                    out.value(&[signal.name(), trigger.name()], sealed);
                }
            }
        },
    ),
    histogram(
        "otlp_batch_requests",
        "requests",
        "Requests in a sealed batch.",
        &["signal"],
        |group, out| {
            for signal in Signal::ALL {
                let buckets = group.buckets(|shard| &shard.batches[signal.index()].requests);
                out.histogram(&[signal.name()], &REQUEST_BOUNDS, &buckets, |requests| {
                    requests
                });
            }
        },
    ),
    histogram(
        "otlp_exporter_queue_batch_send_size",
        "items",
        "Items in a sealed batch.",
        &["exporter", "data_type"],
        |group, out| {
            for signal in Signal::ALL {
                let buckets = group.buckets(|shard| &shard.batches[signal.index()].items);
                out.histogram(&["otlp", signal.name()], &ITEM_BOUNDS, &buckets, |items| {
                    items
                });
            }
        },
    ),
    histogram(
        "otlp_exporter_queue_batch_send_size_bytes",
        "bytes",
        "Bytes in a sealed batch, before it is compressed here.",
        &["exporter", "data_type"],
        |group, out| {
            for signal in Signal::ALL {
                let buckets = group.buckets(|shard| &shard.batches[signal.index()].bytes);
                out.histogram(&["otlp", signal.name()], &BYTE_BOUNDS, &buckets, |bytes| {
                    bytes
                });
            }
        },
    ),
];

pub(super) const SENT: &[Row] = &per_signal!(
    "otlp_exporter_sent",
    "in exports that a collector accepted.",
    &["exporter"],
    |signal, group, out| items(signal, group, out, |exports| exports.sent_items.get())
);

pub(super) const SEND_FAILED: &[Row] = &per_signal!(
    "otlp_exporter_send_failed",
    "in exports that came to an end without a collector accepting them.",
    &["exporter"],
    |signal, group, out| items(signal, group, out, |exports| exports.failed_items.get())
);

pub(super) const ENQUEUE_FAILED: &[Row] = &per_signal!(
    "otlp_exporter_enqueue_failed",
    "that joined no batch because the memory budget was spent.",
    &["exporter"],
    |signal, group, out| {
        let refused = group.ledgers[signal.index()].failed(State::Refused);
        out.value(&["otlp"], refused[Reason::MemoryFull.index()]);
    }
);

pub(super) const EXPORTS: &[Row] = &[
    counter(
        "otlp_exporter_sent_bytes_total",
        "bytes",
        "Bytes of exports that a collector accepted.",
        &["exporter", "data_type"],
        |group, out| each(group, out, |exports| exports.sent_bytes.get()),
    ),
    histogram(
        "otlp_export_duration_seconds",
        "seconds",
        "Time from an export's start to its end.",
        &["signal"],
        |group, out| {
            for signal in Signal::ALL {
                let buckets = group.buckets(|shard| &shard.exports[signal.index()].duration);
                out.histogram(&[signal.name()], &DURATION_BOUNDS, &buckets, Seconds);
            }
        },
    ),
    counter(
        "otlp_export_retries_total",
        "exports",
        "Exports made again, by why the one before failed.",
        &["signal", "reason"],
        |group, out| {
            for signal in Signal::ALL {
                for reason in Reason::all() {
                    let place = (signal.index(), reason.index());
                    let retries =
                        group.sum(|shard| shard.degradation[place.0].retries[place.1].get());
                    if retries > 0 || RETRIED.contains(&reason) {
                        out.value(&[signal.name(), reason.name()], retries);
                    }
                }
            }
        },
    ),
    gauge(
        "otlp_exporter_in_flight_requests",
        "requests",
        "Exports that a collector has not answered yet.",
        &["exporter", "data_type"],
        |group, out| each(group, out, |exports| exports.in_flight.get()),
    ),
    gauge(
        "otlp_exporter_queue_size",
        "batches",
        "Sealed batches that have no answer yet.",
        &["exporter", "data_type"],
        |group, out| each(group, out, |exports| exports.queue_size.get()),
    ),
    gauge(
        "otlp_exporter_queue_capacity",
        "batches",
        "Sealed batches that may be without an answer at the most.",
        &["exporter", "data_type"],
        |group, out| each(group, out, |exports| exports.queue_capacity.get()),
    ),
    gauge(
        "otlp_exporter_connections",
        "connections",
        "Connections to collectors that are open.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.collector_connections.get())),
    ),
    gauge(
        "otlp_memory_budget_bytes",
        "bytes",
        "Memory for requests held: what is used, and the limit.",
        &["state"],
        |group, out| {
            out.value(&["used"], group.sum(|shard| shard.memory_used.get()));
            out.value(&["limit"], group.sum(|shard| shard.memory_limit.get()));
        },
    ),
];

/// Reasons for which exports are made again sooner or later.
const RETRIED: [Reason; 4] = [
    Reason::Connection,
    Reason::Timeout,
    Reason::Collector(Code::ResourceExhausted),
    Reason::Collector(Code::Unavailable),
];

fn of(shard: &ShardMetrics, signal: Signal) -> &Exports {
    &shard.exports[signal.index()]
}

fn items(signal: Signal, group: &Group<'_>, out: &mut Series<'_>, number: fn(&Exports) -> u64) {
    out.value(&["otlp"], group.sum(|shard| number(of(shard, signal))));
}

fn each(group: &Group<'_>, out: &mut Series<'_>, number: fn(&Exports) -> u64) {
    for signal in Signal::ALL {
        out.value(
            &["otlp", signal.name()],
            group.sum(|shard| number(of(shard, signal))),
        );
    }
}
