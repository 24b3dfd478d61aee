//! Whether a collector is well, by what its probes say.

use std::time::Instant;

use crate::config::HealthCheck;

/// Characters of a probe's error that are kept: it may be a collector's text of any length.
const ERROR_MAX: usize = 200;

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The collector says that it is well.
    Healthy,
    /// It answers, and does not speak of its health.
    Alive,
    /// It does not answer, or says that it is not well: why.
    Unhealthy(String),
}

/// The health of one collector.
///
/// It counts as healthy until `unhealthy_threshold` probes in a row have failed, and then as
/// unhealthy until `healthy_threshold` in a row were good.
#[derive(Clone, Debug)]
pub struct Health {
    unhealthy_threshold: u32,
    healthy_threshold: u32,
    is_healthy: bool,
    /// Probes in a row that say otherwise than `is_healthy`.
    contrary: u32,
    since: Option<Instant>,
    last_error: Option<String>,
}

impl Health {
    /// A collector that was not probed yet.
    #[must_use]
    pub const fn new(settings: &HealthCheck) -> Self {
        Self {
            unhealthy_threshold: settings.unhealthy_threshold,
            healthy_threshold: settings.healthy_threshold,
            is_healthy: true,
            contrary: 0,
            since: None,
            last_error: None,
        }
    }

    /// Takes in what a probe found. `Some` where that changes whether the collector is healthy.
    pub fn probed(&mut self, probe: Probe, now: Instant) -> Option<bool> {
        self.since.get_or_insert(now);
        let is_good = match probe {
            Probe::Healthy | Probe::Alive => true,
            Probe::Unhealthy(error) => {
                self.last_error = Some(error.chars().take(ERROR_MAX).collect());
                false
            }
        };
        if is_good == self.is_healthy {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let threshold = if is_good {
            self.healthy_threshold
        } else {
            self.unhealthy_threshold
        };
        if self.contrary < threshold {
            return None;
        }
        self.contrary = 0;
        self.is_healthy = is_good;
        self.since = Some(now);
        Some(is_good)
    }

    /// Whether the collector counts as healthy.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.is_healthy
    }

    /// Since when the collector is as it is, at the earliest since its first probe; `None` before.
    #[must_use]
    pub const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// What the last failed probe said, at most 200 characters, also after it got well.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn bad() -> Probe {
        Probe::Unhealthy("refused".to_owned())
    }

    #[test]
    fn it_takes_three_bad_probes_in_a_row_to_fall_and_two_good_ones_to_rise() {
        let mut now = crate::rt::now();
        let mut health = Health::new(&HealthCheck::default());
        let mut told = |probe| {
            now += Duration::from_secs(30);
            let change = health.probed(probe, now);
            (change, health.is_healthy())
        };
        assert_eq!(told(bad()), (None, true));
        assert_eq!(told(bad()), (None, true));
        assert_eq!(told(Probe::Alive), (None, true));
        assert_eq!(told(bad()), (None, true), "the row begins anew");
        assert_eq!(told(bad()), (None, true));
        assert_eq!(told(bad()), (Some(false), false));
        assert_eq!(told(bad()), (None, false));
        assert_eq!(told(Probe::Healthy), (None, false));
        assert_eq!(told(bad()), (None, false));
        assert_eq!(told(Probe::Alive), (None, false));
        assert_eq!(told(Probe::Healthy), (Some(true), true));
        assert_eq!(health.since(), Some(now));
        assert_eq!(health.last_error(), Some("refused"));
    }

    #[test]
    fn nothing_is_known_before_the_first_probe_has_told() {
        let mut health = Health::new(&HealthCheck::default());
        assert_eq!(health.since(), None);
        let later = crate::rt::now() + Duration::from_secs(5);
        health.probed(Probe::Alive, later);
        assert_eq!(health.since(), Some(later));
    }

    #[test]
    fn an_endless_error_is_cut_between_characters() {
        let mut health = Health::new(&HealthCheck::default());
        health.probed(Probe::Unhealthy("é".repeat(10_000)), crate::rt::now());
        assert_eq!(health.last_error(), Some("é".repeat(ERROR_MAX).as_str()));
    }

    proptest! {
        #[test]
        fn it_changes_exactly_at_a_whole_row(
            unhealthy_threshold in 1_u32..5,
            healthy_threshold in 1_u32..5,
            probes in proptest::collection::vec(any::<bool>(), 1..100),
        ) {
            let now = crate::rt::now();
            let mut health = Health::new(&HealthCheck {
                unhealthy_threshold,
                healthy_threshold,
                ..HealthCheck::default()
            });
            for end in 1..=probes.len() {
                let good = probes[end - 1];
                let was = health.is_healthy();
                let change = health.probed(if good { Probe::Alive } else { bad() }, now);
                let threshold = if good { healthy_threshold } else { unhealthy_threshold };
                let row = probes[..end].iter().rev().take_while(|it| **it == good).count();
                let is_due = good != was && row >= usize::try_from(threshold).unwrap();
                prop_assert_eq!(change, is_due.then_some(good));
                prop_assert_eq!(health.is_healthy(), if is_due { good } else { was });
            }
        }
    }
}
