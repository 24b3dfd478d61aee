//! The figures of the status page: the same numbers as the metrics, summed and named.

use std::time::Duration;

use serde::Serialize;

use super::{
    histogram::{Buckets, DURATION_BOUNDS},
    labels::Outcome,
    ledger::{Reading, State},
    registry::{Facts, Group},
    shard::ShardMetrics,
    status::{self, Collector, Degradation, Spool},
};
use crate::signal::Signal;

/// What the process did and holds, at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Time since the process started, in seconds.
    pub uptime_seconds: f64,
    /// Processor time used, in seconds.
    pub cpu_seconds: f64,
    /// Memory held in RAM, in bytes.
    pub memory_rss_bytes: u64,
    /// Bytes of requests held.
    pub memory_used_bytes: u64,
    /// Bytes of requests that may be held at the most.
    pub memory_limit_bytes: u64,
    /// Log lines lost.
    pub log_lines_lost: u64,
    /// Bytes of request bodies received.
    pub received_bytes: u64,
    /// Calls answered, by outcome.
    pub calls: Calls,
    /// How long calls took.
    pub call_duration: Latency,
    /// Each signal's ledger, in the order of [`Signal::ALL`].
    pub ledger: Vec<Account>,
    /// Open connections.
    pub connections: Connections,
    /// Exports without an answer.
    pub exports_in_flight: u64,
    /// Each shard.
    pub shards: Vec<Shard>,
    /// The time of this summary, in seconds since 1970.
    pub unix_seconds: u64,
    /// Each collector.
    pub collectors: Vec<Collector>,
    /// Each signal that is degraded.
    pub degradation: Vec<Degradation>,
    /// The spool; `None` where there is none.
    pub spool: Option<Spool>,
}

/// Calls answered, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// All of it was accepted.
    pub accepted: u64,
    /// All but some items, or with a warning.
    pub partial: u64,
    /// The sender was told to try again.
    pub refused: u64,
    /// The sender was told not to try again.
    pub rejected: u64,
}

/// How long calls took: how many up to each bound.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Upper bounds, in seconds.
    pub bounds_seconds: Vec<f64>,
    /// Calls that took no longer than each bound.
    pub up_to: Vec<u64>,
    /// All calls.
    pub count: u64,
}

/// One signal's ledger: received is the sum of everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are the ledger's states")]
pub struct Account {
    pub signal: &'static str,
    pub received: u64,
    pub delivered: u64,
    pub rejected: u64,
    pub refused: u64,
    pub dropped: u64,
    pub sampled: u64,
    pub waiting: u64,
    pub stored: u64,
}

/// Open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// Of senders.
    pub senders: u64,
    /// Of senders, accepted since the start.
    pub senders_accepted: u64,
    /// To collectors.
    pub collectors: u64,
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shard {
    /// Its number.
    pub shard: usize,
    /// Items received, of all signals.
    pub received: u64,
    /// Items waiting, of all signals.
    pub waiting: u64,
    /// Items stored, of all signals.
    pub stored: u64,
    /// Open connections of senders.
    pub senders: u64,
    /// Bytes of requests held.
    pub memory_used_bytes: u64,
}

impl Summary {
    pub(super) fn new(facts: &Facts, all: &Group<'_>, shards: &[Group<'_>]) -> Self {
        let boards = all.boards();
        Self {
            uptime_seconds: seconds(facts.process.uptime),
            cpu_seconds: seconds(facts.process.cpu),
            memory_rss_bytes: facts.process.rss,
            memory_used_bytes: all.sum(|shard| shard.memory_used.get()),
            memory_limit_bytes: all.sum(|shard| shard.memory_limit.get()),
            log_lines_lost: facts.log_lines_lost,
            received_bytes: all.sum(|shard| shard.received_bytes.get()),
            calls: Calls {
                accepted: calls(all, Outcome::Accepted),
                partial: calls(all, Outcome::Partial),
                refused: calls(all, Outcome::Refused),
                rejected: calls(all, Outcome::Rejected),
            },
            call_duration: Latency::new(all),
            ledger: Signal::ALL
                .into_iter()
                .map(|signal| Account::new(signal, &all.ledgers[signal.index()]))
                .collect(),
            connections: Connections {
                senders: all.sum(|shard| shard.sender_connections.get()),
                senders_accepted: all.sum(|shard| shard.connections_accepted.get()),
                collectors: all.sum(|shard| shard.collector_connections.get()),
            },
            exports_in_flight: all.sum(|shard| sum(&shard.exports, |it| it.in_flight.get())),
            shards: shards.iter().map(Shard::new).collect(),
            unix_seconds: all.unix_seconds,
            collectors: status::collectors(&boards),
            degradation: status::degradation(all, &boards),
            spool: status::spool(all, &boards),
        }
    }
}

impl Latency {
    fn new(all: &Group<'_>) -> Self {
        let mut total = Buckets::new();
        for calls in all.shards().flat_map(|shard| shard.calls.iter().flatten()) {
            calls.duration.add_to(&mut total);
        }
        Self {
            bounds_seconds: DURATION_BOUNDS.into_iter().map(seconds).collect(),
            up_to: total.cumulative().to_vec(),
            count: total.count(),
        }
    }
}

impl Account {
    pub(super) fn new(signal: Signal, reading: &Reading) -> Self {
        Self {
            signal: signal.name(),
            received: reading.received(),
            delivered: reading.delivered,
            rejected: reading.total(State::Rejected),
            refused: reading.total(State::Refused),
            dropped: reading.total(State::Dropped),
            sampled: reading.sampled,
            waiting: reading.waiting(),
            stored: reading.stored,
        }
    }
}

impl Shard {
    fn new(group: &Group<'_>) -> Self {
        Self {
            shard: group.shard.unwrap_or(0),
            received: sum(&group.ledgers, Reading::received),
            waiting: sum(&group.ledgers, Reading::waiting),
            stored: sum(&group.ledgers, |ledger| ledger.stored),
            senders: group.sum(|shard| shard.sender_connections.get()),
            memory_used_bytes: group.sum(|shard| shard.memory_used.get()),
        }
    }
}

fn calls(all: &Group<'_>, outcome: Outcome) -> u64 {
    let of = |shard: &ShardMetrics| {
        sum(shard.calls.as_flattened(), |calls| {
            calls.outcomes[outcome as usize].get()
        })
    };
    all.sum(of)
}

fn sum<T>(of: &[T], number: impl Fn(&T) -> u64) -> u64 {
    of.iter().map(number).sum()
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}
