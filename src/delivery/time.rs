//! What is the time's to do: seal open batches, try again, look at the conditions of degradation.

use std::time::{Duration, Instant};

use super::{
    Delivery,
    ladder::{Asked, Way},
};
use crate::{batch::BatchKey, degrade::Triggers, metrics::Trigger, signal::Signal};

/// How often the conditions of degradation are looked at.
///
/// - Cost: sums of a window, some 100 ns.
const TRIGGERS_INTERVAL: Duration = Duration::from_millis(100);

impl Delivery {
    /// Time has passed, or what there is to read has been read: seals open batches that need not or
    /// must not wait any longer, tries again what is due.
    ///
    /// A batch need not wait while none of its signal is under way and a collector has room. Else it
    /// fills, so that batches are small at low load and large at high load by themselves. What is
    /// not merged anyway gains nothing by filling: it goes wherever a collector has room.
    pub fn tick(&mut self, now: Instant) {
        self.is_stirred = true;
        self.ticked_at = now;
        self.tick_due = None;
        for destination in &mut self.destinations {
            destination.tick(now);
        }
        self.spooling.tick(now);
        while let Some(due) = self.retries.first_entry()
            && due.key().0 <= now
        {
            let parcel = due.remove();
            self.queues[parcel.signal().index()].put_back(parcel);
        }
        self.look_at_triggers(now);
        for key in self.batcher.open_keys() {
            self.seal_ripe(&key, now);
        }
        self.look_at_deadlines(now);
    }

    fn seal_ripe(&mut self, key: &BatchKey, now: Instant) {
        if let Some(trigger) = self.ripe(key, now)
            && let Some(batch) = self.batcher.seal(key, trigger, now)
        {
            self.seal(batch);
        }
    }

    /// Why the open batch of these requests need not or must not wait any longer.
    fn ripe(&self, key: &BatchKey, now: Instant) -> Option<Trigger> {
        let &BatchKey {
            signal, encoding, ..
        } = key;
        let is_small = self.goes_on_alone(signal, encoding);
        let has_room = || {
            let asked = Asked {
                is_small,
                falls_back: false,
            };
            !matches!(self.way(signal, asked, now), Way::Full | Way::Paused(_))
        };
        let is_idle = || self.under_way[signal.index()] == 0 && !self.is_gathering(signal, now);
        if self.is_draining {
            Some(Trigger::Drain)
        } else if (is_small || is_idle()) && has_room() {
            Some(Trigger::Idle)
        } else {
            let is_due = self.batcher.is_due(key, now);
            is_due.then_some(Trigger::Interval)
        }
    }

    /// Whether a batch of this signal went so lately that the next should gather.
    fn is_gathering(&self, signal: Signal, now: Instant) -> bool {
        self.unfilled_at[signal.index()].is_some_and(|at| at > now)
    }

    /// When [`Delivery::tick`] has something to do.
    ///
    /// The clock goes on between a look at what is due and this: what has become due since is told
    /// too, or nobody would look at it again.
    #[must_use]
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let seen = self.ticked_at;
        let unfilled = self.unfilled_at.into_iter().flatten();
        let due = self.batcher.next_due();
        let gathered = due.and_then(|_| unfilled.filter(|at| *at > seen).min());
        let retry = self.retries.first_key_value().map(|((at, _), _)| *at);
        let blocked = self.blocked_until.into_iter().flatten().min();
        let destinations = self.destinations.iter();
        let destination = destinations
            .filter_map(|destination| destination.next_at(seen, now))
            .min();
        let mut triggers = self.triggers.iter();
        let is_judged = self.has_news || triggers.any(Triggers::depends_on_time);
        let is_judged = is_judged && self.degradation.enabled;
        let trigger = is_judged.then(|| self.triggers_at + TRIGGERS_INTERVAL);
        let spool = self.spooling.next_at(seen);
        // The disk is asked again for what waits for a collector and may go there.
        let is_waiting = || due.is_some() || self.queues.iter().any(|queue| !queue.is_empty());
        let disk = self.spooling.takes_again_at(seen);
        let disk = disk.filter(|_| is_waiting());
        let deadline = self.deadlines.next_at(now);
        let times = [
            self.tick_due,
            due,
            gathered,
            retry,
            blocked,
            destination,
            trigger,
            spool,
            disk,
            deadline,
        ];
        times.into_iter().flatten().min()
    }

    /// Whoever calls [`Delivery::tick`] goes to sleep: until [`Delivery::next_at`], or until it is
    /// woken for something sooner.
    pub fn fall_asleep(&mut self, now: Instant) -> Option<Instant> {
        self.sleeps_until = self.next_at(now);
        self.sleeps_until
    }

    /// Whether something is due before whoever sleeps wakes.
    ///
    /// - Cost: a look at each collector and each open batch.
    #[must_use]
    pub fn has_sooner(&self, now: Instant) -> bool {
        let next_at = self.next_at(now);
        next_at.is_some_and(|at| self.sleeps_until.is_none_or(|until| at < until))
    }

    /// Whether a batch of these requests is open: the first one wakes whoever sleeps, because it
    /// need not wait where nothing is under way.
    #[must_use]
    pub fn is_open(&self, key: &BatchKey) -> bool {
        self.batcher.is_open(key)
    }

    pub(super) fn look_at_triggers(&mut self, now: Instant) {
        if !self.degradation.enabled || now < self.triggers_at + TRIGGERS_INTERVAL {
            return;
        }
        self.triggers_at = now;
        self.has_news = false;
        for signal in Signal::ALL {
            let mut route = self.routes[signal.index()].iter();
            let is_out = route.all(|collector| self.destinations[*collector].is_out(now));
            let is_out = is_out && !self.routes[signal.index()].is_empty();
            if let Some(change) = self.triggers[signal.index()].evaluate(is_out, now) {
                self.is_stirred = true;
                self.degradation_changed(signal, &change);
            }
        }
    }
}
