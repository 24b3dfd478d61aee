//! Metrics of every kind.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, Summary, SummaryDataPoint,
    exemplar, number_data_point,
};

use super::attributes::{boolean, int, text};
use super::request::Entry;
use super::rng::Rng;
use super::shop::{BASE, OWN_SCOPE, Shop};

const SECOND: u64 = 1_000_000_000;

/// When counting began, for what is cumulative.
const START: u64 = BASE - 6 * 3600 * SECOND;

/// The kind of a metric.
#[derive(Clone, Copy)]
enum Shape {
    Gauge,
    /// Temporality, and whether it only grows.
    Sum(AggregationTemporality, bool),
    Histogram(AggregationTemporality),
    Exponential(AggregationTemporality),
    Summary,
}

/// A metric that services have: name, unit, description, scope, shape, whether of whole numbers.
struct Instrument(&'static str, &'static str, &'static str, usize, Shape, bool);

use AggregationTemporality::{Cumulative, Delta};
use Shape::{Exponential, Gauge as OfGauge, Histogram as OfHistogram, Sum as OfSum};

static INSTRUMENTS: [Instrument; 14] = [
    Instrument(
        "http.server.request.duration",
        "s",
        "Duration of HTTP server requests.",
        0,
        OfHistogram(Cumulative),
        false,
    ),
    Instrument(
        "http.server.active_requests",
        "{request}",
        "Number of active HTTP server requests.",
        0,
        OfSum(Cumulative, false),
        true,
    ),
    Instrument(
        "http.client.request.duration",
        "s",
        "Duration of HTTP client requests.",
        0,
        OfHistogram(Delta),
        false,
    ),
    Instrument(
        "rpc.server.duration",
        "ms",
        "Measures the duration of inbound RPC.",
        0,
        Exponential(Delta),
        false,
    ),
    Instrument(
        "db.client.operation.duration",
        "s",
        "Duration of database client operations.",
        1,
        Exponential(Cumulative),
        false,
    ),
    Instrument(
        "db.client.connection.count",
        "{connection}",
        "Connections by state.",
        1,
        OfSum(Cumulative, false),
        true,
    ),
    Instrument(
        "messaging.client.sent.messages",
        "{message}",
        "Messages sent to the broker.",
        1,
        OfSum(Delta, true),
        true,
    ),
    Instrument(
        "process.cpu.time",
        "s",
        "Total CPU seconds broken down by states.",
        OWN_SCOPE,
        OfSum(Cumulative, true),
        false,
    ),
    Instrument(
        "process.memory.usage",
        "By",
        "The amount of physical memory in use.",
        OWN_SCOPE,
        OfGauge,
        true,
    ),
    Instrument(
        "system.cpu.utilization",
        "1",
        "Share of each CPU in use.",
        OWN_SCOPE,
        OfGauge,
        false,
    ),
    Instrument(
        "shop.orders",
        "{order}",
        "Orders placed.",
        OWN_SCOPE,
        OfSum(Delta, true),
        true,
    ),
    Instrument(
        "shop.revenue",
        "EUR",
        "Value of orders paid.",
        OWN_SCOPE,
        OfSum(Cumulative, true),
        false,
    ),
    Instrument(
        "shop.cart.size",
        "{item}",
        "Items in a cart at checkout.",
        OWN_SCOPE,
        OfHistogram(Delta),
        false,
    ),
    Instrument(
        "gc.pause",
        "s",
        "Pauses for garbage collection.",
        OWN_SCOPE,
        Shape::Summary,
        false,
    ),
];

/// Upper bounds of the buckets of a histogram of durations.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Metrics of the instances given, with so many data points in all.
pub(super) fn generate(
    shop: &Shop,
    at: &[usize],
    count: usize,
    rng: &mut Rng,
) -> Vec<Entry<Metric>> {
    let mut metrics = Vec::new();
    for (index, &instance) in at.iter().enumerate() {
        // An equal share of the points each; the first instances take what is over.
        let mut left = count / at.len() + usize::from(index < count % at.len());
        let service = shop.instances[instance].service.name;
        let from = rng.size(0, INSTRUMENTS.len() - 1);
        for offset in 0..INSTRUMENTS.len() {
            let remaining = INSTRUMENTS.len() - offset;
            let share = rng.size(1, 4).max(left.div_ceil(remaining)).min(left);
            if share == 0 {
                break;
            }
            left -= share;
            let instrument = &INSTRUMENTS[(from + offset) % INSTRUMENTS.len()];
            metrics.push(Entry {
                instance,
                scope: instrument.3,
                item: metric(instrument, service, share, rng),
            });
        }
    }
    metrics
}

fn metric(instrument: &Instrument, service: &str, points: usize, rng: &mut Rng) -> Metric {
    let &Instrument(name, unit, description, _, shape, whole) = instrument;
    let now = BASE + rng.between(0, 60) * SECOND;
    let times = |temporality| match temporality {
        Delta => (now - 10 * SECOND, now),
        _ => (START, now),
    };
    let labels: Vec<_> = (0..points).map(|_| labels(name, service, rng)).collect();
    let data = match shape {
        OfGauge => Data::Gauge(Gauge {
            data_points: labels
                .into_iter()
                .map(|of| number((0, now), of, whole, rng))
                .collect(),
        }),
        OfSum(temporality, is_monotonic) => Data::Sum(Sum {
            data_points: labels
                .into_iter()
                .map(|of| number(times(temporality), of, whole, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
            is_monotonic,
        }),
        OfHistogram(temporality) => Data::Histogram(Histogram {
            data_points: labels
                .into_iter()
                .map(|of| histogram(times(temporality), of, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
        }),
        Exponential(temporality) => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: labels
                .into_iter()
                .map(|of| exponential(times(temporality), of, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
        }),
        Shape::Summary => Data::Summary(Summary {
            data_points: labels
                .into_iter()
                .map(|of| summary((START, now), of, rng))
                .collect(),
        }),
    };
    Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn labels(name: &str, service: &str, rng: &mut Rng) -> Vec<KeyValue> {
    match name.split('.').next() {
        Some("http") => vec![
            text("http.request.method", *rng.pick(&["GET", "POST", "PUT"])),
            int(
                "http.response.status_code",
                *rng.pick(&[200, 201, 404, 500]),
            ),
            text(
                "http.route",
                format!("/api/v{}/{service}/{{id}}", rng.between(1, 9)),
            ),
            text("url.scheme", "https"),
        ],
        Some("rpc") => vec![
            int("rpc.grpc.status_code", *rng.pick(&[0, 0, 4, 14])),
            text("rpc.method", format!("Get{}", rng.hex(4))),
            text("rpc.service", format!("shop.{service}.v1")),
        ],
        Some("db") => vec![
            text(
                "db.collection.name",
                format!("{service}_{}", rng.between(0, 31)),
            ),
            text(
                "db.operation.name",
                *rng.pick(&["SELECT", "INSERT", "UPDATE"]),
            ),
            text("db.system.name", "postgresql"),
        ],
        Some("messaging") => vec![
            text("messaging.destination.name", format!("{service}.events")),
            text(
                "messaging.destination.partition.id",
                rng.between(0, 23).to_string(),
            ),
            text("messaging.system", "kafka"),
        ],
        Some("shop") => vec![
            text("shop.channel", *rng.pick(&["web", "ios", "android"])),
            text("shop.country", *rng.pick(&["DE", "AT", "SE", "US", "FR"])),
            boolean("shop.customer.returning", rng.percent(60)),
        ],
        _ => vec![
            int("cpu.logical_number", rng.int(0, 63)),
            text("cpu.mode", "user"),
        ],
    }
}

/// Start and end of what a point is of.
type Times = (u64, u64);

fn number(times: Times, attributes: Vec<KeyValue>, whole: bool, rng: &mut Rng) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: times.0,
        time_unix_nano: times.1,
        exemplars: exemplars(times.1, 5, rng),
        value: Some(if whole {
            number_data_point::Value::AsInt(rng.int(0, 4_000_000))
        } else {
            number_data_point::Value::AsDouble(rng.thousandths(0, 9_000_000))
        }),
        ..NumberDataPoint::default()
    }
}

fn histogram(times: Times, attributes: Vec<KeyValue>, rng: &mut Rng) -> HistogramDataPoint {
    let bucket_counts: Vec<_> = (0..=BOUNDS.len()).map(|_| rng.between(0, 900)).collect();
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: times.0,
        time_unix_nano: times.1,
        count: bucket_counts.iter().sum(),
        sum: Some(rng.thousandths(1_000, 9_000_000)),
        bucket_counts,
        explicit_bounds: BOUNDS.to_vec(),
        exemplars: exemplars(times.1, 30, rng),
        min: Some(rng.thousandths(0, 4)),
        max: Some(rng.thousandths(5_000, 20_000)),
        ..HistogramDataPoint::default()
    }
}

fn exponential(
    times: Times,
    attributes: Vec<KeyValue>,
    rng: &mut Rng,
) -> ExponentialHistogramDataPoint {
    let buckets = |low: usize, high: usize, rng: &mut Rng| Buckets {
        offset: -i32::from(rng.next() as u8),
        bucket_counts: (0..rng.size(low, high))
            .map(|_| rng.between(0, 400))
            .collect(),
    };
    let positive = buckets(8, 40, rng);
    let negative = rng.percent(10).then(|| buckets(1, 4, rng));
    let zero_count = rng.between(0, 3);
    let counts = [Some(&positive), negative.as_ref()].into_iter().flatten();
    ExponentialHistogramDataPoint {
        attributes,
        start_time_unix_nano: times.0,
        time_unix_nano: times.1,
        count: counts.flat_map(|of| &of.bucket_counts).sum::<u64>() + zero_count,
        sum: negative
            .is_none()
            .then(|| rng.thousandths(1_000, 9_000_000)),
        scale: 4,
        zero_count,
        positive: Some(positive),
        negative,
        exemplars: exemplars(times.1, 30, rng),
        min: Some(rng.thousandths(0, 4)),
        max: Some(rng.thousandths(5_000, 20_000)),
        zero_threshold: 0.001,
        ..ExponentialHistogramDataPoint::default()
    }
}

fn summary(times: Times, attributes: Vec<KeyValue>, rng: &mut Rng) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes,
        start_time_unix_nano: times.0,
        time_unix_nano: times.1,
        count: rng.between(10, 90_000),
        sum: rng.thousandths(1_000, 9_000_000),
        quantile_values: [0.0, 0.5, 0.99, 1.0]
            .map(|quantile| ValueAtQuantile {
                quantile,
                value: rng.thousandths(0, 900),
            })
            .to_vec(),
        ..SummaryDataPoint::default()
    }
}

/// One exemplar, so many times of a hundred.
fn exemplars(time: u64, percent: u64, rng: &mut Rng) -> Vec<Exemplar> {
    let exemplar = |rng: &mut Rng| Exemplar {
        filtered_attributes: vec![text("shop.cart.id", rng.hex(12)), int("thread.id", 7)],
        time_unix_nano: time - rng.between(1, SECOND),
        span_id: rng.bytes(8),
        trace_id: rng.bytes(16),
        value: Some(exemplar::Value::AsDouble(rng.thousandths(0, 9_000))),
    };
    if rng.percent(percent) {
        vec![exemplar(rng)]
    } else {
        Vec::new()
    }
}
