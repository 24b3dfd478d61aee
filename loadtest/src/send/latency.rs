//! Latency distributions, in microseconds.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The largest latency that is told apart: a minute.
const MOST: u64 = 60_000_000;

/// An empty histogram: 1 µs to 60 s, three significant digits.
pub(super) fn histogram() -> Histogram<u64> {
    // The bounds are constants that the crate takes.
    Histogram::new_with_bounds(1, MOST, 3).unwrap_or_else(|_| unreachable!())
}

/// Counts a duration; beyond the bounds it counts as the bound.
pub(super) fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(MOST);
    histogram.saturating_record(micros.clamp(1, MOST));
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::figures::latency_of;

    #[test]
    fn a_summary_has_the_whole_distribution() {
        let mut times = histogram();
        for micros in 1..=1000 {
            record(&mut times, Duration::from_micros(micros));
        }
        let summary = latency_of(&times);
        assert_eq!(
            (summary.count, summary.p50_us, summary.p99_us),
            (1000, 500, 990)
        );
        let whole = BASE64_STANDARD.decode(summary.histogram).unwrap();
        let mut deserializer = hdrhistogram::serialization::Deserializer::new();
        let back: Histogram<u64> = deserializer.deserialize(&mut &whole[..]).unwrap();
        assert_eq!(back, times);
    }

    #[test]
    fn what_is_out_of_bounds_counts_as_the_bound() {
        let mut times = histogram();
        record(&mut times, Duration::ZERO);
        record(&mut times, Duration::from_secs(3600));
        assert_eq!(times.len(), 2);
        assert_eq!(times.min(), 1);
        assert!(times.max() >= MOST);
    }
}
