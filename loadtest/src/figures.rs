//! The figures that results are read by: cost an item, multiples of the raw proxy, medians.
//!
//! Everything that is said about a run in a summary, a page or a verdict is computed here, once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

use crate::results::{Answers, Cost, Latency, Results, Run, SendReport};

/// The system that the others are multiples of.
pub const BASELINE: &str = "raw proxy";

/// The role of the system under test in [`Run::costs`].
pub const FORWARDER: &str = "forwarder";

/// A figure of one run; none where the run does not say.
pub type Figure = fn(&Run) -> Option<f64>;

/// Repeats of one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The middle one; of an even count, half way between the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many there are.
    pub count: usize,
}

impl Spread {
    /// Of no values there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Some(Self {
            median,
            min,
            max,
            count: values.len(),
        })
    }
}

/// What the system under test cost.
#[must_use]
pub fn forwarder(run: &Run) -> Option<&Cost> {
    run.costs.iter().find(|cost| cost.role == FORWARDER)
}

/// What a run was in one of its phases: requests, items and latency; nothing else is known of a
/// part. None where no sender told the phase apart.
#[must_use]
pub fn during(run: &Run, phase: &str) -> Option<Run> {
    let parts = run.send.iter().filter_map(|send| send.phases.get(phase));
    let send: Vec<SendReport> = parts
        .map(|part| SendReport {
            duration: part.to - part.from,
            requests: Answers {
                due: part.due,
                accepted: part.accepted,
                ..Answers::default()
            },
            items: Answers {
                accepted: part.items,
                ..Answers::default()
            },
            latency: part.latency.clone(),
            ..SendReport::default()
        })
        .collect();
    let run = Run {
        send,
        ..Run::default()
    };
    (!run.send.is_empty()).then_some(run)
}

/// Length of the measurement, seconds: the longest of the senders'.
#[must_use]
pub fn duration(run: &Run) -> f64 {
    run.send
        .iter()
        .map(|send| send.duration)
        .fold(0.0, f64::max)
}

/// Requests by how they ended, over all senders.
#[must_use]
pub fn requests(run: &Run) -> Answers {
    total(run.send.iter().map(|send| &send.requests))
}

/// Items by how they ended, over all senders.
#[must_use]
pub fn items(run: &Run) -> Answers {
    total(run.send.iter().map(|send| &send.items))
}

/// Bytes of the bodies that were accepted, before compression, over all senders.
#[must_use]
pub fn body_bytes(run: &Run) -> u64 {
    run.send.iter().map(|send| send.body_bytes).sum()
}

/// Requests accepted a second.
#[must_use]
pub fn request_rate(run: &Run) -> Option<f64> {
    ratio(requests(run).accepted as f64, duration(run))
}

/// Items accepted a second.
#[must_use]
pub fn item_rate(run: &Run) -> Option<f64> {
    ratio(items(run).accepted as f64, duration(run))
}

/// Share of the requests that were due and were not accepted, not even in part, 0 to 1.
#[must_use]
pub fn error_rate(run: &Run) -> Option<f64> {
    let requests = requests(run);
    let failed = requests
        .due
        .saturating_sub(requests.accepted + requests.partial);
    ratio(failed as f64, requests.due as f64)
}

/// CPU seconds of the system under test for a million accepted items.
#[must_use]
pub fn cpu_per_million(run: &Run) -> Option<f64> {
    per_million(run, |cost| cost.cpu)
}

/// Its part in user mode, by the share that the kernel's slower clock gives.
#[must_use]
pub fn user_per_million(run: &Run) -> Option<f64> {
    split(run, |cost| cost.user)
}

/// Its part in the kernel, likewise.
#[must_use]
pub fn system_per_million(run: &Run) -> Option<f64> {
    split(run, |cost| cost.system)
}

/// CPU seconds of the system under test for 10⁹ accepted bytes, before compression.
#[must_use]
pub fn cpu_per_gigabyte(run: &Run) -> Option<f64> {
    ratio(forwarder(run)?.cpu * 1e9, body_bytes(run) as f64)
}

/// System calls of the system under test for each accepted request.
#[must_use]
pub fn syscalls_per_request(run: &Run) -> Option<f64> {
    ratio(
        forwarder(run)?.syscalls? as f64,
        requests(run).accepted as f64,
    )
}

/// Context switches of the system under test for each accepted request.
#[must_use]
pub fn switches_per_request(run: &Run) -> Option<f64> {
    ratio(
        forwarder(run)?.switches as f64,
        requests(run).accepted as f64,
    )
}

/// Largest resident set of the system under test, bytes.
#[must_use]
pub fn rss_peak(run: &Run) -> Option<f64> {
    forwarder(run).map(|cost| cost.rss_peak as f64)
}

