//! The time of the measurement on both clocks.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};

/// When things begin and end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The warm-up begins.
    pub(super) warm_up: Instant,
    /// The measurement begins.
    pub(super) start: Instant,
    /// It ends.
    pub(super) end: Instant,
    /// Nothing is waited for any longer.
    pub(super) deadline: Instant,
    /// The measurement begins, by the calendar.
    pub(super) date: SystemTime,
}

impl Window {
    /// A window that begins now, or whose measurement begins at a Unix time in seconds.
    pub(super) fn new(
        at: Option<f64>,
        warm_up: Duration,
        duration: Duration,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let (now, today) = (Instant::now(), SystemTime::now());
        let start = match at {
            None => now + warm_up,
            Some(at) => {
                let date = Duration::try_from_secs_f64(at).context("--start-at is no Unix time")?;
                let left = (SystemTime::UNIX_EPOCH + date).duration_since(today);
                let left = left.unwrap_or_default();
                ensure!(
                    left >= warm_up,
                    "the measurement cannot begin at {at}: that is in {:.3} s, the warm-up takes \
                     {:.3} s; name a later time",
                    left.as_secs_f64(),
                    warm_up.as_secs_f64()
                );
                now + left
            }
        };
        let end = start + duration;
        Ok(Self {
            warm_up: start - warm_up,
            start,
            end,
            deadline: end + timeout,
            date: today + (start - now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_measurement_begins_at_its_time_or_not_at_all() {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let at = now.as_secs_f64() + 3600.0;
        let window = Window::new(Some(at), SECOND, 2 * SECOND, 3 * SECOND).unwrap();
        assert_eq!(window.start - window.warm_up, SECOND);
        assert_eq!(window.deadline - window.start, 5 * SECOND);
        let date = window.date.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!((date.as_secs_f64() - at).abs() < 1e-3);
        let late = Window::new(Some(now.as_secs_f64()), SECOND, SECOND, SECOND).unwrap_err();
        assert!(late.to_string().contains("name a later time"), "{late}");
    }
}
