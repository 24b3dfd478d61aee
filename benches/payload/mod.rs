//! Realistic requests, the same in every run.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event},
};
use prost::Message;

/// Items of one request, as SDKs batch them.
pub(crate) const ITEMS: u64 = 100;
/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn id(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .flat_map(|_| self.next().to_le_bytes().into_iter().take(1))
            .collect()
    }

    fn time(&mut self) -> u64 {
        1_760_000_000_000_000_000 + self.below(1 << 40)
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(0)))
}

fn resource() -> Resource {
    Resource {
        attributes: vec![
            text("service.name", "checkout"),
            text("service.instance.id", "checkout-7d4b9c6f5-x2x9q"),
            text("telemetry.sdk.language", "rust"),
            number("process.pid", 41_218),
        ],
        ..Resource::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "http.server".to_owned(),
        version: "1.4.0".to_owned(),
        ..InstrumentationScope::default()
    }
}

fn attributes(n: &mut Numbers) -> Vec<KeyValue> {
    const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
    let method = METHODS
        .get(usize::from(n.next().to_le_bytes()[0] % 4))
        .copied()
        .unwrap_or("GET");
    vec![
        text("http.request.method", method),
        text("url.path", format!("/api/v1/items/{}", n.below(100_000))),
        number("http.response.status_code", 200 + n.below(300)),
        text("server.address", format!("node-{}.internal", n.below(50))),
        number("server.port", 8_000 + n.below(1_000)),
        text("network.protocol", "1.1"),
        text(
            "user_agent.original",
            format!("Mozilla/5.0 (X11; Linux x86_64) rv:{}", n.below(1 << 30)),
        ),
        attribute("cache.hit", Value::BoolValue(n.below(2) == 1)),
        attribute(
            "queue.ms",
            Value::DoubleValue(f64::from(n.next().to_le_bytes()[0]) / 7.0),
        ),
        number("thread.id", n.below(64)),
    ]
}

/// A request of spans.
pub(crate) fn traces(n: &mut Numbers) -> Vec<u8> {
    let spans = (0..ITEMS).map(|index| Span {
        trace_id: n.id(16),
        span_id: n.id(8),
        parent_span_id: if index % 10 == 0 { Vec::new() } else { n.id(8) },
        flags: 257,
        name: format!("GET /api/v1/items/{}", n.below(100)),
        kind: 2,
        start_time_unix_nano: n.time(),
        end_time_unix_nano: n.time(),
        attributes: attributes(n),
        events: (0..u64::from(index % 4 == 0))
            .map(|_| Event {
                time_unix_nano: n.time(),
                name: "exception".to_owned(),
                attributes: vec![text("exception.type", "io::Error"), number("attempt", 3)],
                dropped_attributes_count: 0,
            })
            .collect(),
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans {
        scope: Some(scope()),
        spans: spans.collect(),
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        resource: Some(resource()),
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// A request of log records.
pub(crate) fn logs(n: &mut Numbers) -> Vec<u8> {
    let records = (0..ITEMS).map(|_| LogRecord {
        time_unix_nano: n.time(),
        observed_time_unix_nano: n.time(),
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!(
                "order {} accepted after {} ms by worker {}",
                n.next(),
                n.below(900),
                n.below(32)
            ))),
        }),
        attributes: attributes(n).into_iter().step_by(2).collect(),
        trace_id: n.id(16),
        span_id: n.id(8),
        ..LogRecord::default()
    });
    let scope_logs = vec![ScopeLogs {
        scope: Some(scope()),
        log_records: records.collect(),
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        resource: Some(resource()),
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn point(n: &mut Numbers) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(n).into_iter().step_by(3).collect(),
        start_time_unix_nano: n.time(),
        time_unix_nano: n.time(),
        value: Some(number_data_point::Value::AsInt(77)),
        ..NumberDataPoint::default()
    }
}

/// A request of data points.
pub(crate) fn metrics(n: &mut Numbers) -> Vec<u8> {
    let metrics = (0..ITEMS / 5).map(|index| Metric {
        name: format!("http.server.duration.{index}"),
        description: "Duration of HTTP server requests".to_owned(),
        unit: "ms".to_owned(),
        data: Some(match index % 3 {
            0 => metric::Data::Gauge(Gauge {
                data_points: (0..5).map(|_| point(n)).collect(),
            }),
            1 => metric::Data::Sum(Sum {
                data_points: (0..5).map(|_| point(n)).collect(),
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            _ => metric::Data::Histogram(Histogram {
                data_points: (0..5)
                    .map(|_| HistogramDataPoint {
                        attributes: attributes(n).into_iter().step_by(3).collect(),
                        start_time_unix_nano: n.time(),
                        time_unix_nano: n.time(),
                        count: 64,
                        sum: Some(512.5),
                        bucket_counts: (0..16).map(|_| n.below(9)).collect(),
                        explicit_bounds: (0..15).map(f64::from).collect(),
                        ..HistogramDataPoint::default()
                    })
                    .collect(),
                aggregation_temporality: 2,
            }),
        }),
        ..Metric::default()
    });
    let scope_metrics = vec![ScopeMetrics {
        scope: Some(scope()),
        metrics: metrics.collect(),
        ..ScopeMetrics::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        resource: Some(resource()),
        scope_metrics,
        ..ResourceMetrics::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}