/// Latency from when requests were due, over all senders.
#[must_use]
pub fn latency(run: &Run) -> Latency {
    merge(run.send.iter().map(|send| &send.latency))
}

/// Latency from when requests were handed over, over all senders.
#[must_use]
pub fn latency_raw(run: &Run) -> Latency {
    merge(run.send.iter().map(|send| &send.latency_raw))
}

/// Names of the scenarios, in the order that they were run first.
#[must_use]
pub fn scenarios(results: &Results) -> Vec<&str> {
    distinct(results.runs.iter().map(|run| run.scenario.as_str()))
}

/// Names of the systems of a scenario, in the order that they were run first.
#[must_use]
pub fn systems<'r>(results: &'r Results, scenario: &str) -> Vec<&'r str> {
    let runs = results.runs.iter().filter(|run| run.scenario == scenario);
    distinct(runs.map(|run| run.system.as_str()))
}

/// The repeats of a system in a scenario, in order.
pub fn repeats<'r>(
    results: &'r Results,
    scenario: &str,
    system: &str,
) -> impl Iterator<Item = &'r Run> {
    results
        .runs
        .iter()
        .filter(move |run| run.scenario == scenario && run.system == system)
}

/// A figure over the repeats of a system.
#[must_use]
pub fn spread(results: &Results, scenario: &str, system: &str, figure: Figure) -> Option<Spread> {
    Spread::of(repeats(results, scenario, system).filter_map(figure))
}

/// The ratio of a system's figure to another's, round by round: what ran one after the other is
/// compared with each other, so that a slow drift of the machine cancels.
#[must_use]
pub fn ratios(
    results: &Results,
    scenario: &str,
    system: &str,
    other: &str,
    figure: Figure,
) -> Vec<f64> {
    repeats(results, scenario, system)
        .zip(repeats(results, scenario, other))
        .filter_map(|(run, base)| ratio(figure(run)?, figure(base)?))
        .collect()
}

/// CPU an item as a multiple of the raw proxy's, round by round; none where it was not run.
#[must_use]
pub fn multiple(results: &Results, scenario: &str, system: &str) -> Option<Spread> {
    Spread::of(ratios(results, scenario, system, BASELINE, cpu_per_million))
}

/// One distribution of several, exact where the histograms can be read; else the worst of each
/// percentile, so that nothing looks better than it was.
pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Latency>) -> Latency {
    let parts: Vec<&Latency> = parts.into_iter().filter(|part| part.count > 0).collect();
    match parts.as_slice() {
        [] => Latency::default(),
        [one] => (*one).clone(),
        _ => {
            let count: u64 = parts.iter().map(|part| part.count).sum();
            let worst = |figure: fn(&Latency) -> u64| {
                parts
                    .iter()
                    .map(|part| figure(part))
                    .max()
                    .unwrap_or_default()
            };
            let sum: f64 = parts
                .iter()
                .map(|part| part.mean_us * part.count as f64)
                .sum();
            let all = Latency {
                count,
                mean_us: sum / count as f64,
                min_us: parts
                    .iter()
                    .map(|part| part.min_us)
                    .min()
                    .unwrap_or_default(),
                p50_us: worst(|part| part.p50_us),
                p90_us: worst(|part| part.p90_us),
                p99_us: worst(|part| part.p99_us),
                p999_us: worst(|part| part.p999_us),
                max_us: worst(|part| part.max_us),
                histogram: String::new(),
            };
            exact(&parts, all)
        }
    }
}

/// Reads the histogram of a distribution.
#[must_use]
pub fn histogram(latency: &Latency) -> Option<Histogram<u64>> {
    let bytes = STANDARD.decode(&latency.histogram).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

fn exact(parts: &[&Latency], worst: Latency) -> Latency {
    let Ok(mut all) = Histogram::<u64>::new(3) else {
        return worst;
    };
    for part in parts {
        match histogram(part) {
            Some(one) if all.add(&one).is_ok() => {}
            _ => return worst,
        }
    }
    Latency {
        count: worst.count,
        mean_us: worst.mean_us,
        min_us: worst.min_us,
        max_us: worst.max_us,
        ..latency_of(&all)
    }
}

/// A distribution in microseconds as it is reported.
#[must_use]
pub fn latency_of(histogram: &Histogram<u64>) -> Latency {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _length = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
    Latency {
        count: histogram.len(),
        mean_us: histogram.mean(),
        min_us: histogram.min(),
        p50_us: histogram.value_at_quantile(0.5),
        p90_us: histogram.value_at_quantile(0.9),
        p99_us: histogram.value_at_quantile(0.99),
        p999_us: histogram.value_at_quantile(0.999),
        max_us: histogram.max(),
        histogram: STANDARD.encode(bytes),
    }
}

fn total<'a>(parts: impl Iterator<Item = &'a Answers>) -> Answers {
    parts.fold(Answers::default(), |sum, part| Answers {
        due: sum.due + part.due,
        sent: sum.sent + part.sent,
        accepted: sum.accepted + part.accepted,
        partial: sum.partial + part.partial,
        refused: sum.refused + part.refused,
        rejected: sum.rejected + part.rejected,
        unanswered: sum.unanswered + part.unanswered,
    })
}

