//! Laws of the page: what it says adds up and is well formed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Write},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use super::{
    Answer, COLLECTORS_MAX, CollectorName, ProbeResult, Registry, Role, Settled, ShardMetrics,
    Strategy, Transport, Trigger, View,
};
use crate::{
    outcome::{Code, Reason, Refusal},
    signal::Signal,
};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const MS: Duration = Duration::from_millis(1);

/// Two shards on which everything has happened at least once.
fn busy() -> Registry {
    let collectors = ["localhost:4317", "localhost:4317", "spare:4317"].map(|name| CollectorName {
        name: name.to_owned(),
        role: Role::Primary,
    });
    let shards: Vec<_> = (0..2)
        .map(|shard| ShardMetrics::with_collectors(shard, &collectors, NOW))
        .collect();
    for (shard, items) in shards.iter().zip([100, 1000]) {
        for signal in Signal::ALL {
            record(shard, signal, items);
        }
        shard.answered(
            None,
            Transport::Http,
            Answer::Refused(&Refusal::permanent(Reason::UnknownPath, "no such path")),
            0,
            MS,
        );
        shard.sender_connections(1);
        shard.sender_connections(1);
        shard.sender_connections(-1);
        shard.collector_connections(1);
        shard.set_memory(items, 10 * items);
        shard.bytes_received(items);
        record_resilience(shard, items);
    }
    shards[0].set_breaker(0, 2);
    shards[1].set_breaker(0, 1);
    shards[1].set_collector_health(1, false);
    shards[1].set_degradation(Signal::Logs, Strategy::UseCache, true);
    shards[1].set_sampling_ratio(Signal::Logs, 0.1);
    shards[0].set_sampling_ratio(Signal::Logs, 0.5);
    Registry::new(shards)
}

fn record_resilience(shard: &ShardMetrics, items: u64) {
    for signal in Signal::ALL {
        shard.received(signal, Transport::Grpc, 6);
        shard.stored(signal, 6);
        shard.recovered(signal, 4);
        shard.unstored(signal, 3);
        shard.settle(signal, 3, Settled::Delivered);
        shard.attempt_retried(signal, Reason::Timeout);
    }
    shard.breaker_transition(0, 1);
    shard.collector_probed(2, ProbeResult::Alive);
    shard.degradation_changed(Signal::Logs, true);
    shard.set_spool_max(10 * items);
    shard.set_spool(items, 7, 1, 2, items == 100);
    shard.spool_synced(MS, 4096);
    shard.spool_replayed(3, 300);
    shard.spool_damaged(1);
    for (index, state) in [(3, 1), (0, 3)] {
        shard.breaker_transition(index, state);
    }
    shard.set_breaker(3, 1);
    shard.set_collector_health(3, false);
    shard.collector_probed(3, ProbeResult::Healthy);
}

fn record(shard: &Arc<ShardMetrics>, signal: Signal, items: u64) {
    let refusal = Refusal::retryable(Reason::Collector(Code::Unavailable), MS, "try again");
    shard.received(signal, Transport::Grpc, items);
    shard.received(signal, Transport::Http, 20);
    shard.batch_sealed(signal, 2, items + 20, 4096, Trigger::Idle);
    shard.set_queue(signal, 1, 64);
    shard.export_started(signal);
    shard.export_finished(signal, items, 4096, true, 3 * MS);
    shard.export_started(signal);
    shard.settle(signal, items - 10, Settled::Delivered);
    shard.settle(signal, 4, Settled::RejectedPartially);
    shard.settle(
        signal,
        3,
        Settled::Rejected(Reason::Collector(Code::DataLoss)),
    );
    shard.settle(signal, 2, Settled::Dropped(Reason::Timeout));
    shard.settle(signal, 1, Settled::Sampled);
    shard.settle(
        signal,
        5,
        Settled::Refused(Reason::Collector(Code::Unavailable)),
    );
    shard.answered(Some(signal), Transport::Grpc, Answer::Accepted, items, MS);
    shard.answered(
        Some(signal),
        Transport::Http,
        Answer::Partial { rejected: 4 },
        10,
        MS,
    );
    shard.answered(
        Some(signal),
        Transport::Http,
        Answer::Refused(&refusal),
        5,
        70_000 * MS,
    );
}

