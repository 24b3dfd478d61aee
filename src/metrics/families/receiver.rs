//! What comes in: calls, their items, and the connections that carry them.

use std::array;

use super::{Row, counter, for_each_reason, gauge, histogram};
use crate::{
    metrics::{
        cell::Counter,
        histogram::DURATION_BOUNDS,
        labels::{Outcome, Transport, origin_names},
        registry::Group,
        shard::{CALL_SIGNALS, Calls, ShardMetrics},
        text::{Seconds, Series},
    },
    signal::Signal,
};

pub(super) const CALLS: &[Row] = &[
    counter(
        "otlp_requests_total",
        "calls",
        "Calls answered. accepted: all of it; partial: all but some items, or with a warning; \
         refused: try again; rejected: never.",
        &["signal", "transport", "outcome"],
        |group, out| {
            for slot in slots() {
                for outcome in Outcome::ALL {
                    let calls = group.sum(|shard| slot.of(shard).outcomes[outcome as usize].get());
                    out.value(
                        &[slot.signal_name(), slot.transport.name(), outcome.name()],
                        calls,
                    );
                }
            }
        },
    ),
    counter(
        "otlp_errors_total",
        "calls",
        "Calls that were not accepted in full, by reason.",
        &["signal", "transport", "reason"],
        |group, out| {
            for slot in slots() {
                let calls =
                    array::from_fn(|reason| group.sum(|shard| slot.of(shard).errors[reason].get()));
                for_each_reason(&calls, |reason, calls| {
                    out.value(&[slot.signal_name(), slot.transport.name(), reason], calls);
                });
            }
        },
    ),
    histogram(
        "otlp_request_duration_seconds",
        "seconds",
        "Time from a call's headers to its answer.",
        &["signal", "transport"],
        |group, out| {
            for slot in slots() {
                let buckets = group.buckets(|shard| &slot.of(shard).duration);
                let labels = [slot.signal_name(), slot.transport.name()];
                out.histogram(&labels, &DURATION_BOUNDS, &buckets, Seconds);
            }
        },
    ),
];

pub(super) const ACCEPTED: &[Row] = &per_signal!(
    "otlp_receiver_accepted",
    "whose call was accepted.",
    &["receiver", "transport"],
    |signal, group, out| items(signal, group, out, |calls| &calls.items_accepted)
);

pub(super) const REFUSED: &[Row] = &per_signal!(
    "otlp_receiver_refused",
    "whose call was not accepted because of what is behind the receiver: a collector, or no room.",
    &["receiver", "transport"],
    |signal, group, out| items(signal, group, out, |calls| &calls.items_refused)
);

pub(super) const FAILED: &[Row] = &per_signal!(
    "otlp_receiver_failed",
    "whose call the receiver itself could not take; 0 where it could not count them.",
    &["receiver", "transport"],
    |signal, group, out| items(signal, group, out, |calls| &calls.items_failed)
);

pub(super) const SENDERS: &[Row] = &[
    counter(
        "otlp_receiver_received_items_total",
        "items",
        "Items received, by transport; spool: an earlier run left them on disk. The sum over \
         transports is the ledger's received.",
        &["signal", "transport"],
        |group, out| {
            for signal in Signal::ALL {
                let received = group.ledgers[signal.index()].received_by;
                for (origin, items) in origin_names().zip(received) {
                    out.value(&[signal.name(), origin], items);
                }
            }
        },
    ),
    counter(
        "otlp_receiver_received_bytes_total",
        "bytes",
        "Bytes of request bodies, as they came over the wire.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.received_bytes.get())),
    ),
    counter(
        "otlp_receiver_connections_accepted_total",
        "connections",
        "Connections of senders accepted.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.connections_accepted.get())),
    ),
    gauge(
        "otlp_receiver_connections",
        "connections",
        "Connections of senders that are open.",
        &[],
        |group, out| out.value(&[], group.sum(|shard| shard.sender_connections.get())),
    ),
];

/// Where the calls of one signal over one transport are counted.
#[derive(Clone, Copy)]
struct Slot {
    signal: usize,
    transport: Transport,
}

impl Slot {
    fn of(self, shard: &ShardMetrics) -> &Calls {
        &shard.calls[self.signal][self.transport as usize]
    }

    /// The signal's name; a call whose path names no signal is one of `unknown`.
    fn signal_name(self) -> &'static str {
        Signal::ALL
            .get(self.signal)
            .map_or("unknown", |signal| signal.name())
    }
}

fn slots() -> impl Iterator<Item = Slot> {
    (0..CALL_SIGNALS).flat_map(|signal| Transport::ALL.map(|transport| Slot { signal, transport }))
}

fn items(signal: Signal, group: &Group<'_>, out: &mut Series<'_>, counter: fn(&Calls) -> &Counter) {
    for transport in Transport::ALL {
        let slot = Slot {
            signal: signal.index(),
            transport,
        };
        out.value(
            &["otlp", transport.name()],
            group.sum(|shard| counter(slot.of(shard)).get()),
        );
    }
}
