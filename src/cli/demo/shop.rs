//! What a small web shop's telemetry looks like.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{
        AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric,
        NumberDataPoint, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};

use super::payload::slot;

/// The services, one a variant.
const SERVICES: [&str; 4] = ["checkout", "cart", "payment", "catalog"];

/// Different services.
pub(super) const VARIANTS: usize = SERVICES.len();

const ROUTES: [&str; 4] = ["/api/cart", "/api/orders/{id}", "/api/products", "/api/pay"];

const STATEMENTS: [&str; 4] = [
    "SELECT id, price, currency FROM products WHERE id = $1",
    "UPDATE carts SET items = $1, updated_at = now() WHERE id = $2",
    "INSERT INTO orders (id, customer, total) VALUES ($1, $2, $3)",
    "SELECT status FROM payments WHERE order_id = $1 FOR UPDATE",
];

const BODIES: [&str; 4] = [
    "request served",
    "cart updated; 3 items, total 41.97 EUR",
    "payment authorised by the acquirer in 83 ms",
    "stock is low, ordering more",
];

/// Spans of one trace: a request served and what it asked others.
const TRACE_SPANS: u32 = 5;

/// Data points of one metric.
const METRIC_POINTS: u32 = 10;

const MILLISECOND: u64 = 1_000_000;

pub(super) fn resource(variant: usize) -> Resource {
    let service = SERVICES[variant % SERVICES.len()];
    Resource {
        attributes: vec![
            text("service.name", service),
            text("service.namespace", "shop"),
            text("service.version", "2.14.3"),
            text(
                "service.instance.id",
                &format!("{service}-7d9f8b6c5-x2x{variant}q"),
            ),
            text("deployment.environment.name", "demo"),
            text("host.name", "node-17.eu-central"),
            text("telemetry.sdk.language", "rust"),
        ],
        ..Resource::default()
    }
}

pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "shop.instrumentation".to_owned(),
        version: "0.12.0".to_owned(),
        ..InstrumentationScope::default()
    }
}

/// A span of a request that was served, or of a question to the database that it asked.
pub(super) fn span(item: u32, now: u64) -> Span {
    let root = item - item % TRACE_SPANS;
    let is_root = item == root;
    let route = pick(&ROUTES, item / TRACE_SPANS);
    let statement = pick(&STATEMENTS, item);
    let is_error = item % 50 == 49;
    let (name, kind, attributes) = if is_root {
        let status = if is_error { 503 } else { 200 };
        (
            format!("GET {route}"),
            SpanKind::Server,
            http(item, route, status),
        )
    } else {
        (
            "SELECT shop.products".to_owned(),
            SpanKind::Client,
            database(item, statement),
        )
    };
    Span {
        trace_id: trace_id(root),
        span_id: slot(item).to_vec(),
        parent_span_id: if is_root {
            Vec::new()
        } else {
            slot(root).to_vec()
        },
        flags: 0x101,
        name,
        kind: kind.into(),
        start_time_unix_nano: now + u64::from(item) * MILLISECOND,
        end_time_unix_nano: now + u64::from(item * 3 % 40 + item + 1) * MILLISECOND,
        attributes,
        status: Some(Status {
            message: if is_error { "upstream timed out" } else { "" }.to_owned(),
            code: if is_error {
                StatusCode::Error
            } else {
                StatusCode::Unset
            }
            .into(),
        }),
        ..Span::default()
    }
}

fn http(item: u32, route: &str, status: i64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "GET"),
        text("http.route", route),
        text("url.scheme", "https"),
        text("url.path", &format!("{route}/{item}")),
        text("server.address", "shop.example.com"),
        number("server.port", 443),
        number("http.response.status_code", status),
        number("http.response.body.size", i64::from(item) * 37 + 512),
        text("network.protocol.version", "2"),
        text("client.address", "203.0.113.42"),
        text(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
        ),
        text(
            "session.id",
            &format!("s-{:08x}", item.wrapping_mul(0x9e37_79b9)),
        ),
    ]
}