/// The series of a page by their names and labels.
fn series(page: &str) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value = value
            .parse()
            .unwrap_or_else(|_| panic!("not a number: {line}"));
        assert!(
            all.insert(name.to_owned(), value).is_none(),
            "said twice: {line}"
        );
    }
    all
}

/// The sum of the series whose name and labels contain all of `parts`.
fn sum(page: &str, parts: &[&str]) -> f64 {
    let has = |name: &str| parts.iter().all(|part| name.contains(part));
    series(page)
        .iter()
        .filter(|(name, _)| has(name))
        .map(|(_, value)| value)
        .sum()
}

#[test]
fn the_ledger_adds_up_on_the_page_in_sum_and_for_each_shard() {
    for per_shard in [false, true] {
        let page = busy().render(View { per_shard }, NOW);
        let shards: &[&str] = if per_shard {
            &["shard=\"0\"", "shard=\"1\""]
        } else {
            &[""]
        };
        for shard in shards {
            for signal in Signal::ALL {
                let signal = format!("signal=\"{signal}\"");
                let of = |metric, state| sum(&page, &[metric, state, &signal, shard]);
                let received = of("otlp_items_total{", "state=\"received\"");
                let settled = of("otlp_items_total{", "") - received;
                assert!(
                    received > 0.0 && settled > 0.0,
                    "{signal}: {received}, {settled}"
                );
                assert_eq!(received, settled + of("otlp_items{", ""), "{signal}");
            }
        }
    }
}

