//! Export requests whose every item has an id of its own, and the witness that reads ids back.
//!
//! Encoding and decoding are prost's and opentelemetry-proto's: none of the forwarder's wire code.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        profiles::v1development::ExportProfilesServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point,
    },
    profiles::v1development::{
        Profile, ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use otlp::signal::Signal;
use prost::Message;

/// One Export request and the ids of its items.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) signal: Signal,
    pub(crate) ids: Vec<u64>,
    pub(crate) body: Bytes,
}

/// A request of `items` items with ids that no other request of this process has.
pub(crate) fn payload(signal: Signal, items: u64) -> Payload {
    payload_of_bytes(signal, items, 0)
}

/// The same with a resource attribute of `padding` bytes.
pub(crate) fn payload_of_bytes(signal: Signal, items: u64, padding: usize) -> Payload {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let first = NEXT.fetch_add(items, Ordering::Relaxed);
    let ids: Vec<u64> = (first..first + items).collect();
    let resource = Some(Resource {
        attributes: vec![
            text("service.name", "it".to_owned()),
            text("padding", "x".repeat(padding)),
        ],
        ..Resource::default()
    });
    let body = match signal {
        Signal::Traces => spans(resource, &ids),
        Signal::Metrics => points(resource, &ids),
        Signal::Logs => records(resource, &ids),
        Signal::Profiles => samples(resource, &ids),
    };
    Payload {
        signal,
        ids,
        body: body.into(),
    }
}

fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::StringValue(value)),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

fn spans(resource: Option<Resource>, ids: &[u64]) -> Vec<u8> {
    let spans = ids
        .iter()
        .map(|id| Span {
            trace_id: u128::from(*id).to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            name: "work".to_owned(),
            start_time_unix_nano: 1_700_000_000_000_000_000,
            end_time_unix_nano: 1_700_000_000_001_000_000,
            attributes: vec![text("http.request.method", "GET".to_owned())],
            ..Span::default()
        })
        .collect();
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        resource,
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn points(resource: Option<Resource>, ids: &[u64]) -> Vec<u8> {
    let data_points = ids
        .iter()
        .map(|id| NumberDataPoint {
            attributes: vec![text("id", id.to_string())],
            time_unix_nano: 1_700_000_000_000_000_000,
            value: Some(number_data_point::Value::AsInt(1)),
            ..NumberDataPoint::default()
        })
        .collect();
    let data = Some(Data::Gauge(Gauge { data_points }));
    let metrics = vec![Metric {
        name: "load".to_owned(),
        data,
        ..Metric::default()
    }];
    let scope_metrics = vec![ScopeMetrics {
        metrics,
        ..ScopeMetrics::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        resource,
        scope_metrics,
        ..ResourceMetrics::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn records(resource: Option<Resource>, ids: &[u64]) -> Vec<u8> {
    let log_records = ids
        .iter()
        .map(|id| LogRecord {
            time_unix_nano: 1_700_000_000_000_000_000,
            body: Some(AnyValue {
                value: Some(Value::StringValue(id.to_string())),
            }),
            ..LogRecord::default()
        })
        .collect();
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        resource,
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// A sample's id is its timestamp.
fn samples(resource: Option<Resource>, ids: &[u64]) -> Vec<u8> {
    let samples = ids
        .iter()
        .map(|id| Sample {
            timestamps_unix_nano: vec![*id],
            ..Sample::default()
        })
        .collect();
    let profile_id = u128::from(ids.first().copied().unwrap_or(1))
        .to_be_bytes()
        .to_vec();
    let profiles = vec![Profile {
        profile_id,
        samples,
        ..Profile::default()
    }];
    let scope_profiles = vec![ScopeProfiles {
        profiles,
        ..ScopeProfiles::default()
    }];
    let resource_profiles = vec![ResourceProfiles {
        resource,
        scope_profiles,
        ..ResourceProfiles::default()
    }];
    let string_table = vec![String::new(), "shared".to_owned()];
    let dictionary = Some(ProfilesDictionary {
        string_table,
        ..ProfilesDictionary::default()
    });
    ExportProfilesServiceRequest {
        resource_profiles,
        dictionary,
    }
    .encode_to_vec()
}

/// The ids of a request's items, in their order.
pub(crate) fn ids_in(signal: Signal, body: &[u8]) -> Vec<u64> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(body)
            .unwrap()
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .map(|span| u64::from_be_bytes(span.span_id.try_into().unwrap()))
            .collect(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body)
            .unwrap()
            .resource_metrics
            .into_iter()
            .flat_map(|resource| resource.scope_metrics)
            .flat_map(|scope| scope.metrics)
            .flat_map(|metric| match metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points,
                _ => Vec::new(),
            })
            .map(|point| number(point.attributes.first().and_then(|kv| kv.value.clone())))
            .collect(),
        Signal::Logs => ExportLogsServiceRequest::decode(body)
            .unwrap()
            .resource_logs
            .into_iter()
            .flat_map(|resource| resource.scope_logs)
            .flat_map(|scope| scope.log_records)
            .map(|record| number(record.body))
            .collect(),
        Signal::Profiles => ExportProfilesServiceRequest::decode(body)
            .unwrap()
            .resource_profiles
            .into_iter()
            .flat_map(|resource| resource.scope_profiles)
            .flat_map(|scope| scope.profiles)
            .flat_map(|profile| profile.samples)
            .flat_map(|sample| sample.timestamps_unix_nano)
            .collect(),
    }
}

fn number(value: Option<AnyValue>) -> u64 {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text.parse().unwrap(),
        other => panic!("an id is a text of digits, not {other:?}"),
    }
}

/// How often each id was seen.
pub(crate) fn count_ids(ids: impl IntoIterator<Item = u64>) -> BTreeMap<u64, usize> {
    ids.into_iter().fold(BTreeMap::new(), |mut counts, id| {
        *counts.entry(id).or_default() += 1;
        counts
    })
}
