//! The ledger: every item received, in exactly one state.

use super::{Row, counter, for_each_reason, gauge};
use crate::{
    metrics::{ledger::State, registry::Group, text::Series},
    signal::Signal,
};

pub(super) const ROWS: &[Row] = &[
    counter(
        "otlp_items_total",
        "items",
        "Items that reached a state for good, and items received; reason is empty where a state needs none.",
        &["signal", "state", "reason"],
        |group, out| {
            for signal in Signal::ALL {
                items(signal, group, out);
            }
        },
    ),
    gauge(
        "otlp_items",
        "items",
        "Items received and not yet in a state for good: waiting for a collector's answer, or stored on disk.",
        &["signal", "state"],
        |group, out| {
            for signal in Signal::ALL {
                let ledger = &group.ledgers[signal.index()];
                out.value(&[signal.name(), "waiting"], ledger.waiting());
                out.value(&[signal.name(), "stored"], ledger.stored);
            }
        },
    ),
];

fn items(signal: Signal, group: &Group<'_>, out: &mut Series<'_>) {
    let ledger = &group.ledgers[signal.index()];
    out.value(&[signal.name(), "received", ""], ledger.received());
    out.value(&[signal.name(), "delivered", ""], ledger.delivered);
    out.value(&[signal.name(), "sampled", ""], ledger.sampled);
    for state in State::ALL {
        for_each_reason(ledger.failed(state), |reason, items| {
            out.value(&[signal.name(), state.name(), reason], items);
        });
    }
}