#[test]
fn the_ledger_adds_up_on_every_page_while_a_shard_writes() {
    let shard = ShardMetrics::new(0);
    let registry = Registry::new(vec![Arc::clone(&shard)]);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                record(&shard, Signal::Logs, 100);
                record_resilience(&shard, 100);
            }
        }
    });
    let mut last = 0.0;
    for _ in 0..20 {
        let page = registry.render(View::default(), NOW);
        let of = |metric, state| sum(&page, &[metric, state, "signal=\"logs\""]);
        let received = of("otlp_items_total{", "state=\"received\"");
        let rest = of("otlp_items_total{", "") - received + of("otlp_items{", "");
        assert_eq!(received, rest);
        assert!(received >= last);
        last = received;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_shard_counts_in_few_bytes() {
    assert!(
        size_of::<ShardMetrics>() <= 14 << 10,
        "{}",
        size_of::<ShardMetrics>()
    );
}

#[test]
fn what_shards_counted_is_summed_under_the_documented_names() {
    let page = busy().render(View::default(), NOW);
    let all = series(&page);
    for (name, value) in [
        (
            "otlp_items_total{signal=\"traces\",state=\"delivered\",reason=\"\"}",
            1086.0,
        ),
        (
            "otlp_items_total{signal=\"logs\",state=\"rejected\",reason=\"partial_success\"}",
            8.0,
        ),
        (
            "otlp_items_total{signal=\"logs\",state=\"rejected\",reason=\"data_loss\"}",
            6.0,
        ),
        ("otlp_items{signal=\"metrics\",state=\"waiting\"}", 30.0),
        ("otlp_items{signal=\"metrics\",state=\"stored\"}", 14.0),
        (
            "otlp_receiver_received_items_total{signal=\"metrics\",transport=\"spool\"}",
            8.0,
        ),
        (
            "otlp_requests_total{signal=\"traces\",transport=\"http\",outcome=\"refused\"}",
            2.0,
        ),
        (
            "otlp_errors_total{signal=\"unknown\",transport=\"http\",reason=\"unknown_path\"}",
            2.0,
        ),
        (
            "otlp_errors_total{signal=\"logs\",transport=\"http\",reason=\"partial_success\"}",
            2.0,
        ),
        (
            "otlp_receiver_accepted_spans_total{receiver=\"otlp\",transport=\"http\"}",
            12.0,
        ),
        (
            "otlp_receiver_refused_log_records_total{receiver=\"otlp\",transport=\"http\"}",
            18.0,
        ),
        (
            "otlp_exporter_sent_metric_points_total{exporter=\"otlp\"}",
            1100.0,
        ),
        (
            "otlp_exporter_in_flight_requests{exporter=\"otlp\",data_type=\"traces\"}",
            2.0,
        ),
        (
            "otlp_exporter_queue_capacity{exporter=\"otlp\",data_type=\"traces\"}",
            128.0,
        ),
        (
            "otlp_circuit_breaker_state{collector=\"localhost:4317\"}",
            1.0,
        ),
        ("otlp_circuit_breaker_state{collector=\"spare:4317\"}", 0.0),
        (
            "otlp_circuit_breaker_transitions_total{collector=\"localhost:4317\",to=\"open\"}",
            2.0,
        ),
        (
            "otlp_circuit_breaker_transitions_total{collector=\"localhost:4317\",to=\"half_open\"}",
            0.0,
        ),
        ("otlp_collector_healthy{collector=\"localhost:4317\"}", 1.0),
        (
            "otlp_collector_healthy{collector=\"localhost:4317#2\"}",
            0.0,
        ),
        (
            "otlp_collector_probes_total{collector=\"spare:4317\",result=\"alive\"}",
            2.0,
        ),
        (
            "otlp_export_retries_total{signal=\"logs\",reason=\"timeout\"}",
            2.0,
        ),
        (
            "otlp_degradation_active{signal=\"logs\",strategy=\"use_cache\"}",
            1.0,
        ),
        (
            "otlp_degradation_active{signal=\"traces\",strategy=\"use_cache\"}",
            0.0,
        ),
        (
            "otlp_degradation_changes_total{signal=\"logs\",to=\"on\"}",
            2.0,
        ),
        ("otlp_sampling_ratio{signal=\"logs\"}", 0.1),
        ("otlp_sampling_ratio{signal=\"traces\"}", 1.0),
        ("otlp_spool_bytes", 1100.0),
        ("otlp_spool_bytes_max", 11_000.0),
        ("otlp_spool_records", 14.0),
        ("otlp_spool_segments", 4.0),
        ("otlp_spool_broken", 1.0),
        ("otlp_spool_sync_duration_seconds_count", 2.0),
        ("otlp_spool_written_bytes_total", 8192.0),
        ("otlp_spool_replayed_items_total", 6.0),
        ("otlp_spool_replayed_bytes_total", 600.0),
        ("otlp_spool_damaged_records_total", 2.0),
        ("otlp_receiver_connections", 2.0),
        ("otlp_receiver_connections_accepted_total", 4.0),
        ("otlp_memory_budget_bytes{state=\"limit\"}", 11_000.0),
    ] {
        assert_eq!(all.get(name), Some(&value), "{name}");
    }
    let duration = "otlp_request_duration_seconds_bucket{signal=\"traces\",transport=\"http\"";
    assert_eq!(all[&format!("{duration},le=\"60\"}}")], 2.0);
    assert_eq!(all[&format!("{duration},le=\"+Inf\"}}")], 4.0);
}

#[test]
fn each_shard_shows_its_own_breakers() {
    let all = series(&busy().render(View { per_shard: true }, NOW));
    for (shard, state) in [(0, 2.0), (1, 1.0)] {
        let name =
            format!("otlp_circuit_breaker_state{{collector=\"localhost:4317\",shard=\"{shard}\"}}");
        assert_eq!(all.get(&name), Some(&state), "{name}");
    }
}

#[test]
fn the_age_of_the_oldest_is_the_age_of_the_oldest_of_all_shards() {
    let shards = vec![ShardMetrics::new(0), ShardMetrics::new(1)];
    let age = |now: u64| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let page = Registry::new(shards.clone()).render(View::default(), now);
        series(&page)["otlp_spool_oldest_age_seconds"]
    };
    assert_eq!(age(100), 0.0);
    shards[0].set_spool(1, 1, 40, 1, false);
    shards[1].set_spool(1, 1, 70, 1, false);
    assert_eq!((age(100), age(50)), (60.0, 10.0));
    assert_eq!(age(30), 0.0, "a clock that was set back tells no age");
    shards[0].set_spool(0, 0, 0, 0, false);
    assert_eq!(age(100), 30.0);
}

