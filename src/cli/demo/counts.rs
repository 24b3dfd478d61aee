//! What the demo's threads count together, and the numbers that items are known by.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::signal::Signal;

/// Counters that the generator and the collector write and the report reads.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Turns taken by senders: requests begun, sent again or not.
    pub turns: AtomicU64,
    /// Requests on their way.
    pub in_flight: AtomicU64,
    /// Answers that were no acknowledgement.
    pub refused: AtomicU64,
    signals: [Items; 4],
}

#[derive(Debug, Default)]
struct Items {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    arrived: AtomicU64,
}

/// The counters of one signal, or of all, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Items that were given a number and sent.
    pub sent: u64,
    /// Items whose request was acknowledged.
    pub acknowledged: u64,
    /// Items that came to the collector, repeated ones too.
    pub arrived: u64,
}

impl Counts {
    /// Gives out the numbers of a request's items: the first of them.
    pub(super) fn issue(&self, signal: Signal, items: u64) -> u64 {
        self.signals[signal.index()].sent.fetch_add(items, Relaxed)
    }

    /// Whether an item of this number was ever sent.
    pub(super) fn is_issued(&self, signal: Signal, id: u64) -> bool {
        id < self.signals[signal.index()].sent.load(Relaxed)
    }

    pub(super) fn acknowledge(&self, signal: Signal, items: u64) {
        self.signals[signal.index()]
            .acknowledged
            .fetch_add(items, Relaxed);
    }

    pub(super) fn arrive(&self, signal: Signal, items: u64) {
        self.signals[signal.index()]
            .arrived
            .fetch_add(items, Relaxed);
    }

    /// One signal's counters.
    pub(super) fn of(&self, signal: Signal) -> Tally {
        let items = &self.signals[signal.index()];
        Tally {
            sent: items.sent.load(Relaxed),
            acknowledged: items.acknowledged.load(Relaxed),
            arrived: items.arrived.load(Relaxed),
        }
    }

    /// The sum over all signals.
    pub(super) fn all(&self) -> Tally {
        Signal::ALL
            .into_iter()
            .map(|signal| self.of(signal))
            .fold(Tally::default(), |sum, one| Tally {
                sent: sum.sent + one.sent,
                acknowledged: sum.acknowledged + one.acknowledged,
                arrived: sum.arrived + one.arrived,
            })
    }
}
