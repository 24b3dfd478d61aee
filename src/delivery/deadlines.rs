//! Deadlines of senders: who has given up is told so, and what was not sent for it is let go.
//!
//! SDKs name a deadline with every request, some seconds away, and nearly every request is answered
//! long before. So none has a timer or a place in an order: one time is kept that no deadline is
//! before, and all that waits is looked through only when that time is near.

use std::time::{Duration, Instant};

use super::{Delivery, parcel::Parcel, queue::Queue};
use crate::{
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
};

/// How far a deadline may be away to be waited for.
///
/// - Source: chosen: [`Delivery::sweep`] looks once a second, and may be late.
const NEAR: Duration = Duration::from_secs(2);

/// How often what waits is looked through.
///
/// - Cost: some ns a batch that waits. Where many deadlines pass one after the other, all but the
///   first are told so much later at the most.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The one time that is kept.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// No deadline is sooner; `None` where there is none.
    soonest: Option<Instant>,
    /// What waits is not looked through again before.
    rests_until: Option<Instant>,
}

impl Deadlines {
    /// A request comes whose sender waits.
    pub(super) fn note(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && self.soonest.is_none_or(|soonest| deadline < soonest)
        {
            self.soonest = Some(deadline);
        }
    }

    /// When what waits is to be looked through, where that is near.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let soonest = self.soonest.filter(|soonest| *soonest <= now + NEAR)?;
        Some(self.rests_until.map_or(soonest, |until| until.max(soonest)))
    }
}

impl Delivery {
    /// Finds out whether a deadline is near, once a second or so.
    pub fn sweep(&mut self, now: Instant) {
        if self.deadlines.next_at(now).is_some() {
            self.deadlines.soonest = self.soonest_deadline();
        }
    }

    /// Tells the senders whose deadlines have passed. What no collector and no disk has yet of
    /// theirs is let go; what is under way goes on, and is counted by what comes of it.
    pub(super) fn look_at_deadlines(&mut self, now: Instant) {
        if self.deadlines.next_at(now).is_none_or(|at| now < at) {
            return;
        }
        let is_late = |parcel: &Parcel| parcel.batch.deadline().is_some_and(|at| now >= at);
        for signal in Signal::ALL {
            if !self.queues[signal.index()].iter().any(is_late) {
                continue;
            }
            for parcel in std::mem::take(&mut self.queues[signal.index()]).into_parcels() {
                let kept = match is_late(&parcel) {
                    true => self.part_abandoned(parcel, now),
                    false => Some(parcel),
                };
                if let Some(kept) = kept {
                    self.queues[signal.index()].push(kept);
                }
            }
            self.report_queue(signal);
        }
        let retries = self.retries.iter();
        let late = retries.filter(|(_, parcel)| is_late(parcel));
        let late: Vec<_> = late.map(|(place, _)| *place).collect();
        for place in late {
            if let Some(parcel) = self.retries.remove(&place)
                && let Some(kept) = self.part_abandoned(parcel, now)
            {
                self.retries.insert(place, kept);
            }
        }
        let outcome = Outcome::Refused(deadline_passed());
        for (_, sent) in &mut self.in_flight {
            if is_late(&sent.parcel) {
                sent.parcel.batch.tell_late(now, &outcome);
            }
        }
        self.spooling.tell_late(now, &outcome);
        self.deadlines = Deadlines {
            soonest: self.soonest_deadline(),
            rests_until: Some(now + LOOK_INTERVAL),
        };
    }

    /// The first deadline of all that wait and were not told.
    fn soonest_deadline(&self) -> Option<Instant> {
        let queued = self.queues.iter().flat_map(Queue::iter);
        let under_way = self.in_flight.iter().map(|(_, sent)| &sent.parcel);
        let parcels = queued.chain(self.retries.values()).chain(under_way);
        let deadlines = parcels.filter_map(|parcel| parcel.batch.deadline());
        let elsewhere = [self.batcher.deadline(), self.spooling.deadline()];
        deadlines.chain(elsewhere.into_iter().flatten()).min()
    }
}

/// What a sender is told whose deadline has passed.
pub(super) fn deadline_passed() -> Refusal {
    Refusal::retryable(
        Reason::Deadline,
        super::DEFAULT_DELAY,
        "the deadline that the sender named has passed before the data was delivered",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_soonest_deadline_is_kept_and_told_once_it_is_near() {
        let now = crate::rt::now();
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.next_at(now), None);
        for seconds in [10, 5, 7] {
            deadlines.note(Some(now + Duration::from_secs(seconds)));
        }
        deadlines.note(None);
        let soonest = now + Duration::from_secs(5);
        assert_eq!(deadlines.next_at(now), None, "it is far");
        assert_eq!(deadlines.next_at(soonest - NEAR), Some(soonest));
    }

    #[test]
    fn what_waits_is_looked_through_so_often_at_the_most() {
        let now = crate::rt::now();
        let deadlines = Deadlines {
            soonest: Some(now),
            rests_until: Some(now + LOOK_INTERVAL),
        };
        assert_eq!(deadlines.next_at(now), Some(now + LOOK_INTERVAL));
    }
}
