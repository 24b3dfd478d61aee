//! The collectors one by one: circuit breakers and health.

use super::{Row, counter, gauge};
use crate::metrics::{
    labels::{BREAKER_STATES, ProbeResult},
    registry::Group,
    resilience::CollectorCounters,
    text::Series,
};

pub(super) const ROWS: &[Row] = &[
    gauge(
        "otlp_circuit_breaker_state",
        "state",
        "State of a collector's circuit breaker: 0 closed, 1 open, 2 half-open. Of several shards: \
         1 where one is open, else 2 where one is half-open.",
        &["collector"],
        |group, out| {
            for (index, name) in group.collectors() {
                let states = group.of_collector(index).map(|it| it.breaker.get());
                let worst = states.max_by_key(|&state| severity(state));
                out.value(&[name], worst.unwrap_or(0));
            }
        },
    ),
    counter(
        "otlp_circuit_breaker_transitions_total",
        "transitions",
        "Transitions of a collector's circuit breaker, by the state that it went to.",
        &["collector", "to"],
        |group, out| {
            each(group, out, &BREAKER_STATES, |it, to| {
                it.transitions[to].get()
            });
        },
    ),
    gauge(
        "otlp_collector_healthy",
        "state",
        "Whether a collector is healthy: 0 where its health probes fail on a shard, else 1.",
        &["collector"],
        |group, out| {
            for (index, name) in group.collectors() {
                let healthy = group.of_collector(index).all(|it| it.unhealthy.get() == 0);
                out.value(&[name], u8::from(healthy));
            }
        },
    ),
    counter(
        "otlp_collector_probes_total",
        "probes",
        "Health probes of a collector. healthy: it says that it is well; alive: it answers, but \
         does not speak health; unhealthy: no answer, or it says that it is not well.",
        &["collector", "result"],
        |group, out| {
            let results = ProbeResult::ALL.map(ProbeResult::name);
            each(group, out, &results, |it, result| it.probes[result].get());
        },
    ),
];

/// A series for each collector and each value of a second label.
fn each(
    group: &Group<'_>,
    out: &mut Series<'_>,
    values: &[&str],
    number: impl Fn(&CollectorCounters, usize) -> u64,
) {
    for (index, name) in group.collectors() {
        for (slot, value) in values.iter().enumerate() {
            let numbers = group.of_collector(index).map(|it| number(it, slot));
            out.value(&[name, value], numbers.sum::<u64>());
        }
    }
}

/// How bad a breaker's state is: open is worse than half-open, which is worse than closed.
pub(in crate::metrics) fn severity(state: u64) -> u8 {
    match state {
        1 => 2,
        2 => 1,
        _ => 0,
    }
}
