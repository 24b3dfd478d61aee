//! Realistic requests, made once; a copy with numbers of its own costs a copy of its bytes.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    logs::v1::{ResourceLogs, ScopeLogs},
    metrics::v1::{ResourceMetrics, ScopeMetrics},
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message;

use super::shop;
use crate::signal::Signal;

/// What stands in a template where eight bytes with an item's number are to be: these four and
/// the item's place in the request.
const MARK: [u8; 4] = [0xfa, 0xce, 0xb0, 0x0c];

/// One request, but for its items' numbers.
#[derive(Debug)]
pub(super) struct Payload {
    pub signal: Signal,
    template: Vec<u8>,
    /// Where a number is to be written, and by how much it is larger than the request's first.
    slots: Vec<(usize, u64)>,
}

impl Payload {
    /// A request of `items` items from one of several services, at this Unix time in nanoseconds.
    pub(super) fn new(signal: Signal, items: u32, variant: usize, now: u64) -> Self {
        let resource = Some(shop::resource(variant));
        let scope = Some(shop::scope());
        let template = match signal {
            Signal::Metrics => ExportMetricsServiceRequest {
                resource_metrics: vec![ResourceMetrics {
                    resource,
                    scope_metrics: vec![ScopeMetrics {
                        scope,
                        metrics: shop::metrics(items, now),
                        ..ScopeMetrics::default()
                    }],
                    ..ResourceMetrics::default()
                }],
            }
            .encode_to_vec(),
            Signal::Logs => ExportLogsServiceRequest {
                resource_logs: vec![ResourceLogs {
                    resource,
                    scope_logs: vec![ScopeLogs {
                        scope,
                        log_records: (0..items).map(|item| shop::log(item, now)).collect(),
                        ..ScopeLogs::default()
                    }],
                    ..ResourceLogs::default()
                }],
            }
            .encode_to_vec(),
            Signal::Traces | Signal::Profiles => ExportTraceServiceRequest {
                resource_spans: vec![ResourceSpans {
                    resource,
                    scope_spans: vec![ScopeSpans {
                        scope,
                        spans: (0..items).map(|item| shop::span(item, now)).collect(),
                        ..ScopeSpans::default()
                    }],
                    ..ResourceSpans::default()
                }],
            }
            .encode_to_vec(),
        };
        let slots = slots(&template);
        Self {
            signal,
            template,
            slots,
        }
    }

    /// The request whose items are numbered from `first`.
    pub(super) fn numbered(&self, first: u64) -> Bytes {
        let mut bytes = self.template.clone();
        for (at, larger) in &self.slots {
            // No span id is 0, so numbers are written one larger.
            let number = (first + larger + 1).to_be_bytes();
            bytes[*at..at + number.len()].copy_from_slice(&number);
        }
        bytes.into()
    }
}

/// The eight bytes that are to become an item's number.
pub(super) fn slot(item: u32) -> [u8; 8] {
    let [a, b, c, d] = MARK;
    let [e, f, g, h] = item.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

fn slots(template: &[u8]) -> Vec<(usize, u64)> {
    let number = |bytes: &[u8]| -> Option<u64> {
        let item = bytes.strip_prefix(&MARK)?.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(item)))
    };
    template
        .windows(8)
        .enumerate()
        .filter_map(|(at, bytes)| Some((at, number(bytes)?)))
        .collect()
}
