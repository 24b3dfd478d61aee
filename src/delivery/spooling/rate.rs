//! How fast all shards together read back from the disk.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What may be made up for of a time that was not used, such as a timer's lateness.
///
/// - Source: chosen: some times what a timer is late by, and less than a collector notices.
const SLACK: Duration = Duration::from_millis(10);

/// The rate at which all shards together read back from the disk.
///
/// Each batch takes the next piece of one time line that all shards share, and its shard goes on
/// where that piece ends: so one shard alone has the whole rate, and several have equal parts.
///
/// - Cost: an exchange of one number for each batch.
#[derive(Debug)]
pub struct ReplayRate {
    bytes_per_second: u64,
    start: Instant,
    /// Nanoseconds from the start to where the time line is free.
    free: AtomicU64,
}

impl ReplayRate {
    /// So many bytes each second; 0: no bound.
    #[must_use]
    pub const fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self {
            bytes_per_second,
            start: now,
            free: AtomicU64::new(0),
        }
    }

    /// A batch of so many bytes goes out: when the shard's next one may.
    #[must_use]
    pub fn take(&self, bytes: usize, now: Instant) -> Instant {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let length = bytes.saturating_mul(1_000_000_000);
        let Some(length) = length.checked_div(self.bytes_per_second) else {
            return now;
        };
        let earliest =
            nanos(now.saturating_duration_since(self.start)).saturating_sub(nanos(SLACK));
        let end = |free: u64| free.max(earliest).saturating_add(length);
        // Nothing else hangs on the number.
        let free = self
            .free
            .fetch_update(Relaxed, Relaxed, |free| Some(end(free)));
        let (Ok(free) | Err(free)) = free;
        self.start + Duration::from_nanos(end(free))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn one_alone_has_it_all_and_several_share_it() {
        let start = crate::rt::now();
        let rate = ReplayRate::new(1_000_000, start);
        let now = start + Duration::from_secs(1);
        // A tenth of a second for each batch, less the slack of the first.
        let first = rate.take(100_000, now);
        assert_eq!(first, now + MS(90));
        let alone = rate.take(100_000, first);
        assert_eq!(alone, now + MS(190));
        let other = rate.take(100_000, first);
        assert_eq!(other, now + MS(290), "the other shard's batch is behind");
    }

    #[test]
    fn lateness_is_made_up_for_and_silence_is_not() {
        let start = crate::rt::now();
        let rate = ReplayRate::new(1_000_000, start);
        let now = start + Duration::from_secs(1);
        let due = rate.take(100_000, now);
        assert_eq!(rate.take(100_000, due + MS(8)), due + MS(100));
        let late = now + Duration::from_secs(3600);
        assert_eq!(rate.take(100_000, late), late + MS(90));
    }

    #[test]
    fn no_bound_is_no_bound() {
        let now = crate::rt::now();
        assert_eq!(ReplayRate::new(0, now).take(usize::MAX, now), now);
        let slow = ReplayRate::new(1, now);
        assert!(slow.take(usize::MAX, now) > now);
    }
}
