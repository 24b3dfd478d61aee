//! Data points.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
    exemplar, number_data_point,
};

use super::super::attributes::{boolean, int, text};
use super::super::rng::Rng;
use super::SECOND;

/// Upper bounds of the buckets of a histogram of durations.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Start and end of what a point is of.
pub(super) type Times = (u64, u64);

pub(super) fn number(
    times: Times,
    attributes: Vec<KeyValue>,
    whole: bool,
    rng: &mut Rng,
) -> NumberDataPoint {
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

pub(super) fn histogram(
    times: Times,
    attributes: Vec<KeyValue>,
    rng: &mut Rng,
) -> HistogramDataPoint {
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

pub(super) fn exponential(
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

pub(super) fn summary(times: Times, attributes: Vec<KeyValue>, rng: &mut Rng) -> SummaryDataPoint {
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

/// The attributes of a point, but for the stamp.
pub(super) fn labels(name: &str, service: &str, rng: &mut Rng) -> Vec<KeyValue> {
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
