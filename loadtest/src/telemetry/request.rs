//! Export requests: items put under their scopes and resources.

use std::collections::{BTreeMap, btree_map};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

use super::canonical::Item;
use super::rng::Rng;
use super::shop::{SCHEMA, Shop};
use super::signal::Signal;
use super::{id, json, logs, metrics, spans};

/// Something of an instance and one of its scopes.
pub(super) struct Entry<T> {
    pub instance: usize,
    pub scope: usize,
    pub item: T,
}

/// An export request whose items are in canonical form with blank stamps.
pub(super) enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

/// Items for which a request has one more resource.
const ITEMS_PER_RESOURCE: usize = 50;

impl Request {
    /// A request of so many items.
    pub fn generate(signal: Signal, shop: &Shop, items: usize, rng: &mut Rng) -> Self {
        let at = shop.some(1 + items / ITEMS_PER_RESOURCE, rng);
        match signal {
            Signal::Traces => Self::traces(shop, spans::generate(shop, &at, items, rng)),
            Signal::Metrics => Self::metrics(shop, metrics::generate(shop, &at, items, rng)),
            Signal::Logs => Self::logs(shop, logs::generate(shop, &at, items, rng)),
        }
    }

    pub fn to_protobuf(&self) -> Vec<u8> {
        match self {
            Self::Traces(request) => request.encode_to_vec(),
            Self::Metrics(request) => request.encode_to_vec(),
            Self::Logs(request) => request.encode_to_vec(),
        }
    }

    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut value: Value = match self {
            Self::Traces(request) => serde_json::to_value(request)?,
            Self::Metrics(request) => serde_json::to_value(request)?,
            Self::Logs(request) => serde_json::to_value(request)?,
        };
        json::prune(&mut value);
        serde_json::to_vec(&value)
    }

    fn traces(shop: &Shop, spans: Vec<Entry<Span>>) -> Self {
        let resource_spans = grouped(spans).map(|(instance, scopes)| ResourceSpans {
            resource: Some(shop.instances[instance].resource.clone()),
            scope_spans: scopes
                .map(|(scope, spans)| ScopeSpans {
                    scope: Some(shop.instances[instance].scope(scope)),
                    spans: spans.into_iter().map(stamped).collect(),
                    schema_url: SCHEMA.to_owned(),
                })
                .collect(),
            schema_url: SCHEMA.to_owned(),
        });
        Self::Traces(ExportTraceServiceRequest {
            resource_spans: resource_spans.collect(),
        })
    }

    fn metrics(shop: &Shop, metrics: Vec<Entry<Metric>>) -> Self {
        let resource_metrics = grouped(metrics).map(|(instance, scopes)| ResourceMetrics {
            resource: Some(shop.instances[instance].resource.clone()),
            scope_metrics: scopes
                .map(|(scope, metrics)| ScopeMetrics {
                    scope: Some(shop.instances[instance].scope(scope)),
                    metrics: metrics.into_iter().map(stamped_points).collect(),
                    schema_url: SCHEMA.to_owned(),
                })
                .collect(),
            schema_url: SCHEMA.to_owned(),
        });
        Self::Metrics(ExportMetricsServiceRequest {
            resource_metrics: resource_metrics.collect(),
        })
    }

    fn logs(shop: &Shop, records: Vec<Entry<LogRecord>>) -> Self {
        let resource_logs = grouped(records).map(|(instance, scopes)| ResourceLogs {
            resource: Some(shop.instances[instance].resource.clone()),
            scope_logs: scopes
                .map(|(scope, records)| ScopeLogs {
                    scope: Some(shop.instances[instance].scope(scope)),
                    log_records: records.into_iter().map(stamped).collect(),
                    schema_url: SCHEMA.to_owned(),
                })
                .collect(),
            schema_url: SCHEMA.to_owned(),
        });
        Self::Logs(ExportLogsServiceRequest {
            resource_logs: resource_logs.collect(),
        })
    }
}

/// An instance and what is of it, by scope.
type OfInstance<T> = (usize, btree_map::IntoIter<usize, Vec<T>>);

/// Entries by instance and scope.
fn grouped<T>(entries: Vec<Entry<T>>) -> impl Iterator<Item = OfInstance<T>> {
    let mut groups: BTreeMap<usize, BTreeMap<usize, Vec<T>>> = BTreeMap::new();
    for Entry {
        instance,
        scope,
        item,
    } in entries
    {
        groups
            .entry(instance)
            .or_default()
            .entry(scope)
            .or_default()
            .push(item);
    }
    groups
        .into_iter()
        .map(|(instance, scopes)| (instance, scopes.into_iter()))
}

/// The item in canonical form, with a blank stamp.
fn stamped<T: Item>(mut item: T) -> T {
    item.attributes().push(id::blank());
    item.arrange();
    item
}

/// The metric with each of its points so.
fn stamped_points(mut metric: Metric) -> Metric {
    fn each<T: Item>(points: &mut Vec<T>) {
        *points = std::mem::take(points).into_iter().map(stamped).collect();
    }
    match metric.data.as_mut() {
        Some(Data::Gauge(data)) => each(&mut data.data_points),
        Some(Data::Sum(data)) => each(&mut data.data_points),
        Some(Data::Histogram(data)) => each(&mut data.data_points),
        Some(Data::ExponentialHistogram(data)) => each(&mut data.data_points),
        Some(Data::Summary(data)) => each(&mut data.data_points),
        None => {}
    }
    metric
}
