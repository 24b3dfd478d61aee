use std::{sync::mpsc, time::Duration};

use clap::Parser;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;

use super::{
    counts::Tally,
    generator::histogram,
    options::Options,
    payload::Payload,
    report::{Report, Row, Setup},
    run::Run,
};
use crate::{config::Config, metrics::Account, signal::Signal, wire};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn options(flags: &[&str]) -> Options {
    let words = std::iter::once("demo").chain(flags.iter().copied());
    Line::try_parse_from(words).unwrap().options
}

#[test]
fn flags_that_make_no_sense_are_errors_and_defaults_do() {
    let plain = options(&[]);
    assert_eq!(plain.duration, Duration::from_secs(10));
    let traces = plain
        .turns()
        .iter()
        .filter(|it| **it == Signal::Traces)
        .count();
    assert_eq!((traces, plain.turns().len()), (8, 10));
    assert_eq!(
        options(&["--signals", "logs,metrics"]).turns(),
        [Signal::Metrics, Signal::Logs]
    );
    for bad in [
        ["--duration", "10"],
        ["--signals", "profiles"],
        ["--connections", "0"],
        ["--spans", "0"],
        ["--rate", "0"],
        ["--acknowledge", "stored"],
    ] {
        let words = std::iter::once("demo").chain(bad);
        assert!(Line::try_parse_from(words).is_err(), "{bad:?}");
    }
}

#[test]
fn every_item_of_a_payload_has_the_number_it_was_given() {
    let numbers = |ids: Vec<&Vec<u8>>| -> Vec<u64> {
        let number = |id: &Vec<u8>| u64::from_be_bytes(id.as_slice().try_into().unwrap());
        ids.into_iter().map(number).collect()
    };
    let wanted: Vec<u64> = (1_000_001..=1_000_025).collect();
    for variant in 0..4 {
        let body = |signal| Payload::new(signal, 25, variant, 1 << 60).numbered(1_000_000);
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let counted = wire::inspect(signal, crate::config::Validate::Full, &[body(signal)]);
            assert_eq!(counted.unwrap(), 25, "{signal}");
        }
        let traces = ExportTraceServiceRequest::decode(body(Signal::Traces)).unwrap();
        let spans = &traces.resource_spans[0].scope_spans[0].spans;
        assert_eq!(
            numbers(spans.iter().map(|it| &it.span_id).collect()),
            wanted
        );
        assert!(
            spans
                .iter()
                .all(|it| (8..=12).contains(&it.attributes.len()))
        );
        let parents: Vec<_> = spans.iter().map(|it| &it.parent_span_id).collect();
        assert!(parents[0].is_empty() && *parents[7] == spans[5].span_id);
        assert!(spans[6].trace_id == spans[9].trace_id && spans[4].trace_id != spans[5].trace_id);
        let logs = ExportLogsServiceRequest::decode(body(Signal::Logs)).unwrap();
        let records = &logs.resource_logs[0].scope_logs[0].log_records;
        assert_eq!(
            numbers(records.iter().map(|it| &it.span_id).collect()),
            wanted
        );
        assert!(ExportMetricsServiceRequest::decode(body(Signal::Metrics)).is_ok());
    }
}

fn report(row: Row) -> Report {
    Report {
        setup: Setup {
            shards: 2,
            cores: 2,
            connections: 16,
            in_flight_max: 64,
            items: 100,
            acknowledge: "delivered",
        },
        signals: vec![row],
        elapsed: Duration::from_secs(2),
        latency: histogram(),
        refused: 0,
        strangers: 0,
        shard_cpu: 500_000_000,
        memory_peak: 64 << 20,
    }
}

fn row() -> Row {
    Row {
        signal: Signal::Traces,
        tally: Tally {
            sent: 1_000_000,
            acknowledged: 900_000,
            arrived: 900_100,
        },
        lost: 0,
        duplicates: 100,
        account: Account {
            signal: "traces",
            received: 1_000_000,
            delivered: 900_000,
            rejected: 10_000,
            refused: 90_000,
            dropped: 0,
            sampled: 0,
            waiting: 0,
            stored: 0,
        },
    }
}

#[test]
fn a_report_without_faults_says_so_in_a_screen() {
    let report = report(row());
    assert_eq!(report.faults(), Vec::<String>::new());
    let text = report.to_string();
    assert!(text.contains("450,000 items/s acknowledged"), "{text}");
    assert!(text.contains("0.55 s for a million items"), "{text}");
    assert!(
        text.contains("nothing was lost, and the ledger adds up"),
        "{text}"
    );
    assert!(text.lines().count() <= 24, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 108),
        "{text}"
    );
}

#[test]
fn whatever_does_not_agree_is_a_fault() {
    let lost = Row { lost: 3, ..row() };
    assert!(report(lost).faults()[0].contains("3 items were acknowledged and never delivered"));
    type Change = fn(&mut Row);
    let changes: [(&str, Change); 5] = [
        ("the sum of the states", |it| it.account.received += 1),
        ("some wait", |it| {
            it.account.received += 1;
            it.account.waiting = 1;
        }),
        ("more delivered than arrived", |it| {
            it.tally.arrived = 899_999;
        }),
        ("more acknowledged than delivered", |it| {
            it.tally.acknowledged = 900_001;
        }),
        ("nothing was acknowledged", |it| it.tally.acknowledged = 0),
    ];
    for (fault, change) in changes {
        let mut row = row();
        change(&mut row);
        let faults = report(row).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(fault), "{faults:?}");
    }
    let mut report = report(row());
    report.strangers = 1;
    assert!(report.faults()[0].contains("nobody had sent"));
    assert!(report.to_string().contains("FAULT: "));
}

/// Both modes of acknowledgement, over real sockets and shards: every item that was acknowledged
/// arrives once, and the forwarder's ledger says the same.
#[test]
fn nothing_is_lost_and_the_ledger_adds_up() {
    for acknowledge in ["delivered", "queued"] {
        let options = options(&[
            "--acknowledge",
            acknowledge,
            "--workers",
            "2",
            "--connections",
            "4",
            "--spans",
            "20",
        ]);
        let (events, happened) = mpsc::channel();
        let run = Run::start_bounded(&options, Config::default(), &events, 200).unwrap();
        let report = run.finish(None, &happened).unwrap();
        assert_eq!(report.faults(), Vec::<String>::new(), "{report}");
        let of =
            |figure: fn(&Row) -> u64| -> Vec<u64> { report.signals.iter().map(figure).collect() };
        let wanted = [160 * 20, 20 * 20, 20 * 20];
        assert_eq!(of(|row| row.tally.acknowledged), wanted, "{report}");
        assert_eq!(of(|row| row.account.delivered), wanted, "{report}");
        assert_eq!(of(|row| row.lost + row.duplicates), [0; 3], "{report}");
        assert_eq!(report.latency.len(), 200);
    }
}