#[test]
fn collectors_beyond_the_bound_have_no_series() {
    let names: Vec<_> = (0..=COLLECTORS_MAX)
        .map(|port| CollectorName {
            name: format!("host:{port}"),
            role: Role::Primary,
        })
        .collect();
    let shard = ShardMetrics::with_collectors(0, &names, NOW);
    shard.set_breaker(COLLECTORS_MAX, 1);
    let page = Registry::new(vec![shard]).render(View::default(), NOW);
    let lines = page.lines();
    let shown = lines.filter(|line| line.starts_with("otlp_circuit_breaker_state{"));
    assert_eq!(shown.count(), COLLECTORS_MAX);
    assert_eq!(sum(&page, &["otlp_circuit_breaker_state{"]), 0.0);
}

#[test]
fn expected_series_exist_at_zero_before_anything_happens() {
    let all = series(&Registry::new(vec![ShardMetrics::new(0)]).render(View::default(), NOW));
    for signal in Signal::ALL {
        for name in [
            format!(
                "otlp_requests_total{{signal=\"{signal}\",transport=\"grpc\",outcome=\"refused\"}}"
            ),
            format!(
                "otlp_errors_total{{signal=\"{signal}\",transport=\"http\",reason=\"memory_full\"}}"
            ),
            format!("otlp_items_total{{signal=\"{signal}\",state=\"dropped\",reason=\"timeout\"}}"),
            format!("otlp_items{{signal=\"{signal}\",state=\"stored\"}}"),
            format!(
                "otlp_receiver_accepted_{}_total{{receiver=\"otlp\",transport=\"grpc\"}}",
                signal.item_noun()
            ),
            format!(
                "otlp_exporter_enqueue_failed_{}_total{{exporter=\"otlp\"}}",
                signal.item_noun()
            ),
        ] {
            assert_eq!(all.get(&name), Some(&0.0), "{name}");
        }
    }
}

/// The format's own rules: a head before its series, a type that fits the name, whole histograms.
#[test]
fn the_page_keeps_the_rules_of_the_text_format() {
    for per_shard in [false, true] {
        let page = busy().render(View { per_shard }, NOW);
        assert!(page.ends_with('\n') && page.is_ascii());
        let mut names = BTreeSet::new();
        let mut head = ("", "");
        for line in page.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, meaning) = help.split_once(' ').unwrap();
                assert!(names.insert(name) && meaning.ends_with('.'), "{line}");
                assert!(name.starts_with("otlp_"), "{line}");
                head = (name, "");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                head = kind.split_once(' ').unwrap();
                assert_eq!(head.1 == "counter", head.0.ends_with("_total"), "{line}");
            } else {
                let end = line.find(['{', ' ']).unwrap();
                let suffixes: &[&str] = if head.1 == "histogram" {
                    &["_bucket", "_sum", "_count"]
                } else {
                    &[""]
                };
                let fits = |suffix: &&str| line[..end] == format!("{}{suffix}", head.0);
                assert!(suffixes.iter().any(fits), "{line} under {head:?}");
            }
        }
        for (bucket, count) in series(&page)
            .iter()
            .filter(|(name, _)| name.contains("+Inf"))
        {
            let total = bucket
                .replace("_bucket", "_count")
                .replace(",le=\"+Inf\"", "")
                .replace("{le=\"+Inf\"}", "");
            assert_eq!(series(&page).get(&total), Some(count), "{total}");
        }
    }
}

/// What `promtool check` says of a text, and whether it is content; `None` without promtool.
pub(super) fn promtool(what: &[&str], text: &str) -> Option<(String, bool)> {
    let child = Command::new("promtool")
        .arg("check")
        .args(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let sentence = "promtool is not on the PATH; only the tests' own rules were checked";
            writeln!(io::stderr(), "{sentence}").unwrap();
            return None;
        }
        child => child.unwrap(),
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((String::from_utf8(said).unwrap(), output.status.success()))
}

#[test]
fn promtool_finds_nothing_to_say_of_the_page() {
    for per_shard in [false, true] {
        if let Some(verdict) = promtool(&["metrics"], &busy().render(View { per_shard }, NOW)) {
            assert_eq!(verdict, (String::new(), true));
        }
    }
}
