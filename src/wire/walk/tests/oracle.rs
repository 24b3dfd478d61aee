//! What a decoder says of a request: whether it takes it, and how many items it then holds.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        profiles::v1development::ExportProfilesServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    metrics::v1::metric::Data,
};
use prost::Message;

use crate::signal::Signal;

/// The items of a request, and the request as an encoder writes it; `None` where it is malformed.
pub(super) fn decode(signal: Signal, body: &[u8]) -> Option<(u64, Vec<u8>)> {
    match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(body).ok()?;
            let resources = request.resource_spans.iter();
            let scopes = resources.flat_map(|resource| &resource.scope_spans);
            let items = scopes.map(|scope| scope.spans.len()).sum();
            Some((total(items), request.encode_to_vec()))
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(body).ok()?;
            let resources = request.resource_logs.iter();
            let scopes = resources.flat_map(|resource| &resource.scope_logs);
            let items = scopes.map(|scope| scope.log_records.len()).sum();
            Some((total(items), request.encode_to_vec()))
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(body).ok()?;
            let resources = request.resource_metrics.iter();
            let scopes = resources.flat_map(|resource| &resource.scope_metrics);
            let metrics = scopes.flat_map(|scope| &scope.metrics);
            let items = metrics
                .map(|metric| metric.data.as_ref().map_or(0, points))
                .sum();
            Some((total(items), request.encode_to_vec()))
        }
        Signal::Profiles => {
            let request = ExportProfilesServiceRequest::decode(body).ok()?;
            let resources = request.resource_profiles.iter();
            let scopes = resources.flat_map(|resource| &resource.scope_profiles);
            let profiles = scopes.flat_map(|scope| &scope.profiles);
            let items = profiles.map(|profile| profile.samples.len()).sum();
            Some((total(items), request.encode_to_vec()))
        }
    }
}

fn points(data: &Data) -> usize {
    match data {
        Data::Gauge(data) => data.data_points.len(),
        Data::Sum(data) => data.data_points.len(),
        Data::Histogram(data) => data.data_points.len(),
        Data::ExponentialHistogram(data) => data.data_points.len(),
        Data::Summary(data) => data.data_points.len(),
    }
}

fn total(items: usize) -> u64 {
    u64::try_from(items).unwrap()
}
