//! One collector as the decisions see it: how much is under way, and whether a call may be made.

use std::time::{Duration, Instant};

use crate::{
    config::{CircuitBreaker, Endpoint, Export, HealthCheck},
    degrade::{Breaker, BreakerState, Call, Health, Probe, Transition, Verdict},
    jitter::Jitter,
};

/// Small messages that take the place of one among those in flight.
///
/// - Source: chosen: a full batch of compressed requests of a common size holds about so many.
pub(super) const SMALL_PER_PLACE: usize = 16;

/// The pause after the first failed connection; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between two tries of a collector that cannot be reached.
///
/// - Source: chosen: a collector that is back is found within it.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The longest time between two probes of a collector that is not called.
///
/// - Source: chosen: with the default of two good probes, a collector that is back is called again
///   within a few seconds, however long `health_check.interval` is.
const URGENT_PROBE: Duration = Duration::from_secs(2);

/// How long the size that a collector refused is remembered.
///
/// - Source: chosen: a collector whose limit was raised is found out by one more refusal.
const SIZE_REMEMBERED: Duration = Duration::from_secs(600);

/// A collector: no socket, only what is known of it.
#[derive(Debug)]
pub(super) struct Destination {
    pub name: String,
    /// In parts of [`SMALL_PER_PLACE`].
    in_flight: usize,
    places: usize,
    is_multiplexed: bool,
    breaker: Breaker,
    health: Health,
    probed_at: Option<Instant>,
    is_probed: bool,
    /// The last word of it was that it cannot be reached.
    was_unreachable: bool,
    interval: Duration,
    pause: Pause,
    /// Batches over this were refused for their size.
    bytes_max: Option<(usize, Instant)>,
    error: Option<String>,
}

#[derive(Debug, Default)]
struct Pause {
    failures: u32,
    until: Option<Instant>,
}

/// A place taken: what the answer gives back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    share: usize,
    call: Call,
}

impl Destination {
    pub(super) fn new(
        endpoint: &Endpoint,
        export: &Export,
        breaker: &CircuitBreaker,
        health: &HealthCheck,
    ) -> Self {
        Self {
            name: endpoint.authority(),
            in_flight: 0,
            places: export.in_flight_max(endpoint),
            is_multiplexed: endpoint.is_multiplexed(),
            breaker: Breaker::new(breaker),
            health: Health::new(health),
            probed_at: None,
            is_probed: false,
            was_unreachable: false,
            interval: health.interval,
            pause: Pause::default(),
            bytes_max: None,
            error: None,
        }
    }

