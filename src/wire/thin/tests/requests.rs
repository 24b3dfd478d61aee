//! Requests to thin: what SDKs send, and what the rules tell apart.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use proptest::prelude::*;

/// Numbers that look random and are the same in every run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn id(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// A span of a trace of its own, with this tracestate.
pub(super) fn span(numbers: &mut Numbers, state: &str) -> Span {
    Span {
        trace_id: numbers.id(16),
        span_id: numbers.id(8),
        trace_state: state.to_owned(),
        name: "GET /".to_owned(),
        attributes: vec![attribute("http.route", "/")],
        ..Span::default()
    }
}

/// A log record without a trace.
pub(super) fn record(numbers: &mut Numbers, severity_number: i32) -> LogRecord {
    LogRecord {
        time_unix_nano: numbers.next(),
        severity_number,
        attributes: vec![attribute("k", "v")],
        ..LogRecord::default()
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        key_strindex: 0,
    }
}

pub(super) fn traces_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }
}

pub(super) fn logs_of(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }
}

/// Trace ids of every kind: random, none, all zeros, too short, at both ends of the randomness.
fn trace_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => any::<[u8; 16]>().prop_map(Vec::from),
        1 => Just(Vec::new()),
        1 => Just(vec![0; 16]),
        1 => Just(vec![7; 15]),
        1 => Just(vec![0xff; 16]),
        1 => Just([vec![1], vec![0; 15]].concat()),
    ]
}

/// Tracestates of every kind.
fn trace_state() -> impl Strategy<Value = String> {
    let many = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("k{n}=v")).collect();
        all.join(",")
    };
    let fixed = prop::sample::select(vec![
        String::new(),
        "ot=th:0".to_owned(),
        "ot=th:zz,a=1".to_owned(),
        "ot=th:zz".to_owned(),
        "a=1 , b=2,,ot=p:8".to_owned(),
        "ot=th:8;th:8;rv:6e6d1a75832a2f".to_owned(),
        "ot=rv:6E6D1A75832A2F;x:1".to_owned(),
        "ot=x:1,ot=th:4".to_owned(),
        "not a tracestate".to_owned(),
        many(31),
        many(32),
        format!("{},ot=th:1", many(32)),
        format!("ot=x:{}", "a".repeat(251)),
        format!("ot=th:1;x:{}", "a".repeat(249)),
        format!("ot=th:1;x:{}", "a".repeat(300)),
        format!("a={}", "b".repeat(5000)),
    ]);
    prop_oneof![
        2 => Just(String::new()),
        2 => fixed,
        2 => "ot=th:[0-9a-f]{1,14}",
        1 => "(a=1,)?ot=(x:y;)?rv:[0-9a-f]{14}(;th:[0-9a-f]{1,5})?(,b=2)?",
        1 => "[a-z,;:= ]{0,40}",
    ]
}

fn any_span() -> impl Strategy<Value = Span> {
    (
        trace_id(),
        any::<[u8; 8]>(),
        trace_state(),
        prop::option::of(0..3),
        0..600_usize,
    )
        .prop_map(|(trace_id, span_id, trace_state, code, length)| Span {
            trace_id,
            span_id: span_id.to_vec(),
            trace_state,
            status: code.map(|code| Status {
                code,
                message: String::new(),
            }),
            attributes: vec![attribute("a", &"v".repeat(length))],
            ..Span::default()
        })
}

fn any_record() -> impl Strategy<Value = LogRecord> {
    (
        any::<u64>(),
        -2..30_i32,
        trace_id(),
        0..600_usize,
        any::<bool>(),
    )
        .prop_map(
            |(time_unix_nano, severity_number, id, length, traced)| LogRecord {
                time_unix_nano,
                severity_number,
                trace_id: if traced { id } else { Vec::new() },
                attributes: vec![attribute("a", &"v".repeat(length))],
                ..LogRecord::default()
            },
        )
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", "a service")],
        ..Resource::default()
    })
}

pub(super) fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope = prop::collection::vec(any_span(), 0..6).prop_map(|spans| ScopeSpans {
        spans,
        schema_url: "a schema".to_owned(),
        ..ScopeSpans::default()
    });
    let resource = prop::collection::vec(scope, 0..4).prop_map(|scope_spans| ResourceSpans {
        resource: resource(),
        scope_spans,
        ..ResourceSpans::default()
    });
    prop::collection::vec(resource, 0..4)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub(super) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope = prop::collection::vec(any_record(), 0..8).prop_map(|log_records| ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    });
    let resource = prop::collection::vec(scope, 0..4).prop_map(|scope_logs| ResourceLogs {
        resource: resource(),
        scope_logs,
        ..ResourceLogs::default()
    });
    prop::collection::vec(resource, 0..4)
        .prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}
