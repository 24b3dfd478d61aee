//! The account of one signal's items on one shard: every item received is in exactly one state.
//!
//! received = delivered + rejected + refused + dropped + sampled + waiting + stored
//!
//! Each step is one store, followed by a store to a version that counts steps, so a reader that
//! finds the version unchanged has seen the state between two steps. What is waiting is what was
//! received and neither settled nor stored; it has no word of its own that could disagree.

use std::{
    hint,
    ops::AddAssign,
    sync::atomic::{Ordering, fence},
};

use super::{
    cell::{Counter, Gauge},
    labels::{ORIGINS, REASONS, SPOOL_ORIGIN, Settled, Transport},
};

/// How often a reader starts again when the writer has made a step meanwhile.
///
/// - Chosen: a read takes about 100 ns and a busy shard makes a step every 5 µs, so the second
///   try nearly always succeeds; the bound only keeps a scrape finite.
const READ_TRIES_MAX: usize = 1000;

/// States with a reason, each of which has one slot a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Rejected = 0,
    Refused = 1,
    Dropped = 2,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Rejected, Self::Refused, Self::Dropped];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

/// One signal's items on one shard. Written by the shard's thread only.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Ledger {
    version: Counter,
    received: [Counter; ORIGINS],
    delivered: Counter,
    sampled: Counter,
    /// Items on disk whose outcome is open. The one word that falls too.
    stored: Gauge,
    failed: [[Counter; REASONS]; 3],
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            version: Counter::new(),
            received: [const { Counter::new() }; ORIGINS],
            delivered: Counter::new(),
            sampled: Counter::new(),
            stored: Gauge::new(),
            failed: [const { [const { Counter::new() }; REASONS] }; 3],
        }
    }

    pub(super) fn receive(&self, transport: Transport, items: u64) {
        self.step(&self.received[transport as usize], items);
    }

    /// Enters items that an earlier run of the process left on disk: received, then stored.
    pub(super) fn recover(&self, items: u64) {
        self.step(&self.received[SPOOL_ORIGIN], items);
        self.store(items);
    }

    /// Moves items from waiting to stored.
    pub(super) fn store(&self, items: u64) {
        debug_assert!(
            self.copy().waiting() >= items,
            "an item is stored while it is waiting"
        );
        self.move_stored(signed(items));
    }

    /// Moves items from stored back to waiting.
    pub(super) fn unstore(&self, items: u64) {
        debug_assert!(
            self.stored.get() >= items,
            "an item leaves the disk that was stored there"
        );
        self.move_stored(-signed(items));
    }

    pub(super) fn settle(&self, items: u64, how: Settled) {
        debug_assert!(
            self.copy().waiting() >= items,
            "an item is settled once, and after it was received"
        );
        let slot = match how {
            Settled::Delivered => &self.delivered,
            Settled::Sampled => &self.sampled,
            Settled::Rejected(reason) => &self.failed[State::Rejected as usize][reason.index()],
            Settled::RejectedPartially => &self.failed[State::Rejected as usize][REASONS - 1],
            Settled::Refused(reason) => &self.failed[State::Refused as usize][reason.index()],
            Settled::Dropped(reason) => &self.failed[State::Dropped as usize][reason.index()],
        };
        self.step(slot, items);
    }

    /// One step: the store to `slot` is ordered after the version of the step before it and
    /// before its own, which is what [`Ledger::try_read`] relies on.
    fn step(&self, slot: &Counter, items: u64) {
        slot.add_release(items);
        self.version.add_release(1);
    }

    /// One step, as [`Ledger::step`] is.
    fn move_stored(&self, items: i64) {
        self.stored.add_release(items);
        self.version.add_release(1);
    }

    /// The account as it stood between two steps, or where the writer left no gap in
    /// [`READ_TRIES_MAX`] tries, one in which no more is settled and stored than received.
    pub(super) fn read(&self) -> Reading {
        (0..READ_TRIES_MAX)
            .find_map(|_| {
                let reading = self.try_read();
                if reading.is_none() {
                    hint::spin_loop();
                }
                reading
            })
            .unwrap_or_else(|| self.copy())
    }

    fn try_read(&self) -> Option<Reading> {
        let before = self.version.get_acquire();
        let reading = self.copy();
        fence(Ordering::Acquire);
        (self.version.get() == before).then_some(reading)
    }

    /// Copies what is settled, then what is stored, then what is received. At no moment is more
    /// settled and stored than received; what is settled only grew until the moment when what is
    /// stored was read, and what is received only grew after it. So even a copy that the writer
    /// runs through never shows more settled and stored than received.
    fn copy(&self) -> Reading {
        self.copy_with(|| ())
    }

    /// The same; `pause` is called between any two words that are read.
    fn copy_with(&self, mut pause: impl FnMut()) -> Reading {
        let mut reading = Reading::default();
        let settled = [&self.delivered, &self.sampled];
        let settled = settled.into_iter().chain(self.failed.iter().flatten());
        let into = [&mut reading.delivered, &mut reading.sampled].into_iter();
        for (into, from) in into.chain(reading.failed.iter_mut().flatten()).zip(settled) {
            *into = from.get_acquire();
            pause();
        }
        reading.stored = self.stored.get_acquire();
        for (into, from) in reading.received_by.iter_mut().zip(&self.received) {
            pause();
            *into = from.get();
        }
        reading
    }
}

