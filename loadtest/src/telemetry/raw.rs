//! Requests as raw bytes: only as much of the schema as leads to the items.
//!
//! A field that holds a message is declared as bytes, which has the same wire type; reading from
//! `Bytes` then copies nothing and looks into no item.

use bytes::Bytes;
use prost::{DecodeError, Message};

use super::place::{Layer, Place};
use super::signal::Signal;

/// What a message is that counts as an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Span,
    Log,
    Number,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl Kind {
    /// The key, on the wire, of the field that holds the item's attributes.
    pub fn attributes_key(self) -> u8 {
        let tag = match self {
            Self::Span | Self::Histogram => 9,
            Self::Log => 6,
            Self::Number | Self::Summary => 7,
            Self::ExponentialHistogram => 1,
        };
        (tag << 3) | 2
    }
}

/// `ExportTraceServiceRequest` and its like.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    resources: Vec<Bytes>,
}

/// `ResourceSpans` and its like.
#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(bytes = "bytes", tag = "1")]
    resource: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    scopes: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "3")]
    schema_url: Bytes,
}

/// `ScopeSpans` and its like.
#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(bytes = "bytes", tag = "1")]
    scope: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    items: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "3")]
    schema_url: Bytes,
}

/// `Metric`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub description: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub unit: Bytes,
    #[prost(bytes = "bytes", optional, tag = "5")]
    gauge: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    sum: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "9")]
    histogram: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "10")]
    exponential_histogram: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "11")]
    summary: Option<Bytes>,
}

/// `Gauge`, `Sum` and their like.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Points {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    points: Vec<Bytes>,
    #[prost(int32, tag = "2")]
    pub temporality: i32,
    #[prost(bool, tag = "3")]
    pub monotonic: bool,
}

/// Takes one item: where it is, what it is, its encoding.
pub(super) type Visit<'a> = dyn FnMut(&Place<'_>, Kind, &Bytes) -> Result<(), DecodeError> + 'a;

/// Visits every item of a request, in the order of the bytes.
pub(super) fn visit(
    signal: Signal,
    body: &Bytes,
    visit: &mut Visit<'_>,
) -> Result<(), DecodeError> {
    for resource in Request::decode(body.clone())?.resources {
        let resource = Resource::decode(resource)?;
        let place = Place::new(
            None,
            Layer::Resource(&resource.resource, &resource.schema_url),
        );
        for scope in resource.scopes {
            let scope = Scope::decode(scope)?;
            let place = Place::new(Some(&place), Layer::Scope(&scope.scope, &scope.schema_url));
            for item in scope.items {
                match signal {
                    Signal::Traces => visit(&place, Kind::Span, &item)?,
                    Signal::Logs => visit(&place, Kind::Log, &item)?,
                    Signal::Metrics => visit_metric(&place, item, visit)?,
                }
            }
        }
    }
    Ok(())
}

fn visit_metric(
    place: &Place<'_>,
    metric: Bytes,
    visit: &mut Visit<'_>,
) -> Result<(), DecodeError> {
    let mut metric = Metric::decode(metric)?;
    let data = [
        (Kind::Number, 5, metric.gauge.take()),
        (Kind::Number, 7, metric.sum.take()),
        (Kind::Histogram, 9, metric.histogram.take()),
        (
            Kind::ExponentialHistogram,
            10,
            metric.exponential_histogram.take(),
        ),
        (Kind::Summary, 11, metric.summary.take()),
    ];
    for (kind, tag, data) in data {
        let Some(data) = data else { continue };
        let mut data = Points::decode(data)?;
        let points = std::mem::take(&mut data.points);
        let place = Place::new(Some(place), Layer::Metric(&metric, tag, &data));
        for point in points {
            visit(&place, kind, &point)?;
        }
    }
    Ok(())
}
