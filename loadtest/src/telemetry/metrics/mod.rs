//! Metrics of every kind.

mod instruments;
mod points;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, Gauge, Histogram, Metric, Sum, Summary,
};

use self::instruments::{INSTRUMENTS, Instrument, Shape};
use super::request::Entry;
use super::rng::Rng;
use super::shop::{BASE, Shop};

const SECOND: u64 = 1_000_000_000;

/// When counting began, for what is cumulative.
const START: u64 = BASE - 6 * 3600 * SECOND;

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
                scope: instrument.scope,
                item: metric(instrument, service, share, rng),
            });
        }
    }
    metrics
}

fn metric(instrument: &Instrument, service: &str, points: usize, rng: &mut Rng) -> Metric {
    let &Instrument {
        name, shape, whole, ..
    } = instrument;
    let now = BASE + rng.between(0, 60) * SECOND;
    let times = |temporality| match temporality {
        Delta => (now - 10 * SECOND, now),
        _ => (START, now),
    };
    let labels: Vec<_> = (0..points)
        .map(|_| points::labels(name, service, rng))
        .collect();
    let labels = labels.into_iter();
    let data = match shape {
        Shape::Gauge => Data::Gauge(Gauge {
            data_points: labels
                .map(|of| points::number((0, now), of, whole, rng))
                .collect(),
        }),
        Shape::Level(temporality) | Shape::Counter(temporality) => Data::Sum(Sum {
            data_points: labels
                .map(|of| points::number(times(temporality), of, whole, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
            is_monotonic: matches!(shape, Shape::Counter(_)),
        }),
        Shape::Histogram(temporality) => Data::Histogram(Histogram {
            data_points: labels
                .map(|of| points::histogram(times(temporality), of, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
        }),
        Shape::Exponential(temporality) => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: labels
                .map(|of| points::exponential(times(temporality), of, rng))
                .collect(),
            aggregation_temporality: temporality.into(),
        }),
        Shape::Summary => Data::Summary(Summary {
            data_points: labels
                .map(|of| points::summary((START, now), of, rng))
                .collect(),
        }),
    };
    Metric {
        name: name.to_owned(),
        description: instrument.description.to_owned(),
        unit: instrument.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}