fn database(item: u32, statement: &str) -> Vec<KeyValue> {
    vec![
        text("db.system.name", "postgresql"),
        text("db.namespace", "shop"),
        text("db.operation.name", "SELECT"),
        text("db.collection.name", "products"),
        text("db.query.text", statement),
        text("server.address", "postgres-primary.db.svc.cluster.local"),
        number("server.port", 5432),
        number("db.response.returned_rows", i64::from(item % 20)),
    ]
}

/// Metrics with `items` data points in all.
pub(super) fn metrics(items: u32, now: u64) -> Vec<Metric> {
    let count = usize::try_from(METRIC_POINTS).unwrap_or(1);
    let all: Vec<u32> = (0..items).collect();
    all.chunks(count)
        .zip(0..)
        .map(|(items, place)| metric(items, place, now))
        .collect()
}

fn metric(items: &[u32], place: u32, now: u64) -> Metric {
    let (name, unit, data) = match place % 3 {
        0 => (
            "http.server.request.duration",
            "s",
            Data::Histogram(Histogram {
                data_points: items.iter().map(|item| distribution(*item, now)).collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
        ),
        1 => (
            "http.server.request.body.size",
            "By",
            Data::Sum(Sum {
                data_points: items.iter().map(|item| point(*item, now)).collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
        ),
        _ => (
            "db.client.connection.count",
            "{connection}",
            Data::Gauge(Gauge {
                data_points: items.iter().map(|item| point(*item, now)).collect(),
            }),
        ),
    };
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn distribution(item: u32, now: u64) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: labels(item),
        start_time_unix_nano: now - 60_000 * MILLISECOND,
        time_unix_nano: now,
        count: 1000,
        sum: Some(41.5),
        bucket_counts: vec![120, 340, 310, 140, 60, 20, 6, 3, 1],
        explicit_bounds: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0],
        exemplars: vec![exemplar(item, now)],
        min: Some(0.001),
        max: Some(1.7),
        ..HistogramDataPoint::default()
    }
}

fn point(item: u32, now: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels(item),
        start_time_unix_nano: now - 60_000 * MILLISECOND,
        time_unix_nano: now,
        exemplars: vec![exemplar(item, now)],
        value: Some(number_data_point::Value::AsInt(i64::from(item) * 1009)),
        ..NumberDataPoint::default()
    }
}

fn labels(item: u32) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "GET"),
        text("http.route", pick(&ROUTES, item)),
        number("http.response.status_code", 200),
        text("server.address", &format!("shop-{item}.example.com")),
    ]
}

fn exemplar(item: u32, now: u64) -> Exemplar {
    Exemplar {
        time_unix_nano: now,
        span_id: slot(item).to_vec(),
        trace_id: trace_id(item),
        ..Exemplar::default()
    }
}

pub(super) fn log(item: u32, now: u64) -> LogRecord {
    let (severity_number, severity_text) = if item % 20 == 3 {
        (13, "WARN")
    } else {
        (9, "INFO")
    };
    LogRecord {
        time_unix_nano: now + u64::from(item) * MILLISECOND,
        observed_time_unix_nano: now + u64::from(item) * MILLISECOND,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(string(pick(&BODIES, item))),
        attributes: vec![
            text("code.function.name", "shop::checkout::serve"),
            number("code.line.number", i64::from(item) + 40),
            text("thread.name", "worker-3"),
            text("http.route", pick(&ROUTES, item)),
            text(
                "order.id",
                &format!("o-{:08x}", item.wrapping_mul(0x85eb_ca6b)),
            ),
            text("customer.tier", "gold"),
        ],
        flags: 1,
        trace_id: trace_id(item),
        span_id: slot(item).to_vec(),
        ..LogRecord::default()
    }
}

/// A trace id of its own for each request's item: its second half becomes the item's number.
fn trace_id(item: u32) -> Vec<u8> {
    [*b"otlpdemo", slot(item)].concat()
}

fn pick<'a>(from: &[&'a str], item: u32) -> &'a str {
    let place = usize::try_from(item).unwrap_or(0) % from.len();
    from[place]
}

fn string(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(string(value)),
        ..KeyValue::default()
    }
}

fn number(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::IntValue(value)),
        }),
        ..KeyValue::default()
    }
}
