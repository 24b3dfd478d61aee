//! When a batch that a collector did not take is tried again, and when it is given up.

use std::time::{Duration, Instant};

use crate::{
    config::Retry,
    outcome::{Code, Reason},
};

/// The rules of retrying. Holds no state of a batch.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    settings: Retry,
}

impl RetryPolicy {
    /// The rules that the configuration asks for.
    #[must_use]
    pub const fn new(settings: &Retry) -> Self {
        Self {
            settings: *settings,
        }
    }

    /// Whether a refusal of this kind is tried again here. `retryable`: whether trying again can
    /// help at all; what it cannot help never is.
    #[must_use]
    pub const fn class(&self, reason: Reason, retryable: bool) -> bool {
        let errors = self.settings.errors;
        let wanted = match reason {
            Reason::Timeout | Reason::Collector(Code::DeadlineExceeded | Code::Cancelled) => {
                errors.timeout
            }
            Reason::Connection => errors.connection,
            _ => errors.temporary,
        };
        retryable && wanted
    }

    /// How long to wait before the next attempt, after `attempts_made` of them.
    ///
    /// `base_delay` × `multiplier`^(`attempts_made` - 1), at most `max_delay`; with jitter drawn
    /// from the upper half of that by `random` (0 to 1). Never under `least`, which is what the
    /// collector asked for.
    #[must_use]
    pub fn delay(&self, attempts_made: u32, least: Option<Duration>, random: f64) -> Duration {
        let Retry {
            base_delay,
            max_delay,
            multiplier,
            jitter,
            ..
        } = self.settings;
        let exponent = i32::try_from(attempts_made.saturating_sub(1)).unwrap_or(i32::MAX);
        // Grows to infinity at the most, which the bound takes in.
        let whole = base_delay.as_secs_f64() * multiplier.powi(exponent);
        let whole = whole.min(max_delay.as_secs_f64());
        let share = if jitter {
            0.5 + random.clamp(0.0, 1.0) / 2.0
        } else {
            1.0
        };
        let drawn = Duration::try_from_secs_f64(whole * share).unwrap_or(max_delay);
        drawn.min(max_delay).max(least.unwrap_or_default())
    }

    /// Whether a batch is given up after `attempts_made`, the first of them at `first_at`.
    ///
    /// A batch that calls wait for (`awaited`) is bounded by attempts: its senders have it still.
    /// One that was acknowledged is bounded by time alone, or by nothing.
    #[must_use]
    pub fn gives_up(
        &self,
        attempts_made: u32,
        first_at: Instant,
        now: Instant,
        awaited: bool,
    ) -> bool {
        if awaited {
            return attempts_made >= self.settings.attempts_max;
        }
        let bound = self.settings.elapsed_max;
        !bound.is_zero() && now.saturating_duration_since(first_at) >= bound
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::RetryableErrors;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn delays_double_up_to_the_longest_and_jitter_draws_the_upper_half() {
        let mut settings = Retry {
            jitter: false,
            ..Retry::default()
        };
        let delays = |settings: &Retry, random| {
            let policy = RetryPolicy::new(settings);
            [1, 2, 3, 6, 7, u32::MAX].map(|made| policy.delay(made, None, random))
        };
        let whole = [100, 200, 400, 3200, 5000, 5000].map(MS);
        assert_eq!(delays(&settings, 0.0), whole);
        settings.jitter = true;
        assert_eq!(delays(&settings, 0.0), whole.map(|delay| delay / 2));
        assert_eq!(delays(&settings, 1.0), whole);
    }

    #[test]
    fn what_the_collector_asks_for_is_waited_for_even_over_the_longest_delay() {
        let policy = RetryPolicy::new(&Retry::default());
        assert_eq!(policy.delay(1, Some(MS(60_000)), 0.5), MS(60_000));
        assert_eq!(policy.delay(3, Some(MS(1)), 1.0), MS(400));
    }

    #[test]
    fn each_class_is_tried_again_only_where_it_is_named_and_can_help() {
        let classes = |errors| {
            let policy = RetryPolicy::new(&Retry {
                errors,
                ..Retry::default()
            });
            [
                Reason::Timeout,
                Reason::Collector(Code::DeadlineExceeded),
                Reason::Collector(Code::Cancelled),
                Reason::Connection,
                Reason::Collector(Code::Unavailable),
            ]
            .map(|reason| {
                assert!(!policy.class(reason, false), "{reason:?}");
                policy.class(reason, true)
            })
        };
        let none = RetryableErrors {
            timeout: false,
            connection: false,
            temporary: false,
        };
        assert_eq!(classes(none), [false; 5]);
        let timeout = RetryableErrors {
            timeout: true,
            ..none
        };
        assert_eq!(classes(timeout), [true, true, true, false, false]);
        let connection = RetryableErrors {
            connection: true,
            ..none
        };
        assert_eq!(classes(connection), [false, false, false, true, false]);
        let temporary = RetryableErrors {
            temporary: true,
            ..none
        };
        assert_eq!(classes(temporary), [false, false, false, false, true]);
    }

    #[test]
    fn attempts_bound_what_is_awaited_and_time_bounds_the_rest() {
        let start = crate::rt::now();
        let policy = RetryPolicy::new(&Retry::default());
        let late = start + Duration::from_secs(300);
        assert!(!policy.gives_up(2, start, late, true));
        assert!(policy.gives_up(3, start, start, true));
        assert!(!policy.gives_up(1000, start, late - MS(1), false));
        assert!(policy.gives_up(1, start, late, false));
        let for_ever = RetryPolicy::new(&Retry {
            elapsed_max: Duration::ZERO,
            ..Retry::default()
        });
        assert!(!for_ever.gives_up(u32::MAX, start, start + MS(1 << 40), false));
    }

    proptest! {
        #[test]
        fn a_delay_keeps_its_bounds(
            base in 1_u64..60_000,
            more in 0_u64..3_540_000,
            multiplier in 1.0_f64..=10.0,
            jitter: bool,
            made: u32,
            least in proptest::option::of(0_u64..10_000_000),
            random: f64,
        ) {
            let settings = Retry {
                base_delay: MS(base),
                max_delay: MS(base + more),
                multiplier,
                jitter,
                ..Retry::default()
            };
            let least = least.map(MS);
            let delay = RetryPolicy::new(&settings).delay(made, least, random);
            let floor = least.unwrap_or_default();
            prop_assert!(delay >= floor.max(MS(base) / 2));
            prop_assert!(delay <= floor.max(settings.max_delay));
        }

        #[test]
        fn without_jitter_no_delay_is_shorter_than_the_one_before(
            multiplier in 1.0_f64..=10.0,
            made in 1_u32..1000,
        ) {
            let settings = Retry { multiplier, jitter: false, ..Retry::default() };
            let policy = RetryPolicy::new(&settings);
            prop_assert!(policy.delay(made + 1, None, 0.5) >= policy.delay(made, None, 0.5));
        }
    }
}
