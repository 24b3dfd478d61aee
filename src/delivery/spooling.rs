//! To the disk and back: what is written before its sender hears OK, what is kept there while no
//! collector takes it, and how it returns.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::{
    Delivery, LentSpool,
    parcel::{Origin, Parcel},
};
use crate::{
    batch::{Batch, Batcher, ExportRequest, Waiter},
    config::Config,
    headers::{Forwarded, HeaderSet, HeaderSets, Unreadable},
    metrics::Settled,
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
    spool::{DiskError, Done, Event, Op, OpId, Place, Record, Spool, Ticket, Why},
};
pub use rate::ReplayRate;
use replay::REPLAYED_BYTES;
use store::failed;

mod rate;
mod replay;
mod store;

/// What becomes of a request once it is on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// It goes on to a collector at once.
    Deliver,
    /// It is read back when a collector takes it. Where the disk does not take it, it goes on as
    /// what it was a part of.
    Leave(Option<Origin>),
}

/// The spool as the deliveries use it; without one, nothing lies on the disk.
#[derive(Debug)]
pub(super) struct Spooling {
    spool: Option<Spool>,
    storing: HashMap<Ticket, Storing>,
    /// Parcels that were taken apart for the disk.
    taken_apart: u64,
    returned: Option<Returned>,
    /// Why nothing is taken, and until when nothing is asked.
    refusing: Option<(Refusal, Instant)>,
    pub(super) replayed: [VecDeque<Parcel>; 4],
    batcher: Batcher,
    /// Headers of what was read back. They were let in once, and are as many as one reading holds,
    /// so they have no other bound.
    header_sets: HeaderSets,
    bytes_max: u64,
    rate: Option<Arc<ReplayRate>>,
    next_at: Instant,
    /// Something may be read back once `next_at` is there.
    is_held_back: bool,
    pub in_flight: usize,
    pub failures: u32,
}

/// A request that is being written.
#[derive(Debug)]
struct Storing {
    request: ExportRequest,
    waiter: Option<Waiter>,
    then: Then,
}

/// Requests of one parcel that the disk has not taken, why, and what they were a part of.
#[derive(Debug)]
struct Returned {
    origin: Origin,
    requests: Vec<ExportRequest>,
    refusal: Refusal,
}

impl Spooling {
    pub(super) fn new(config: &Config, lent: Option<LentSpool>, now: Instant) -> Self {
        let (bytes_max, rate) = lent.as_ref().map_or((0, None), |lent| {
            (lent.bytes_max, Some(Arc::clone(&lent.replay_rate)))
        });
        Self {
            spool: lent.map(|lent| lent.spool),
            storing: HashMap::new(),
            taken_apart: 0,
            returned: None,
            refusing: None,
            replayed: Default::default(),
            batcher: Batcher::new(
                config.batch.items_max,
                config.batch.bytes_max.min(REPLAYED_BYTES),
                config.batch.flush_interval,
            ),
            header_sets: HeaderSets::new(usize::MAX),
            bytes_max,
            rate,
            next_at: now,
            is_held_back: false,
            in_flight: 0,
            failures: 0,
        }
    }

    pub(super) const fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// Whether there is a disk.
    pub(super) const fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// The share of the disk that is filled; 0 without one.
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    pub(super) fn fill(&self) -> f64 {
        let bytes = self.spool.as_ref().map_or(0, Spool::bytes);
        bytes as f64 / self.bytes_max.max(1) as f64
    }

    /// Whether there is a disk that takes data, as far as is known.
    pub(super) fn takes(&self, now: Instant) -> bool {
        let is_refusing = self.refusing.as_ref();
        self.spool.is_some() && is_refusing.is_none_or(|(_, until)| now >= *until)
    }

    /// When the disk is asked again, as far as that was not `seen` to be due.
    pub(super) fn takes_again_at(&self, seen: Instant) -> Option<Instant> {
        let until = self.refusing.as_ref().map(|(_, until)| *until);
        until.filter(|until| *until > seen)
    }

    pub(super) fn settle(&mut self, place: Place) {
        if let Some(spool) = &mut self.spool {
            spool.settle(place);
        }
    }

    pub(super) fn release(&mut self, place: Place) {
        if let Some(spool) = &mut self.spool {
            spool.release(place);
        }
    }

    /// Headers that go on with a record; an error where they cannot be read.
    fn headers_of(&self, record: &Record) -> Result<Option<HeaderSet>, Unreadable> {
        let headers = Forwarded::parse(record.headers.clone())?;
        // There is no bound to be met.
        Ok(self.header_sets.get(&headers).unwrap_or_default())
    }

    /// Lets go of a batch that was read back: it stays on the disk.
    pub(super) fn let_go(&mut self, batch: Batch) {
        for place in batch.places() {
            self.release(place);
        }
        batch.discard();
    }

    pub(super) fn next_op(&mut self, now: Instant) -> Option<(OpId, Op)> {
        self.spool.as_mut()?.next_op(now)
    }

