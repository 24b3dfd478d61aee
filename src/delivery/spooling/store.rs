//! To the disk: what is written before its sender hears OK, and what is kept there while no collector
//! takes it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    super::{
        DEFAULT_DELAY, Delivery,
        ladder::Way,
        parcel::{Origin, Parcel},
    },
    Returned, Storing, Then,
};
use crate::{
    batch::{ExportRequest, Waiter},
    outcome::{Outcome, Reason, Refusal},
    signal::Signal,
    spool::{DiskError, Place, Record, Refused, Ticket},
};

/// How long a disk that is full is not asked again.
const FULL_PAUSE: Duration = Duration::from_secs(1);

impl Delivery {
    /// Writes a request to the disk; where that takes none, it goes the next way.
    pub(in crate::delivery) fn store(
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
                if self.spooling.refusing.take().is_some() {
                    // What waits for a collector may go to the disk now.
                    self.tick_due = Some(now);
                }
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
    pub(in crate::delivery) fn store_all(&mut self, parcel: Parcel, now: Instant) {
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
    pub(super) fn not_stored(&mut self, storing: Storing, refusal: &Refusal, now: Instant) {
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
    pub(super) fn go_on(&mut self, now: Instant) {
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

    /// A request is on the disk: its sender hears OK.
    pub(super) fn stored(&mut self, ticket: Ticket, place: Place, now: Instant) {
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
}

fn no_spool() -> Refusal {
    Refusal::retryable(Reason::SpoolFailed, DEFAULT_DELAY, "there is no spool")
}

pub(super) fn failed(error: &DiskError) -> Refusal {
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
