//! Export requests to send, and their compressed forms.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use loadtest::telemetry::Signal;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// Three spans.
pub fn traces() -> ExportTraceServiceRequest {
    let spans = vec![Span::default(); 3];
    let scope_spans = vec![ScopeSpans {
        spans,
        ..Default::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..Default::default()
    }];
    ExportTraceServiceRequest { resource_spans }
}

/// Three data points.
fn metrics() -> ExportMetricsServiceRequest {
    let data_points = vec![NumberDataPoint::default(); 3];
    let data = Some(Data::Gauge(Gauge { data_points }));
    let metrics = vec![Metric {
        data,
        ..Default::default()
    }];
    let scope_metrics = vec![ScopeMetrics {
        metrics,
        ..Default::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        scope_metrics,
        ..Default::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// Three log records.
fn logs() -> ExportLogsServiceRequest {
    let log_records = vec![LogRecord::default(); 3];
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..Default::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..Default::default()
    }];
    ExportLogsServiceRequest { resource_logs }
}

/// Three items of that signal in protobuf.
pub fn protobuf(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => traces().encode_to_vec(),
        Signal::Metrics => metrics().encode_to_vec(),
        Signal::Logs => logs().encode_to_vec(),
    }
}

/// The same in JSON.
pub fn json(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => serde_json::to_vec(&traces()),
        Signal::Metrics => serde_json::to_vec(&metrics()),
        Signal::Logs => serde_json::to_vec(&logs()),
    }
    .unwrap()
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 1).unwrap()
}
