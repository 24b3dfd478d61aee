//! To the disk and back: what is written before its sender hears OK, what is kept there while no
//! collector takes it, and how it returns.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    DEFAULT_DELAY, Delivery,
    flow::Step,
    ladder::Way,
    parcel::{Origin, Parcel},
};
use crate::{
    batch::{Batch, Batcher, ExportRequest, Permit, Waiter},
    config::Config,
    headers::{Forwarded, HeaderSet, HeaderSets, Unreadable},
    metrics::{Settled, Trigger},
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
    spool::{DiskError, Done, Event, Op, OpId, Place, Record, Refused, Spool, Ticket, Why},
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
const REPLAYED_BYTES: usize = 64 << 10;

/// Batches that were read back and are under way at the same time, while nothing live is.
///
/// - Source: chosen: hides the way to the collector; with one at a time beside what is live, that
///   waits for one.
const REPLAYED_IN_FLIGHT: usize = 4;

/// How long a disk that is full is not asked again.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// How long reading back waits for memory.
const MEMORY_PAUSE: Duration = Duration::from_millis(100);

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
    rate: u64,
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
    /// `bytes_max`: what the disk may hold of this shard. `rate`: bytes that may be read back in a second; 0: no bound.
    pub(super) fn new(
        config: &Config,
        spool: Option<(Spool, u64)>,
        rate: u64,
        now: Instant,
    ) -> Self {
        let (spool, bytes_max) = spool.unzip();
        Self {
            spool,
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
            bytes_max: bytes_max.unwrap_or(0),
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

    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let waits = self.is_held_back || self.replayed.iter().any(|queue| !queue.is_empty());
        let replay = (waits && self.next_at > now).then_some(self.next_at);
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
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanos = bytes.saturating_mul(1_000_000_000).checked_div(self.rate);
        if let Some(nanos) = nanos {
            self.next_at = self.next_at.max(now) + Duration::from_nanos(nanos);
        }
    }
}

impl Delivery {
    /// Writes a request to the disk; where that takes none, it goes the next way.
    pub(super) fn store(
        &mut self,
        request: ExportRequest,
        waiter: Option<Waiter>,
        then: Then,
        now: Instant,
    ) {
        self.is_stirred = true;
        let storing = Storing {
            request,
            waiter,
            then,
        };
        let Some(spool) = &mut self.spooling.spool else {
            return self.not_stored(storing, &no_spool(), now);
        };
        let request = &storing.request;
        let record = Record {
            signal: request.signal,
            encoding: request.encoding,
            items: request.items,
            at: self.unix.nanos(now),
            headers: match &request.headers {
                Some(set) => set.headers().lines().clone(),
                None => Bytes::new(),
            },
            body: request.body.clone(),
            bytes: request.bytes,
        };
        match spool.append(record, now) {
            Ok(ticket) => {
                self.spooling.refusing = None;
                self.spooling.storing.insert(ticket, storing);
            }
            Err(refused) => {
                let (refusal, pause) = refusal_of(refused);
                self.spooling.refusing = Some((refusal.clone(), now + pause));
                self.not_stored(storing, &refusal, now);
            }
        }
    }

    /// Writes every request of a parcel to the disk, but for those that lie there, and those whose
    /// senders have gone.
    pub(super) fn store_all(&mut self, parcel: Parcel, now: Instant) {
        self.spooling.taken_apart += 1;
        let origin = Origin::new(self.spooling.taken_apart, &parcel);
        let Some(parcel) = self.part_abandoned(parcel, now) else {
            return;
        };
        for (request, waiter) in parcel.batch.take_apart() {
            match request.place {
                Some(place) => self.spooling.release(place),
                None => self.store(request, waiter, Then::Leave(Some(origin)), now),
            }
        }
        self.go_on(now);
    }

    /// The disk does not take a request: where it was to be delivered anyway, its sender hears what
    /// a collector says; else it is refused, or waits in memory where its sender was answered. What
    /// had waited there before goes on with the attempts and the time that it has had.
    fn not_stored(&mut self, storing: Storing, refusal: &Refusal, now: Instant) {
        let Storing {
            request,
            waiter,
            then,
        } = storing;
        match then {
            Then::Leave(Some(origin)) if waiter.is_none() => {
                return self.bring_back(origin, request, refusal, now);
            }
            Then::Leave(_) if waiter.is_some() => {}
            _ => return self.gather(request, waiter, now),
        }
        let delay = refusal.retry_after().unwrap_or(DEFAULT_DELAY);
        let delay = self.jitter.between(delay, delay + delay / 2);
        let refusal = refusal.clone().with_delay(delay);
        self.refuse_request(request, waiter, refusal);
    }

    /// Gathers what comes back of a parcel: all of it does at once.
    fn bring_back(
        &mut self,
        origin: Origin,
        request: ExportRequest,
        refusal: &Refusal,
        now: Instant,
    ) {
        let returned = self.spooling.returned.as_ref();
        if returned.is_some_and(|it| it.origin.number != origin.number) {
            self.go_on(now);
        }
        let returned = self.spooling.returned.get_or_insert_with(|| Returned {
            origin,
            requests: Vec::new(),
            refusal: refusal.clone(),
        });
        returned.requests.push(request);
    }

    /// Goes on with what has come back, or gives it up where it has had its time.
    fn go_on(&mut self, now: Instant) {
        let Some(returned) = self.spooling.returned.take() else {
            return;
        };
        let Some(parcel) = returned.origin.parcel(returned.requests) else {
            return;
        };
        let since = parcel.first_at.unwrap_or_else(|| parcel.batch.sealed_at());
        if self.retry.gives_up(parcel.attempts, since, now, false) {
            return self.settle(parcel.batch, Outcome::Refused(returned.refusal));
        }
        self.queues[parcel.signal().index()].put_back(parcel);
    }

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

    /// A request is on the disk: its sender hears OK.
    fn stored(&mut self, ticket: Ticket, place: Place, now: Instant) {
        let Some(storing) = self.spooling.storing.remove(&ticket) else {
            return self.spooling.release(place);
        };
        let Storing {
            mut request,
            waiter,
            then,
        } = storing;
        self.metrics.stored(request.signal, request.items);
        if let Some(waiter) = waiter {
            waiter.answer(Outcome::Accepted);
        }
        let goes_on = matches!(then, Then::Deliver) && self.is_flowing(request.signal, now);
        if goes_on {
            request.place = Some(place);
            self.gather(request, None, now);
        } else {
            self.spooling.release(place);
        }
    }

    /// Whether what is on the disk is better sent from memory than read back: a collector takes it,
    /// and half of the memory is free for what comes in.
    fn is_flowing(&self, signal: Signal, now: Instant) -> bool {
        let has_memory = self.budget.used() < self.budget.limit() / 2;
        let way = self.way_of_replayed(signal, now);
        has_memory && matches!(way, Way::To(_) | Way::Full)
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

    /// Begins to read back where a collector takes it and memory has room.
    pub(super) fn replay(&mut self, now: Instant) {
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
    fn replayed(&mut self, records: Vec<(Place, Record)>, now: Instant) {
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
    pub(super) fn step_replayed(&mut self, signal: Signal, now: Instant) -> Step {
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
    pub(super) fn put_back(&mut self, batch: Batch, pause: Duration, now: Instant) {
        self.spooling.let_go(batch);
        self.spooling.pause(now + pause);
    }

    /// Lets go of everything that was read back.
    pub(super) fn stop_replay(&mut self) {
        for parcel in std::mem::take(&mut self.spooling.replayed)
            .into_iter()
            .flatten()
        {
            self.spooling.let_go(parcel.batch);
        }
    }
}

fn no_spool() -> Refusal {
    Refusal::retryable(Reason::SpoolFailed, DEFAULT_DELAY, "there is no spool")
}

fn failed(error: &DiskError) -> Refusal {
    let text = format!("the disk of the spool does not take the data: {error}");
    Refusal::retryable(Reason::SpoolFailed, DEFAULT_DELAY, text).shared()
}

/// What a sender is told, and how long the disk is not asked again.
fn refusal_of(refused: Refused) -> (Refusal, Duration) {
    match refused {
        Refused::Full {
            held, bytes_max, ..
        } => {
            let text = format!(
                "the spool is full: it holds {held} of the {bytes_max} bytes that a shard's share \
                 of spool.max_bytes allows"
            );
            let refusal = Refusal::retryable(Reason::SpoolFull, FULL_PAUSE, text);
            (refusal.shared(), FULL_PAUSE)
        }
        Refused::Broken { error, retry_in } => (failed(&error), retry_in),
        Refused::Closed => {
            let text = "the process is draining";
            let refusal = Refusal::retryable(Reason::Draining, DEFAULT_DELAY, text);
            (refusal, FULL_PAUSE)
        }
    }
}
