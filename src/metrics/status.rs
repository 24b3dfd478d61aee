//! What the shards say of themselves in words, merged into one account for the status.
//!
//! Of several shards the worst state is shown, since when the first of them is in it, and what the
//! last of them gave as the error.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    board::{Board, CollectorStatus, Degraded, Role, SpoolState, SpoolStatus, unix_seconds},
    families::{oldest_age, severity},
    labels::{BREAKER_STATES, Strategy},
    registry::Group,
};
use crate::signal::Signal;

/// One collector, as all shards together see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collector {
    /// What it is called: `host:port`.
    pub endpoint: String,
    /// What it is there for.
    pub role: Role,
    /// The worst state of its circuit breakers: `closed`, `half_open` or `open`.
    pub breaker: &'static str,
    /// Shards whose breaker is in that state.
    pub breaker_shards: usize,
    /// Since when the first of those is, in seconds since 1970.
    pub since_unix_seconds: u64,
    /// Whether its probes call it healthy on every shard; `None` before they have said anything.
    pub healthy: Option<bool>,
    /// The last error; `None` where it is well.
    pub error: Option<String>,
}

/// One signal that is degraded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degradation {
    /// The signal.
    pub signal: &'static str,
    /// The strategies that are active on one shard at least.
    pub strategies: Vec<Strategy>,
    /// Shards on which the signal is degraded.
    pub shards: usize,
    /// Since when the first of them is, in seconds since 1970.
    pub since_unix_seconds: u64,
    /// Why: what made the last of them so.
    pub why: String,
    /// Items of a million that are kept, on the shard that keeps the least.
    pub kept_millionths: u64,
}

/// The spool of all shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spool {
    /// Where it lies.
    pub directory: String,
    /// The worst state of a shard's part.
    pub state: SpoolState,
    /// Shards whose part is in that state.
    pub state_shards: usize,
    /// Since when the first of those is, in seconds since 1970.
    pub since_unix_seconds: u64,
    /// The last error; `None` where it works.
    pub error: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that may be on disk at the most.
    pub bytes_max: u64,
    /// Requests that no collector has taken yet.
    pub records: u64,
    /// Age of the oldest of them, in seconds; 0 where there is none.
    pub oldest_age_seconds: u64,
    /// Files.
    pub segments: u64,
    /// Items read back to be sent.
    pub replayed_items: u64,
    /// Requests that can no longer be read.
    pub damaged_records: u64,
}

/// Merges what the shards say of each collector; every shard has the same collectors.
pub(super) fn collectors(boards: &[Board]) -> Vec<Collector> {
    let known = boards.first().map_or(0, |board| board.collectors.len());
    let of = |index: usize| {
        let seen = boards.iter().filter_map(|it| it.collectors.get(index));
        collector(&seen.collect::<Vec<_>>())
    };
    (0..known).filter_map(of).collect()
}

fn collector(seen: &[&CollectorStatus]) -> Option<Collector> {
    let badness = |status: &CollectorStatus| severity(u64::from(status.breaker));
    let worst = seen.iter().max_by_key(|status| badness(status))?;
    let alike: Vec<_> = seen
        .iter()
        .filter(|status| badness(status) == badness(worst))
        .collect();
    let by_time = |status: &&&&CollectorStatus| status.since;
    let failing = seen.iter().filter(|status| status.error.is_some());
    Some(Collector {
        endpoint: worst.name.clone(),
        role: worst.role,
        breaker: BREAKER_STATES
            .get(usize::from(worst.breaker))
            .copied()
            .unwrap_or("unknown"),
        breaker_shards: alike.len(),
        since_unix_seconds: alike
            .iter()
            .min_by_key(by_time)
            .map_or(0, |status| unix_seconds(status.since)),
        // One that is called unhealthy by any shard is; one of which only some know is what they say.
        healthy: seen.iter().filter_map(|status| status.healthy).min(),
        error: failing
            .max_by_key(|status| status.since)
            .and_then(|status| status.error.clone()),
    })
}

/// Merges what the shards say of each signal that is degraded.
pub(super) fn degradation(all: &Group<'_>, boards: &[Board]) -> Vec<Degradation> {
    let of = |signal: Signal| {
        let place = signal.index();
        let degraded = boards
            .iter()
            .filter_map(|it| it.degradation[place].as_ref());
        let seen: Vec<&Degraded> = degraded.collect();
        let strategies: BTreeSet<Strategy> = seen
            .iter()
            .flat_map(|it| it.strategies.iter().copied())
            .collect();
        let thinned = all.max(|shard| shard.degradation[place].thinned.get());
        Some(Degradation {
            signal: signal.name(),
            strategies: strategies.into_iter().collect(),
            shards: seen.len(),
            since_unix_seconds: unix_seconds(seen.iter().map(|it| it.since).min()?),
            why: seen.iter().max_by_key(|it| it.since)?.why.clone(),
            kept_millionths: 1_000_000_u64.saturating_sub(thinned),
        })
    };
    Signal::ALL.into_iter().filter_map(of).collect()
}

/// Merges what the shards say of their parts of the spool with its figures.
pub(super) fn spool(all: &Group<'_>, boards: &[Board]) -> Option<Spool> {
    let parts = boards.iter().filter_map(|board| board.spool.as_ref());
    let parts: Vec<&SpoolStatus> = parts.collect();
    let state = parts.iter().map(|part| part.state).max()?;
    let alike = parts.iter().filter(|part| part.state == state);
    let failing = parts.iter().filter(|part| part.error.is_some());
    Some(Spool {
        directory: parts.first()?.directory.clone(),
        state,
        state_shards: alike.clone().count(),
        since_unix_seconds: unix_seconds(alike.map(|part| part.since).min()?),
        error: failing
            .max_by_key(|part| part.since)
            .and_then(|part| part.error.clone()),
        bytes: all.sum(|shard| shard.spool.bytes.get()),
        bytes_max: all.sum(|shard| shard.spool.bytes_max.get()),
        records: all.sum(|shard| shard.spool.records.get()),
        oldest_age_seconds: oldest_age(all),
        segments: all.sum(|shard| shard.spool.segments.get()),
        replayed_items: all.sum(|shard| shard.spool.replayed_items.get()),
        damaged_records: all.sum(|shard| shard.spool.damaged_records.get()),
    })
}

#[cfg(test)]
mod tests;
