//! The series of a run, made as coarse as a plot can show.

use crate::results::{CostPoint, Run, SendPoint};

/// Intervals that a plot shows; more would be finer than its pixels.
const LIMIT: usize = 150;

/// One interval of a run, over all of its senders.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Interval {
    /// Its beginning, seconds since the measurement began.
    pub(super) from: f64,
    /// Its end.
    pub(super) to: f64,
    /// Requests due a second.
    pub(super) due: f64,
    /// Requests accepted a second.
    pub(super) accepted: f64,
    /// Requests a second that ended otherwise.
    pub(super) failed: f64,
    /// Items accepted a second.
    pub(super) items: f64,
    /// Requests in flight at most at the end of a part.
    pub(super) in_flight: u64,
    /// Latencies; the worst of what is drawn together. None without an answer.
    pub(super) latency: Option<Latencies>,
}

/// What a plot shows of an interval's latency, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Latencies {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

/// The intervals of a run. The senders of a run begin together and count in equal intervals, so
/// the same place is the same time.
pub(super) fn intervals(run: &Run) -> Vec<Interval> {
    let count = run
        .send
        .iter()
        .map(|send| send.points.len())
        .max()
        .unwrap_or(0);
    let together = count.div_ceil(LIMIT).max(1);
    let mut starts: Vec<usize> = (0..count).step_by(together).collect();
    let length = |first: usize| sum(run, first, first + together).length();
    // The last answers come after the last full interval: drawn for themselves, a rate over a
    // few milliseconds would stand out for nothing.
    if starts.len() > 1 && length(starts[starts.len() - 1]) < length(starts[0]) / 2.0 {
        starts.pop();
    }
    starts
        .iter()
        .enumerate()
        .map(|(place, first)| {
            let next = starts.get(place + 1).copied().unwrap_or(count);
            sum(run, *first, next)
        })
        .filter(|interval| interval.length() > 0.0)
        .collect()
}

impl Interval {
    fn length(&self) -> f64 {
        self.to - self.from
    }
}

/// The points of every sender from one place to another.
fn sum(run: &Run, first: usize, next: usize) -> Interval {
    let mut sum = Interval {
        from: f64::MAX,
        ..Interval::default()
    };
    for send in &run.send {
        if let Some(points) = send.points.get(first..next.min(send.points.len())) {
            add(&mut sum, points);
        }
    }
    sum
}

fn add(sum: &mut Interval, points: &[SendPoint]) {
    let length: f64 = points.iter().map(|point| point.length).sum();
    if length <= 0.0 {
        return;
    }
    let rate = |count: fn(&SendPoint) -> u64| {
        points.iter().map(|point| count(point) as f64).sum::<f64>() / length
    };
    sum.due += rate(|point| point.due);
    sum.accepted += rate(|point| point.accepted);
    sum.failed += rate(|point| point.failed);
    sum.items += rate(|point| point.items);
    sum.in_flight += points
        .iter()
        .map(|point| point.in_flight)
        .max()
        .unwrap_or(0);
    for point in points {
        sum.from = sum.from.min((point.at - point.length).max(0.0));
        sum.to = sum.to.max(point.at);
        if point.max_us > 0 {
            let worst = sum.latency.get_or_insert_default();
            worst.p50 = worst.p50.max(point.p50_us);
            worst.p99 = worst.p99.max(point.p99_us);
            worst.max = worst.max.max(point.max_us);
        }
    }
}

/// The cost of a process over time: the largest memory and the mean CPU of what is drawn together.
pub(super) fn costs(points: &[CostPoint]) -> Vec<CostPoint> {
    let together = points.len().div_ceil(LIMIT).max(1);
    points
        .chunks(together)
        .filter_map(|points| {
            let cores: f64 = points.iter().map(|point| point.cores).sum();
            Some(CostPoint {
                at: points.last()?.at,
                rss: points.iter().map(|point| point.rss).max()?,
                cores: cores / points.len() as f64,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::SendReport;

    fn sender(count: u32, p99: u64) -> SendReport {
        let point = |place: u32| SendPoint {
            at: f64::from(place + 1) * 0.5,
            length: 0.5,
            due: 50,
            accepted: 40,
            failed: 10,
            items: 4000,
            in_flight: 3,
            p50_us: 100,
            p99_us: p99,
            max_us: p99 * 2,
        };
        SendReport {
            points: (0..count).map(point).collect(),
            ..SendReport::default()
        }
    }

    fn run(send: Vec<SendReport>) -> Run {
        Run {
            send,
            ..Run::default()
        }
    }

    #[test]
    fn senders_sum_and_the_worst_latency_stays() {
        let intervals = intervals(&run(vec![sender(4, 200), sender(4, 900)]));
        assert_eq!(intervals.len(), 4);
        let first = &intervals[0];
        assert_eq!((first.from, first.to), (0.0, 0.5));
        assert_eq!(
            (first.due, first.accepted, first.failed),
            (200.0, 160.0, 40.0)
        );
        assert_eq!(first.items, 16_000.0);
        assert_eq!(
            first.latency,
            Some(Latencies {
                p50: 100,
                p99: 900,
                max: 1800
            })
        );
    }

    #[test]
    fn long_series_are_made_coarser_and_keep_their_rates() {
        let intervals = intervals(&run(vec![sender(1001, 200)]));
        assert!(intervals.len() <= LIMIT, "{}", intervals.len());
        assert!(
            intervals
                .iter()
                .all(|interval| (interval.due - 100.0).abs() < 1e-6)
        );
        assert_eq!(intervals.last().unwrap().to, 500.5);
    }

    #[test]
    fn a_last_interval_that_is_short_joins_the_one_before() {
        let mut sender = sender(4, 200);
        let last = &mut sender.points[3];
        (last.at, last.length, last.due) = (1.51, 0.01, 0);
        let intervals = intervals(&run(vec![sender]));
        assert_eq!(intervals.len(), 3);
        let joined = intervals.last().unwrap();
        assert_eq!((joined.from, joined.to), (1.0, 1.51));
        assert!((joined.accepted - 80.0 / 0.51).abs() < 1e-9);
    }

    #[test]
    fn an_interval_without_answers_has_no_latency() {
        let mut silent = sender(1, 0);
        silent.points[0].accepted = 0;
        assert_eq!(intervals(&run(vec![silent]))[0].latency, None);
        assert_eq!(intervals(&run(Vec::new())), []);
    }

    #[test]
    fn costs_keep_the_largest_memory() {
        let points: Vec<CostPoint> = (1..=1000_u32)
            .map(|place| CostPoint {
                at: f64::from(place),
                rss: u64::from(place % 10),
                cores: 0.5,
            })
            .collect();
        let coarse = costs(&points);
        assert!(coarse.len() <= LIMIT);
        assert!(
            coarse
                .iter()
                .all(|point| point.rss >= 6 && point.cores == 0.5)
        );
        assert_eq!(coarse.last().unwrap().at, 1000.0);
    }
}
