//! How long calls took: a histogram in fixed memory, its buckets a sixteenth of their size wide.

use std::time::Duration;

/// Buckets of each doubling.
const PER_OCTAVE: u32 = 16;
const PER_OCTAVE_BITS: u32 = PER_OCTAVE.ilog2();
/// Doublings above the first `PER_OCTAVE` milliseconds: up to 2^23 ms, more than two hours.
const OCTAVES: u32 = 19;
const BUCKETS: usize = ((OCTAVES + 1) * PER_OCTAVE) as usize;

/// A histogram of latencies from 1 ms to two hours; what is longer counts as that.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    buckets: [u32; BUCKETS],
    count: u32,
}

impl Latencies {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [0; BUCKETS],
            count: 0,
        }
    }

    /// The bucket of a latency, cut to whole milliseconds.
    pub(super) fn bucket(latency: Duration) -> usize {
        let ms = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        let octave = ms.max(1).ilog2().saturating_sub(PER_OCTAVE_BITS);
        // Within its octave a value has its leading bit and the bits after it.
        let place = (octave * PER_OCTAVE).saturating_add(ms >> octave);
        usize::try_from(place).map_or(BUCKETS - 1, |place| place.min(BUCKETS - 1))
    }

    /// The milliseconds where a bucket begins, and its width.
    fn range(bucket: usize) -> (u64, u64) {
        let place = u32::try_from(bucket).unwrap_or(u32::MAX);
        let octave = (place / PER_OCTAVE).saturating_sub(1);
        let start = u64::from(place - octave * PER_OCTAVE) << octave;
        (start, 1 << octave)
    }

    pub(super) fn add(&mut self, bucket: usize) {
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count = count.saturating_add(1);
            self.count = self.count.saturating_add(1);
        }
    }

    pub(super) fn subtract(&mut self, old: &Self) {
        if old.count == 0 {
            return;
        }
        for (mine, its) in self.buckets.iter_mut().zip(&old.buckets) {
            *mine = mine.saturating_sub(*its);
        }
        self.count = self.count.saturating_sub(old.count);
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            *self = Self::new();
        }
    }

    /// The middle of the bucket that holds the call at `share` of all; `None` without calls.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let rank = f64::from(self.count) * share;
        let mut seen = 0_u32;
        let found = self.buckets.iter().position(|count| {
            seen = seen.saturating_add(*count);
            f64::from(seen) >= rank && seen > 0
        });
        let (start, width) = Self::range(found.unwrap_or(BUCKETS - 1));
        Some(Duration::from_millis(start) + Duration::from_millis(width) / 2)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_lie_side_by_side() {
        let mut end = 0;
        for bucket in 0..BUCKETS {
            let (start, width) = Latencies::range(bucket);
            assert_eq!(start, end, "{bucket}");
            end = start + width;
            for ms in [start, end - 1] {
                assert_eq!(Latencies::bucket(Duration::from_millis(ms)), bucket, "{ms}");
            }
        }
        assert!(end > 2 * 3_600_000);
        assert_eq!(Latencies::bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_that_of_the_calls_in_order() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.quantile(0.95), None);
        for ms in 1..=100 {
            latencies.add(Latencies::bucket(Duration::from_millis(ms * 10)));
        }
        let p95 = latencies.quantile(0.95).unwrap().as_secs_f64();
        assert!((0.92..=0.98).contains(&p95), "{p95}");
    }

    proptest! {
        #[test]
        fn one_latency_is_told_to_a_thirtieth(ms in 16_u64..7_200_000) {
            let mut latencies = Latencies::new();
            latencies.add(Latencies::bucket(Duration::from_millis(ms)));
            let told = latencies.quantile(0.95).unwrap().as_secs_f64() * 1000.0;
            let exact = Duration::from_millis(ms).as_secs_f64() * 1000.0;
            prop_assert!((told / exact - 1.0).abs() <= 1.0 / 30.0, "{} for {}", told, exact);
        }

        #[test]
        fn what_is_taken_out_leaves_no_trace(
            kept in proptest::collection::vec(0_u64..10_000, 0..50),
            gone in proptest::collection::vec(0_u64..10_000, 0..50),
        ) {
            let tally = |times: &[u64]| {
                let mut latencies = Latencies::new();
                for ms in times {
                    latencies.add(Latencies::bucket(Duration::from_millis(*ms)));
                }
                latencies
            };
            let mut both = tally(&[kept.as_slice(), gone.as_slice()].concat());
            both.subtract(&tally(&gone));
            prop_assert_eq!(both.buckets, tally(&kept).buckets);
        }
    }
}