fn per_million(run: &Run, seconds: fn(&Cost) -> f64) -> Option<f64> {
    ratio(seconds(forwarder(run)?) * 1e6, items(run).accepted as f64)
}

fn split(run: &Run, part: fn(&Cost) -> f64) -> Option<f64> {
    let cost = forwarder(run)?;
    Some(cpu_per_million(run)? * ratio(part(cost), cost.user + cost.system)?)
}

fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.fold(Vec::new(), |mut seen, name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(system: &str, cpu: f64, accepted: u64) -> Run {
        Run {
            scenario: "steady".to_owned(),
            system: system.to_owned(),
            send: vec![SendReport {
                duration: 2.0,
                requests: Answers {
                    due: 10,
                    accepted: 8,
                    partial: 1,
                    ..Answers::default()
                },
                items: Answers {
                    accepted,
                    ..Answers::default()
                },
                body_bytes: 500_000_000,
                ..SendReport::default()
            }],
            costs: vec![
                Cost {
                    role: "sender".to_owned(),
                    cpu: 99.0,
                    ..Cost::default()
                },
                Cost {
                    role: FORWARDER.to_owned(),
                    cpu,
                    user: 1.0,
                    system: 3.0,
                    syscalls: Some(16),
                    ..Cost::default()
                },
            ],
            ..Run::default()
        }
    }

    fn distribution(values: impl Iterator<Item = u64>) -> Latency {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        latency_of(&histogram)
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            (odd.median, odd.min, odd.max, odd.count),
            (2.0, 1.0, 3.0, 3)
        );
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }

    #[test]
    fn cost_is_of_the_system_under_test_and_of_what_was_accepted() {
        let run = run("otlp", 4.0, 2_000_000);
        assert_eq!(cpu_per_million(&run), Some(2.0));
        assert_eq!(user_per_million(&run), Some(0.5));
        assert_eq!(system_per_million(&run), Some(1.5));
        assert_eq!(cpu_per_gigabyte(&run), Some(8.0));
        assert_eq!(syscalls_per_request(&run), Some(2.0));
        assert_eq!(request_rate(&run), Some(4.0));
        assert_eq!(item_rate(&run), Some(1e6));
        assert_eq!(error_rate(&run), Some(0.1));
    }

    #[test]
    fn nothing_accepted_has_no_cost_an_item() {
        assert_eq!(cpu_per_million(&run("otlp", 4.0, 0)), None);
        assert_eq!(item_rate(&Run::default()), None);
    }

    #[test]
    fn ratios_pair_the_rounds() {
        let results = Results {
            runs: vec![
                run("otlp", 2.0, 1_000_000),
                run(BASELINE, 1.0, 1_000_000),
                run("otlp", 9.0, 1_000_000),
                run(BASELINE, 3.0, 1_000_000),
                run("otlp", 4.0, 1_000_000),
            ],
            ..Results::default()
        };
        assert_eq!(
            ratios(&results, "steady", "otlp", BASELINE, cpu_per_million),
            [2.0, 3.0]
        );
        assert_eq!(multiple(&results, "steady", "otlp").unwrap().median, 2.5);
        assert_eq!(multiple(&results, "burst", "otlp"), None);
        assert_eq!(systems(&results, "steady"), ["otlp", BASELINE]);
        assert_eq!(scenarios(&results), ["steady"]);
        assert_eq!(
            spread(&results, "steady", "otlp", cpu_per_million)
                .unwrap()
                .median,
            4.0
        );
    }

    #[test]
    fn distributions_merge_exactly_where_their_histograms_are_there() {
        let (low, high) = (distribution(1..=1000), distribution(1001..=2000));
        let both = distribution(1..=2000);
        let merged = merge([&low, &high]);
        assert_eq!(merged.count, 2000);
        assert_eq!((merged.p50_us, merged.p99_us), (both.p50_us, both.p99_us));
        assert_eq!((merged.min_us, merged.max_us), (1, both.max_us));
        assert_eq!(histogram(&merged).unwrap().len(), 2000);

        let blind = Latency {
            histogram: "?".to_owned(),
            ..low
        };
        assert_eq!(merge([&blind, &high]).p50_us, high.p50_us);
        assert_eq!(merge([&blind]), blind);
        assert_eq!(merge([]), Latency::default());
    }
}
