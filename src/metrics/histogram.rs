//! Counts of values by size, in fixed buckets. One writer; the bounds are constants.

use std::time::Duration;

use super::cell::Counter;

/// Upper bounds of durations, in nanoseconds: 100 µs to 60 s, in steps of 1, 2 and 5.
pub(super) const DURATION_BOUNDS: [u64; 19] = [
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    20_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// Upper bounds of items in a batch; 8,192 is the default of `batch.items_max`.
pub(super) const ITEM_BOUNDS: [u64; 12] = [
    1, 10, 50, 100, 500, 1000, 2000, 4000, 8192, 16_384, 65_536, 1_000_000,
];

/// Upper bounds of bytes in a batch: 1 KiB to 64 MiB, the range of `batch.bytes_max`.
pub(super) const BYTE_BOUNDS: [u64; 11] = [
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
    2 << 20,
    4 << 20,
    16 << 20,
    64 << 20,
];

/// Upper bounds of requests in a batch.
pub(super) const REQUEST_BOUNDS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 512];

/// Counts of values up to each of `N` bounds and over the last, and their sum.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    counts: [Counter; N],
    over: Counter,
    sum: Counter,
}

impl<const N: usize> Histogram<N> {
    pub(super) const fn new() -> Self {
        Self {
            counts: [const { Counter::new() }; N],
            over: Counter::new(),
            sum: Counter::new(),
        }
    }

    pub(super) fn observe(&self, bounds: &[u64; N], value: u64) {
        let bucket = bounds.partition_point(|&bound| bound < value);
        self.counts.get(bucket).unwrap_or(&self.over).add(1);
        self.sum.add(value);
    }

    /// Adds this histogram's counts to `into`.
    pub(super) fn add_to(&self, into: &mut Buckets<N>) {
        for (sum, count) in into.counts.iter_mut().zip(&self.counts) {
            *sum += count.get();
        }
        into.over += self.over.get();
        into.sum += self.sum.get();
    }
}

impl Histogram<{ DURATION_BOUNDS.len() }> {
    pub(super) fn observe_duration(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.observe(&DURATION_BOUNDS, nanoseconds);
    }
}

/// What a [`Histogram`] held when it was read, or the sum of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buckets<const N: usize> {
    counts: [u64; N],
    over: u64,
    pub(super) sum: u64,
}

impl<const N: usize> Buckets<N> {
    pub(super) const fn new() -> Self {
        Self {
            counts: [0; N],
            over: 0,
            sum: 0,
        }
    }

    /// Values up to each bound, so every one counts the ones before it too.
    pub(super) fn cumulative(&self) -> [u64; N] {
        let mut total = 0;
        self.counts.map(|count| {
            total += count;
            total
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_counts_up_to_that_bound_and_one_over_the_last_only_in_the_total() {
        let histogram = Histogram::new();
        for value in [1, 10, 11, 1_000_001] {
            histogram.observe(&ITEM_BOUNDS, value);
        }
        let mut buckets = Buckets::new();
        histogram.add_to(&mut buckets);
        assert_eq!(&buckets.cumulative()[..4], &[1, 2, 3, 3]);
        assert_eq!(buckets.cumulative()[11], 3);
        assert_eq!((buckets.count(), buckets.sum), (4, 1_000_023));
    }

    #[test]
    fn bounds_rise() {
        fn rises(bounds: &[u64]) -> bool {
            bounds.windows(2).all(|pair| pair[0] < pair[1])
        }
        assert!(rises(&DURATION_BOUNDS) && rises(&ITEM_BOUNDS));
        assert!(rises(&BYTE_BOUNDS) && rises(&REQUEST_BOUNDS));
    }
}
