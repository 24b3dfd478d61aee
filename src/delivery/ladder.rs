//! Which way a parcel goes now: to a collector, to the fallback, to the disk, or nowhere yet.

use std::time::{Duration, Instant};

use super::{Delivery, destination::Destination, parcel::Parcel};
use crate::{
    degrade::{BreakerState, Why},
    signal::Signal,
};

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To this collector, now.
    To(usize),
    /// To a collector, as soon as it has a place.
    Full,
    /// To the disk.
    Disk,
    /// Nowhere for so long: collectors that may be called, but were not reached just now.
    Paused(Duration),
    /// Nowhere for so long: no collector may be called.
    Out(Duration),
}

/// What a way is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub is_small: bool,
    /// Whether the collectors of the signal have had their chance.
    pub falls_back: bool,
}

impl Asked {
    pub(super) const fn of(parcel: &Parcel) -> Self {
        Self {
            is_small: parcel.is_small,
            falls_back: parcel.falls_back,
        }
    }

    /// A batch like any other.
    pub(super) const BATCH: Self = Self {
        is_small: false,
        falls_back: false,
    };
}

impl Delivery {
    /// The way of what is live, down the ladder: the collectors of its signal, the fallback, the
    /// disk. The steps below the collectors are taken where these are all out, and where a
    /// condition of degradation holds.
    pub(super) fn way(&self, signal: Signal, asked: Asked, now: Instant) -> Way {
        let primaries = self.among(&self.routes[signal.index()], asked, now);
        if !asked.falls_back && !matches!(primaries, Way::Out(_)) && !self.is_degraded(signal) {
            return primaries;
        }
        if let Some(way) = self.fallback_way(asked, now) {
            return way;
        }
        if self.can_store(now) {
            return Way::Disk;
        }
        match primaries {
            Way::To(_) | Way::Full if asked.falls_back => Way::Paused(Duration::ZERO),
            way => way,
        }
    }

    /// Whether a condition of degradation holds while the collectors may be called.
    fn is_degraded(&self, signal: Signal) -> bool {
        let active = self.triggers[signal.index()].active();
        active.is_some_and(|active| active.why != Why::BreakerOpen)
    }

    /// The way of what was read back from the disk.
    pub(super) fn way_of_replayed(&self, signal: Signal, now: Instant) -> Way {
        let primaries = self.among(&self.routes[signal.index()], Asked::BATCH, now);
        match primaries {
            Way::Out(_) => self.fallback_way(Asked::BATCH, now).unwrap_or(primaries),
            way => way,
        }
    }

    fn fallback_way(&self, asked: Asked, now: Instant) -> Option<Way> {
        if !self.degradation.enabled || !self.degradation.use_fallback {
            return None;
        }
        let way = self.among(&[self.fallback?], asked, now);
        matches!(way, Way::To(_) | Way::Full).then_some(way)
    }

    /// Whether the disk takes data in place of a collector.
    pub(super) fn can_store(&self, now: Instant) -> bool {
        self.degradation.enabled && self.degradation.use_cache && self.spooling.takes(now)
    }

    /// The collector with the fewest requests in flight among those that may be called; of equals,
    /// each in its turn.
    fn among(&self, route: &[usize], asked: Asked, now: Instant) -> Way {
        let (before, after) = route.split_at(self.turn % route.len().max(1));
        let mut best: Option<(usize, usize)> = None;
        let (mut is_callable, mut is_paused) = (false, false);
        let mut left = Duration::MAX;
        for collector in after.iter().chain(before) {
            let destination: &Destination = &self.destinations[*collector];
            match destination.callable(now) {
                Ok(()) => {
                    is_callable = true;
                    let in_flight = destination.in_flight();
                    if destination.has_room(asked.is_small)
                        && best.is_none_or(|(least, _)| in_flight < least)
                    {
                        best = Some((in_flight, *collector));
                    }
                }
                // Its trial calls are under way, and their answers will tell.
                Err(_) if destination.is_on_trial(now) => is_callable = true,
                Err(wait) => {
                    left = left.min(wait);
                    is_paused |= !destination.is_out(now);
                }
            }
        }
        match best {
            Some((_, collector)) => Way::To(collector),
            None if is_callable => Way::Full,
            None if is_paused => Way::Paused(left),
            None => Way::Out(left),
        }
    }
}

impl Destination {
    /// Whether its breaker is half-open and has no place for one more trial.
    fn is_on_trial(&self, now: Instant) -> bool {
        self.is_healthy() && self.breaker(now) == BreakerState::HalfOpen && !self.is_pausing(now)
    }
}