    /// Requests that may be in flight.
    pub(super) const fn places(&self) -> usize {
        self.places
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What a message takes of the places: a whole one where it takes a connection.
    const fn share(&self, is_small: bool) -> usize {
        if is_small && self.is_multiplexed {
            1
        } else {
            SMALL_PER_PLACE
        }
    }

    pub(super) const fn has_room(&self, is_small: bool) -> bool {
        self.in_flight + self.share(is_small) <= self.places * SMALL_PER_PLACE
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    ///
    /// How long it may take until one may be.
    pub(super) fn callable(&self, now: Instant) -> Result<(), Duration> {
        if !self.health.is_healthy() {
            let next = self.next_probe_at(now);
            return Err(next.saturating_duration_since(now).max(PAUSE_MIN));
        }
        let open = self.breaker.would_begin(now);
        match self.pause.until.filter(|until| *until > now) {
            // An open breaker mostly outlasts the pause: its time is the one to be told.
            Some(until) => Err(until
                .saturating_duration_since(now)
                .max(open.err().unwrap_or_default())),
            None => open,
        }
    }

    /// Whether the breaker is open or a probe has taken the collector out: then no call is worth a
    /// sender's patience.
    pub(super) fn is_out(&self, now: Instant) -> bool {
        !self.health.is_healthy() || self.breaker.state(now) == BreakerState::Open
    }

    /// Whether it is left alone for a moment.
    pub(super) fn is_pausing(&self, now: Instant) -> bool {
        self.pause.until.is_some_and(|until| until > now)
    }

    /// Takes a place for a call; `None` where the breaker allows none.
    pub(super) fn begin(&mut self, is_small: bool, now: Instant) -> Option<Place> {
        let call = self.breaker.begin(now).ok()?;
        let share = self.share(is_small);
        self.in_flight += share;
        Some(Place { share, call })
    }

    /// Gives a place back.
    pub(super) fn end(&mut self, place: Place, verdict: Verdict, now: Instant) {
        self.in_flight -= place.share;
        self.breaker.end(place.call, verdict, now);
        if verdict == Verdict::Success {
            self.pause = Pause::default();
            self.error = None;
        }
    }

    /// No connection could be made: the collector is left alone for a moment.
    pub(super) fn unreachable(&mut self, error: &str, jitter: &Jitter, now: Instant) {
        let pause = PAUSE_MIN
            .saturating_mul(1 << self.pause.failures.min(10))
            .min(PAUSE_MAX);
        self.pause.failures = self.pause.failures.saturating_add(1);
        self.pause.until = Some(now + jitter.between(pause / 2, pause));
        self.error = Some(error.to_owned());
        self.was_unreachable = true;
    }

    pub(super) fn failed(&mut self, error: &str) {
        self.error = Some(error.to_owned());
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.error
            .as_deref()
            .or_else(|| match self.health.is_healthy() {
                true => None,
                false => self.health.last_error(),
            })
    }

    pub(super) fn breaker(&self, now: Instant) -> BreakerState {
        self.breaker.state(now)
    }

    pub(super) fn transition(&mut self) -> Option<Transition> {
        self.breaker.transition()
    }

    /// Whether a probe has told anything of it.
    pub(super) const fn was_probed(&self) -> bool {
        self.health.since().is_some()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.health.is_healthy()
    }

    /// The time does what is the time's to do.
    pub(super) fn tick(&mut self, now: Instant) {
        self.breaker.tick(now);
    }

    /// When something is to be done that was not `seen` to be due.
    pub(super) fn next_at(&self, seen: Instant, now: Instant) -> Option<Instant> {
        let probe = (!self.is_probed).then(|| self.next_probe_at(now));
        let over = self.pause.until.filter(|until| *until > seen);
        [self.breaker.next_at(), probe, over]
            .into_iter()
            .flatten()
            .min()
    }

    /// When it is to be probed next: soon where no call is made that would tell.
    fn next_probe_at(&self, now: Instant) -> Instant {
        let Some(probed_at) = self.probed_at else {
            return now;
        };
        let interval = match self.is_out(now) {
            true => self.interval.min(URGENT_PROBE),
            false => self.interval,
        };
        probed_at + interval
    }

    /// Whether it is to be probed now; the answer is [`Destination::probed`]'s.
    pub(super) fn begin_probe(&mut self, now: Instant) -> bool {
        // The first look is at the first connection's, not at the start's.
        let Some(probed_at) = self.probed_at else {
            self.probed_at = Some(now);
            return false;
        };
        if self.is_probed || now < self.next_probe_at(now) || now <= probed_at {
            return false;
        }
        self.is_probed = true;
        true
    }

    /// What a probe came to; says whether the collector was taken out (`false`) or is back.
    pub(super) fn probed(&mut self, probe: Probe, now: Instant) -> Option<bool> {
        self.is_probed = false;
        self.probed_at = Some(now);
        // One that answers without a word on its health has something to tell where it did not
        // answer before; else only a call can tell whether it works again.
        let is_news = match &probe {
            Probe::Healthy => true,
            Probe::Alive => self.was_unreachable,
            Probe::Unhealthy(_) => false,
        };
        self.was_unreachable = matches!(probe, Probe::Unhealthy(_));
        let changed = self.health.probed(probe, now);
        if (is_news || changed == Some(true)) && self.health.is_healthy() {
            self.breaker.probe_succeeded(now);
            self.pause.until = None;
        }
        changed
    }

    /// A batch of this size was refused for it.
    pub(super) fn too_large(&mut self, bytes: usize, now: Instant) {
        self.bytes_max = Some((bytes / 2, now + SIZE_REMEMBERED));
    }

    /// Whether a batch of this size is better cut before it is sent.
    pub(super) fn is_too_large(&self, bytes: usize, now: Instant) -> bool {
        self.bytes_max
            .is_some_and(|(bytes_max, until)| bytes > bytes_max && now < until)
    }
}