/// A count as a difference; no process counts to 2⁶³ items.
fn signed(items: u64) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// A copy of a [`Ledger`], or the sum of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Items received, by [`Transport`], then those of an earlier run that were found on disk.
    pub(super) received_by: [u64; ORIGINS],
    pub(super) delivered: u64,
    pub(super) sampled: u64,
    pub(super) stored: u64,
    failed: [[u64; REASONS]; 3],
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            received_by: [0; ORIGINS],
            delivered: 0,
            sampled: 0,
            stored: 0,
            failed: [[0; REASONS]; 3],
        }
    }
}

impl Reading {
    /// Items of a state by reason, in the order of [`super::labels::reason_names`].
    pub(super) const fn failed(&self, state: State) -> &[u64; REASONS] {
        &self.failed[state as usize]
    }

    pub(super) fn total(&self, state: State) -> u64 {
        self.failed(state).iter().sum()
    }

    pub(super) fn received(&self) -> u64 {
        self.received_by.iter().sum()
    }

    pub(super) fn settled(&self) -> u64 {
        self.delivered + self.sampled + self.failed.iter().flatten().sum::<u64>()
    }

    /// Items received and neither settled nor stored. Were more settled and stored than received,
    /// it is 0 and the identity does not hold, for everyone to see.
    pub(super) fn waiting(&self) -> u64 {
        self.received().saturating_sub(self.settled() + self.stored)
    }
}

impl AddAssign<&Self> for Reading {
    fn add_assign(&mut self, other: &Self) {
        for (into, from) in self.received_by.iter_mut().zip(other.received_by) {
            *into += from;
        }
        self.delivered += other.delivered;
        self.sampled += other.sampled;
        self.stored += other.stored;
        for (into, from) in self
            .failed
            .iter_mut()
            .flatten()
            .zip(other.failed.iter().flatten())
        {
            *into += from;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    };

    use super::*;
    use crate::outcome::{Code, Reason};

    /// Items that the writer of the test has waiting at the most.
    const WAITING_MAX: u64 = 12;

    /// Items that the writer of the test has stored at the most.
    const STORED_MAX: u64 = 9;

    fn write_one_round(ledger: &Ledger) {
        ledger.receive(Transport::Grpc, 5);
        ledger.receive(Transport::Http, 7);
        ledger.store(6);
        ledger.settle(4, Settled::Delivered);
        ledger.recover(3);
        ledger.settle(1, Settled::RejectedPartially);
        ledger.unstore(7);
        ledger.unstore(2);
        ledger.settle(3, Settled::Delivered);
        ledger.settle(2, Settled::Refused(Reason::Connection));
        ledger.settle(
            1,
            Settled::Rejected(Reason::Collector(Code::InvalidArgument)),
        );
        ledger.settle(3, Settled::Dropped(Reason::Timeout));
        ledger.settle(1, Settled::Sampled);
    }

    /// A writer runs while a reader checks every read: each final state only grows, nothing is
    /// settled or stored that was not received, not even in a torn copy, and a read between two
    /// steps shows no more waiting and no more stored than there ever is.
    #[test]
    fn the_identity_holds_at_every_read_while_a_writer_runs() {
        let ledger = Arc::new(Ledger::new());
        let stop = Arc::new(AtomicBool::new(false));
        let writer = thread::spawn({
            let (ledger, stop) = (Arc::clone(&ledger), Arc::clone(&stop));
            move || {
                let mut rounds = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    write_one_round(&ledger);
                    rounds += 1;
                    if rounds.is_multiple_of(64) {
                        thread::yield_now();
                    }
                }
                rounds
            }
        });
        let mut last = Reading::default();
        let mut between_steps = 0;
        let mut reads = 0;
        while reads < 20_000 || between_steps == 0 {
            let torn = ledger.copy();
            assert!(torn.settled() + torn.stored <= torn.received(), "{torn:?}");
            let reading = ledger.try_read().inspect(|reading| {
                between_steps += 1;
                assert!(reading.waiting() <= WAITING_MAX, "{reading:?}");
                assert!(reading.stored <= STORED_MAX, "{reading:?}");
            });
            let reading = reading.unwrap_or_else(|| ledger.read());
            assert_eq!(
                reading.received(),
                reading.settled() + reading.stored + reading.waiting()
            );
            assert!(last.received() <= reading.received() && last.settled() <= reading.settled());
            last = reading;
            reads += 1;
        }
        stop.store(true, Ordering::Relaxed);
        let rounds = writer.join().unwrap();
        let end = ledger.read();
        assert_eq!((end.received(), end.waiting()), (rounds * 15, 0));
        assert_eq!((end.received_by[SPOOL_ORIGIN], end.stored), (rounds * 3, 0));
        assert_eq!(end.total(State::Rejected), rounds * 2);
    }

