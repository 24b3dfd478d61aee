//! Laws of merging: the worst state counts, and nothing that a shard says is lost behind another.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::*;
use crate::metrics::{CollectorName, Registry, ShardMetrics, Summary};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Two shards that send to a primary and a fallback collector.
fn shards() -> [Arc<ShardMetrics>; 2] {
    let named = |name: &str, role| CollectorName {
        name: name.to_owned(),
        role,
    };
    let names = [named("a:1", Role::Primary), named("b:2", Role::Fallback)];
    [0, 1].map(|shard| ShardMetrics::with_collectors(shard, &names, at(1)))
}

fn summary(shards: &[Arc<ShardMetrics>; 2]) -> Summary {
    Registry::new(shards.to_vec()).summary(at(100))
}

fn say(shard: &ShardMetrics, breaker: u8, since: u64, healthy: Option<bool>, error: Option<&str>) {
    shard.post(|board| {
        let status = &mut board.collectors[0];
        status.breaker = breaker;
        status.since = at(since);
        status.healthy = healthy;
        status.error = error.map(str::to_owned);
    });
}

#[test]
fn a_collector_of_which_nothing_was_said_is_closed_and_its_health_unknown() {
    let [first, second] = &summary(&shards()).collectors[..] else {
        panic!("two collectors");
    };
    assert_eq!(
        (first.breaker, first.healthy, first.breaker_shards),
        ("closed", None, 2)
    );
    assert_eq!(
        (first.endpoint.as_str(), first.role),
        ("a:1", Role::Primary)
    );
    assert_eq!(
        (second.endpoint.as_str(), second.role),
        ("b:2", Role::Fallback)
    );
}

#[test]
fn open_is_worse_than_half_open_which_is_worse_than_closed() {
    let shards = shards();
    for (states, worst, count) in [
        ([0, 2], "half_open", 1),
        ([1, 2], "open", 1),
        ([1, 0], "open", 1),
        ([1, 1], "open", 2),
        ([0, 0], "closed", 2),
    ] {
        for (shard, state) in shards.iter().zip(states) {
            say(shard, state, 10, None, None);
        }
        let seen = summary(&shards).collectors[0].clone();
        assert_eq!(
            (seen.breaker, seen.breaker_shards),
            (worst, count),
            "{states:?}"
        );
    }
}

#[test]
fn a_state_is_as_old_as_the_first_shard_in_it_and_the_last_error_is_told() {
    let shards = shards();
    say(&shards[0], 1, 20, Some(false), Some("connection refused"));
    say(&shards[1], 1, 30, Some(true), Some("no answer"));
    let seen = summary(&shards).collectors[0].clone();
    assert_eq!(seen.since_unix_seconds, 20);
    assert_eq!(
        (seen.healthy, seen.error.as_deref()),
        (Some(false), Some("no answer"))
    );
    say(&shards[1], 0, 5, None, None);
    let seen = summary(&shards).collectors[0].clone();
    assert_eq!((seen.since_unix_seconds, seen.healthy), (20, Some(false)));
    assert_eq!(seen.error.as_deref(), Some("connection refused"));
    say(&shards[0], 0, 40, Some(true), None);
    let seen = summary(&shards).collectors[0].clone();
    assert_eq!((seen.healthy, seen.error), (Some(true), None));
}

#[test]
fn the_degradation_of_a_signal_has_the_strategies_of_all_shards() {
    let shards = shards();
    assert!(summary(&shards).degradation.is_empty());
    let degrade = |shard: usize, strategy, since, why: &str| {
        shards[shard].post(|board| {
            board.degradation[Signal::Logs.index()] = Some(Degraded {
                strategies: vec![strategy],
                since: at(since),
                why: why.to_owned(),
            });
        });
    };
    degrade(0, Strategy::UseCache, 8, "half of the calls fail");
    degrade(1, Strategy::UseFallback, 9, "every breaker is open");
    shards[1].set_sampling_ratio(Signal::Logs, 0.25);
    let expected = Degradation {
        signal: "logs",
        strategies: vec![Strategy::UseFallback, Strategy::UseCache],
        shards: 2,
        since_unix_seconds: 8,
        why: "every breaker is open".to_owned(),
        kept_millionths: 250_000,
    };
    assert_eq!(summary(&shards).degradation, [expected]);
}

#[test]
fn the_spool_is_as_well_as_its_worst_part_and_its_figures_are_summed() {
    let shards = shards();
    assert_eq!(summary(&shards).spool, None);
    for (index, (state, error)) in [
        (SpoolState::Recovering, None),
        (SpoolState::Broken, Some("no space left on device")),
    ]
    .into_iter()
    .enumerate()
    {
        shards[index].set_spool_max(1000);
        shards[index].set_spool(100, 3, 0, 2, state == SpoolState::Broken);
        shards[index].post(|board| {
            board.spool = Some(SpoolStatus {
                directory: "/var/spool/otlp".to_owned(),
                state,
                since: at(7),
                error: error.map(str::to_owned),
            });
        });
    }
    let spool = summary(&shards).spool.unwrap();
    assert_eq!((spool.state, spool.state_shards), (SpoolState::Broken, 1));
    assert_eq!(spool.error.as_deref(), Some("no space left on device"));
    assert_eq!(
        (spool.bytes, spool.bytes_max, spool.records, spool.segments),
        (200, 2000, 6, 4)
    );
    assert_eq!((spool.oldest_age_seconds, spool.since_unix_seconds), (0, 7));
}
