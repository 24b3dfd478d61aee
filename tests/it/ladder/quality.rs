//! Less of everything, rather than nothing of any: what is thinned out under pressure, and what
//! never is.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, status::StatusCode},
};
use otlp::signal::Signal;
use prost::Message;
use tempfile::TempDir;

use super::{degrading, hasty, left, spooling, until_arrived};
use crate::support::{Collector, Payload, Setup, Transport, payload};

/// Items of a request; every tenth is one that is to be kept.
const ITEMS: u64 = 50;

/// Spreads trace ids over their whole range.
fn mixed(id: u64) -> u64 {
    let id = (id ^ (id >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (id ^ (id >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

const fn is_kept(id: u64) -> bool {
    id.is_multiple_of(10)
}

/// Spans with errors among them, or log records with warnings among them.
fn telling(signal: Signal) -> Payload {
    // Its ids are this test's alone.
    let ids = payload(signal, ITEMS).ids;
    let body = match signal {
        Signal::Traces => {
            let spans = ids.iter().map(|id| Span {
                trace_id: [mixed(*id).to_be_bytes(), mixed(!*id).to_be_bytes()].concat(),
                span_id: id.to_be_bytes().to_vec(),
                name: "work ".repeat(40),
                status: is_kept(*id).then(|| Status {
                    code: StatusCode::Error.into(),
                    ..Status::default()
                }),
                ..Span::default()
            });
            let scope = ScopeSpans {
                spans: spans.collect(),
                ..ScopeSpans::default()
            };
            let resource = ResourceSpans {
                scope_spans: vec![scope],
                ..ResourceSpans::default()
            };
            ExportTraceServiceRequest {
                resource_spans: vec![resource],
            }
            .encode_to_vec()
        }
        _ => {
            let records = ids.iter().map(|id| LogRecord {
                trace_id: [mixed(*id).to_be_bytes(), mixed(!*id).to_be_bytes()].concat(),
                severity_number: match is_kept(*id) {
                    true => SeverityNumber::Warn.into(),
                    false => SeverityNumber::Info.into(),
                },
                severity_text: "text ".repeat(40),
                body: Some(AnyValue {
                    value: Some(Value::StringValue(id.to_string())),
                }),
                ..LogRecord::default()
            });
            let scope = ScopeLogs {
                log_records: records.collect(),
                ..ScopeLogs::default()
            };
            let resource = ResourceLogs {
                scope_logs: vec![scope],
                ..ResourceLogs::default()
            };
            ExportLogsServiceRequest {
                resource_logs: vec![resource],
            }
            .encode_to_vec()
        }
    };
    Payload {
        signal,
        ids,
        body: body.into(),
    }
}

#[tokio::test]
async fn under_pressure_errors_and_warnings_all_arrive_and_the_rest_is_counted() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let setup = degrading(hasty(Setup::to([&collector])), "use_cache,reduce_quality");
    let otlp = spooling(setup, folder.path())
        .set("OTLP_SPOOL_MAX_BYTES", "2MiB")
        .set("OTLP_LIMITS_REQUEST_BYTES", "256KiB")
        .start()
        .await;
    let address = collector.stop().await;
    let mut sender = otlp.sender(Transport::Grpc).await;
    let signals = [Signal::Traces, Signal::Logs, Signal::Metrics];
    let mut sent = Vec::new();
    // The disk fills beyond its half, where thinning begins, and not to its end.
    for round in 0.. {
        for signal in signals {
            let request = match signal {
                Signal::Metrics => payload(signal, ITEMS),
                _ => telling(signal),
            };
            let answer = sender.send(&request).await;
            assert!(answer.accepted(), "{signal} in round {round}: {answer:?}");
            sent.push(request);
        }
        let ledger = otlp.ledger().await;
        let sampled = [Signal::Traces, Signal::Logs].map(|it| ledger.items(it, "sampled"));
        if sampled.iter().all(|items| *items > 100.0) {
            assert!(ledger.sum("otlp_sampling_ratio", &[("signal", "traces")]) < 1.0);
            break;
        }
        assert!(round < 1000, "nothing is thinned: {sampled:?}");
    }
    let collector = Collector::start_at(address).await;
    for signal in signals {
        let of_signal = sent.iter().filter(|request| request.signal == signal);
        let ids: Vec<u64> = of_signal.flat_map(|request| request.ids.clone()).collect();
        let kept: Vec<u64> = match signal {
            Signal::Metrics => ids.clone(),
            _ => ids.iter().copied().filter(|id| is_kept(*id)).collect(),
        };
        until_arrived(&collector, signal, &kept).await;
        let ledger = otlp
            .until_ledger("nothing is left", |now| left(now, signal) == 0.0)
            .await;
        let sampled = ledger.items(signal, "sampled");
        let delivered = ledger.items(signal, "delivered");
        assert_eq!(sampled + delivered, ids.len() as f64, "{signal}");
        let arrived: BTreeSet<u64> = collector.accepted_ids(signal).into_keys().collect();
        assert_eq!(arrived.len() as f64, delivered, "{signal}");
        assert_eq!(signal == Signal::Metrics, sampled == 0.0, "{signal}");
    }
}