    pub(super) fn done(&mut self, op: OpId, came: Result<Done, DiskError>, now: Instant) {
        if let Some(spool) = &mut self.spool {
            spool.done(op, came, now);
        }
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if let Some(spool) = &mut self.spool {
            spool.tick(now);
        }
    }

    /// When something is to be done that was not `seen` to be due.
    pub(super) fn next_at(&self, seen: Instant) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let waits = self.is_held_back || self.replayed.iter().any(|queue| !queue.is_empty());
        let replay = (waits && self.next_at > seen).then_some(self.next_at);
        spool.next_at().into_iter().chain(replay).min()
    }

    pub(super) fn close(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.close();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.spool.as_ref().is_none_or(Spool::is_closed)
    }

    /// The first deadline of the senders whose requests are being written.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let storing = self.storing.values();
        let untold = storing.filter(|it| it.waiter.as_ref().is_some_and(|it| !it.is_gone()));
        untold.filter_map(|it| it.request.deadline).min()
    }

    /// Tells the calls whose senders have given up by now, though their requests are being written.
    pub(super) fn tell_late(&mut self, now: Instant, outcome: &Outcome) {
        for storing in self.storing.values_mut() {
            if let Some(waiter) = &storing.waiter
                && storing.request.deadline.is_some_and(|at| now >= at)
            {
                waiter.tell(outcome.clone());
            }
        }
    }

    /// Requests that are being written, and batches that were read back.
    pub(super) fn pending(&self) -> usize {
        let replayed: usize = self.replayed.iter().map(VecDeque::len).sum();
        self.storing.len() + replayed + usize::from(self.returned.is_some())
    }

    /// Reads nothing back before then.
    pub(super) fn pause(&mut self, until: Instant) {
        self.next_at = self.next_at.max(until);
    }

    /// A batch that was read back goes out: the next one waits as the rate says.
    pub(super) fn went(&mut self, bytes: usize, now: Instant) {
        self.in_flight += 1;
        if let Some(rate) = &self.rate {
            self.pause(rate.take(bytes, now));
        }
    }
}

impl Delivery {
    /// What the spool has to say; whether there was anything.
    pub(super) fn hear_spool(&mut self, now: Instant) -> bool {
        let Some(spool) = &mut self.spooling.spool else {
            return false;
        };
        let event = spool.next_event();
        if !matches!(event, Some(Event::Failed(..))) {
            self.go_on(now);
        }
        let Some(event) = event else {
            return false;
        };
        self.is_stirred = true;
        match event {
            Event::Stored(ticket, place) => self.stored(ticket, place, now),
            Event::Failed(ticket, error) => {
                let refusal = failed(&error);
                if let Some(storing) = self.spooling.storing.remove(&ticket) {
                    self.not_stored(storing, &refusal, now);
                }
            }
            Event::Recovered { records, items } => {
                for signal in Signal::ALL {
                    self.metrics.recovered(signal, items[signal.index()]);
                }
                tracing::info!(
                    records,
                    items = items.iter().sum::<u64>(),
                    "records of an earlier run were found in the spool"
                );
            }
            Event::Replayed(records) => self.replayed(records, now),
            Event::Dropped {
                records,
                items,
                why,
            } => self.dropped(records, items, why),
            Event::Damaged {
                segment,
                offset,
                bytes,
                records,
                is_torn,
            } => self.damaged(&segment.file(), offset, bytes, records, is_torn),
            Event::Unread {
                segment,
                offset,
                error,
            } => tracing::warn!(
                segment = segment.file(),
                offset,
                %error,
                "a segment of an earlier run cannot be read: it is tried again"
            ),
            Event::Foreign { segment, version } => tracing::warn!(
                segment = segment.file(),
                version,
                "a segment of the spool was written by a newer version: it is left as it is"
            ),
            Event::Synced { took, bytes } => self.metrics.spool_synced(took, bytes),
            Event::BecameBroken(error) => tracing::error!(
                %error,
                "the disk of the spool fails: nothing is stored until it works again"
            ),
            Event::Mended => tracing::info!("the disk of the spool works again"),
        }
        true
    }

    fn dropped(&self, records: u64, items: [u64; 4], why: Why) {
        let reason = match why {
            Why::Full => Reason::SpoolFull,
            Why::Expired => Reason::SpoolExpired,
            Why::Damaged => Reason::SpoolDamaged,
        };
        for signal in Signal::ALL {
            let items = items[signal.index()];
            self.metrics.unstored(signal, items);
            self.metrics.settle(signal, items, Settled::Dropped(reason));
        }
        tracing::warn!(
            records,
            items = items.iter().sum::<u64>(),
            reason = reason.name(),
            "stored records were given up"
        );
    }

    fn damaged(&self, segment: &str, offset: u64, bytes: u64, records: u64, is_torn: bool) {
        self.metrics.spool_damaged(records);
        if is_torn {
            tracing::info!(segment, offset, bytes, "the torn end of a segment was cut");
        } else {
            tracing::warn!(
                segment,
                offset,
                bytes,
                records,
                "a part of a segment is damaged: what is whole before and after it is kept"
            );
        }
    }
}
