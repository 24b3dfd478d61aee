//! How long a disk that fails is left alone.

use std::time::{Duration, Instant};

use super::DiskError;

const FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait after so many failures in a row: 1 s, doubled each time, 30 s at the most.
pub(super) fn delay(failures: u32) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(5))
        .min(LONGEST)
}

/// A disk, or a part of one, that has failed and not worked since.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// How it failed last.
    pub error: DiskError,
    /// When it failed first.
    pub since: Instant,
    /// When it is tried again.
    pub until: Instant,
    failures: u32,
}

impl Trouble {
    /// After one failure more. What fails while the disk is left alone was begun before that: it
    /// says nothing new.
    pub fn after(before: Option<Self>, error: DiskError, now: Instant) -> Self {
        let (since, failures) = match before {
            Some(before) if now < before.until => return Self { error, ..before },
            Some(before) => (before.since, before.failures.saturating_add(1)),
            None => (now, 1),
        };
        Self {
            error,
            since,
            until: now + delay(failures),
            failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let waits = [1, 2, 3, 4, 5, 6, 40].map(|failures| delay(failures).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn what_fails_at_the_same_time_counts_once() {
        let start = crate::rt::now();
        let fails = |before, now| {
            let kind = std::io::ErrorKind::Other;
            let text = "as the test wants it".to_owned();
            Some(Trouble::after(before, DiskError { kind, text }, now))
        };
        let mut trouble = None;
        for wait in [1, 2, 4] {
            let now = trouble.as_ref().map_or(start, |it: &Trouble| it.until);
            for late in [0, 1, 500] {
                trouble = fails(trouble, now + Duration::from_millis(late));
            }
            let trouble = trouble.as_ref().unwrap();
            assert_eq!((trouble.until - now).as_secs(), wait);
            assert_eq!(trouble.since, start);
        }
    }
}