    /// A copy is torn at every place, by a writer that goes once or twice round its four steps there.
    #[test]
    fn a_copy_that_the_writer_runs_through_shows_no_more_settled_and_stored_than_received() {
        let steps: [fn(&Ledger); 4] = [
            |ledger| ledger.receive(Transport::Grpc, 3),
            |ledger| ledger.store(3),
            |ledger| ledger.unstore(3),
            |ledger| ledger.settle(3, Settled::Dropped(Reason::Timeout)),
        ];
        for (begin, each) in (0..4).flat_map(|begin| (1..=8).map(move |each| (begin, each))) {
            for place in 0..2 + 3 * REASONS + ORIGINS {
                let ledger = Ledger::new();
                let mut step = steps.iter().cycle();
                let mut advance = |steps| step.by_ref().take(steps).for_each(|step| step(&ledger));
                advance(begin);
                let mut at = 0;
                let torn = ledger.copy_with(|| {
                    if at == place {
                        advance(each);
                    }
                    at += 1;
                });
                assert!(
                    torn.settled() + torn.stored <= torn.received(),
                    "{begin} steps, then {each} at {place}: {torn:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_stored_is_neither_waiting_nor_settled_until_it_comes_back() {
        let ledger = Ledger::new();
        ledger.receive(Transport::Grpc, 5);
        ledger.store(4);
        ledger.recover(10);
        let seen = || {
            let reading = ledger.read();
            (reading.waiting(), reading.stored, reading.settled())
        };
        assert_eq!(seen(), (1, 14, 0));
        ledger.unstore(14);
        assert_eq!(seen(), (15, 0, 0));
        ledger.settle(15, Settled::Delivered);
        assert_eq!(seen(), (0, 0, 15));
        assert_eq!(ledger.read().received_by, [5, 0, 10]);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "an item is stored while it is waiting")]
    fn storing_what_is_not_waiting_is_caught() {
        let ledger = Ledger::new();
        ledger.receive(Transport::Grpc, 2);
        ledger.store(2);
        ledger.store(1);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "an item leaves the disk that was stored there")]
    fn taking_back_what_was_not_stored_is_caught() {
        let ledger = Ledger::new();
        ledger.receive(Transport::Grpc, 2);
        ledger.unstore(1);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "an item is settled once")]
    fn settling_what_is_stored_is_caught() {
        let ledger = Ledger::new();
        ledger.recover(2);
        ledger.settle(2, Settled::Delivered);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "an item is settled once")]
    fn settling_what_was_not_received_is_caught() {
        Ledger::new().settle(1, Settled::Delivered);
    }
}
