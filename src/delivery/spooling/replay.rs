//! Back from the disk, behind all that is live.

use std::time::{Duration, Instant};

use super::super::{Delivery, flow::Step, ladder::Way};
use crate::{
    batch::{Batch, ExportRequest, Permit},
    metrics::Trigger,
    signal::Signal,
    spool::{Place, Record, Why},
};

/// Bytes of records that are read back at a time.
///
/// - Source: chosen: some batches' worth, read and checked within a millisecond; twice this is held
///   while a backlog is replayed.
const READ_BYTES: usize = 1 << 20;

/// Bytes of a batch that was read back, at the most.
///
/// - Source: measured: what is live waits for no more than the collector needs for so much
///   (docs/reliability.md).
pub(super) const REPLAYED_BYTES: usize = 64 << 10;

/// Batches that were read back and are under way at the same time, while nothing live is.
///
/// - Source: chosen: hides the way to the collector; with one at a time beside what is live, that
///   waits for one.
const REPLAYED_IN_FLIGHT: usize = 4;

/// How long reading back waits for memory.
const MEMORY_PAUSE: Duration = Duration::from_millis(100);

impl Delivery {
    /// Begins to read back where a collector takes it and memory has room.
    pub(in crate::delivery) fn replay(&mut self, now: Instant) {
        let is_waiting = self.spooling.replayed.iter().any(|queue| !queue.is_empty());
        if self.spooling.spool.is_none() || self.is_draining || is_waiting {
            return;
        }
        self.spooling.is_held_back = now < self.spooling.next_at;
        if self.spooling.is_held_back {
            return;
        }
        let wanted = Signal::ALL
            .map(|signal| matches!(self.way_of_replayed(signal, now), Way::To(_) | Way::Full));
        if !wanted.contains(&true) {
            return;
        }
        if Permit::none(&self.budget).room() < 2 * READ_BYTES.min(self.budget.limit() / 8) {
            self.spooling.is_held_back = true;
            return self.spooling.pause(now + MEMORY_PAUSE);
        }
        let bytes_max = READ_BYTES.min(self.budget.limit() / 8);
        if let Some(spool) = &mut self.spooling.spool {
            spool.replay(bytes_max, wanted, now);
        }
    }

    /// Records are back: batched like anything else, behind all that is live.
    pub(super) fn replayed(&mut self, records: Vec<(Place, Record)>, now: Instant) {
        if records.is_empty() {
            // Nothing could be read for now.
            return self.spooling.pause(now + MEMORY_PAUSE);
        }
        for (place, record) in records {
            let Ok(headers) = self.spooling.headers_of(&record) else {
                self.unreadable(place, &record);
                continue;
            };
            let mut permit = Permit::none(&self.budget);
            if self.is_draining || permit.cover(record.bytes).is_err() {
                self.spooling.release(place);
                self.spooling.pause(now + MEMORY_PAUSE);
                continue;
            }
            let request = ExportRequest {
                signal: record.signal,
                items: record.items,
                encoding: record.encoding,
                headers,
                body: record.body,
                bytes: record.bytes,
                deadline: None,
                place: Some(place),
                permit,
            };
            let sealed = self.spooling.batcher.push(request, None, now);
            self.queue_replayed(sealed);
        }
        for key in self.spooling.batcher.open_keys() {
            let sealed = self.spooling.batcher.seal(&key, Trigger::Idle, now);
            self.queue_replayed(sealed);
        }
    }

    /// The headers of a record are none that may go on: it is given up like one that the disk has
    /// lost, because without them it would go to nobody's tenant or to another's.
    fn unreadable(&mut self, place: Place, record: &Record) {
        let mut items = [0; 4];
        items[record.signal.index()] = record.items;
        self.spooling.settle(place);
        self.metrics.spool_damaged(1);
        tracing::warn!(
            segment = place.segment.file(),
            record = place.ordinal,
            "the headers of a stored record cannot be read"
        );
        self.dropped(1, items, Why::Damaged);
    }

    fn queue_replayed(&mut self, sealed: Option<Batch>) {
        let Some(batch) = sealed else { return };
        let signal = batch.signal();
        let parcels = self.parcels(batch, true);
        self.spooling.replayed[signal.index()].extend(parcels);
    }

    /// Sends the next batch that was read back, where there is room beside what is live.
    pub(in crate::delivery) fn step_replayed(&mut self, signal: Signal, now: Instant) -> Step {
        let is_live = self.under_way.iter().any(|count| *count > 0);
        let in_flight_max = if is_live { 1 } else { REPLAYED_IN_FLIGHT };
        if self.spooling.in_flight >= in_flight_max || now < self.spooling.next_at {
            return Step::Nothing;
        }
        let Some(parcel) = self.spooling.replayed[signal.index()].pop_front() else {
            return Step::Nothing;
        };
        match self.way_of_replayed(signal, now) {
            Way::To(collector) => self.start(parcel, collector, now),
            Way::Full | Way::Disk => {
                self.spooling.replayed[signal.index()].push_front(parcel);
                Step::Nothing
            }
            // Nothing is read back before a collector may be called: a time that is told now would
            // outlast one that is found well sooner.
            Way::Paused(_) | Way::Out(_) => {
                self.put_back(parcel.batch, Duration::ZERO, now);
                Step::Did
            }
        }
    }

    /// Lets go of a batch that was read back, and reads nothing back for a while.
    pub(in crate::delivery) fn put_back(&mut self, batch: Batch, pause: Duration, now: Instant) {
        self.spooling.let_go(batch);
        self.spooling.pause(now + pause);
    }

    /// Lets go of everything that was read back.
    pub(in crate::delivery) fn stop_replay(&mut self) {
        for parcel in std::mem::take(&mut self.spooling.replayed)
            .into_iter()
            .flatten()
        {
            self.spooling.let_go(parcel.batch);
        }
    }
}
