//! The outcome of a batch: into the ledger, then to every request of it, once.

use std::{rc::Rc, time::Instant};

use super::{DEFAULT_DELAY, Delivery, deadlines::deadline_passed};
use crate::{
    batch::{Batch, ExportRequest, Waiter},
    metrics::Settled,
    outcome::{Code, Outcome, Reason, Refusal},
};

/// Whether a collector refused a batch for what is in it or for its size: then a part of it may
/// well be taken.
pub(super) fn is_about_content(refusal: &Refusal) -> bool {
    !refusal.is_retryable()
        && matches!(
            refusal.reason(),
            Reason::Collector(Code::InvalidArgument | Code::ResourceExhausted)
        )
}

/// Whether a collector refused a batch for its size.
pub(super) fn is_about_size(refusal: &Refusal) -> bool {
    !refusal.is_retryable() && refusal.reason() == Reason::Collector(Code::ResourceExhausted)
}

impl Delivery {
    /// Enters a batch's outcome into the ledger, then answers its requests.
    ///
    /// What lies on the disk is never lost to a refusal that trying again can help: it stays there.
    pub(super) fn settle(&mut self, batch: Batch, outcome: Outcome) {
        let (signal, items, stored) = (batch.signal(), batch.items(), batch.stored_items());
        if let Outcome::Refused(refusal) = &outcome
            && refusal.is_retryable()
        {
            return self.refuse(batch, refusal);
        }
        if stored > 0 {
            for place in batch.places() {
                self.spooling.settle(place);
            }
            self.metrics.unstored(signal, stored);
        }
        match &outcome {
            Outcome::Accepted => self.metrics.settle(signal, items, Settled::Delivered),
            Outcome::Partial { rejected, .. } => {
                let rejected = (*rejected).min(items);
                self.metrics
                    .settle(signal, rejected, Settled::RejectedPartially);
                self.metrics
                    .settle(signal, items - rejected, Settled::Delivered);
            }
            Outcome::Refused(refusal) => {
                self.metrics
                    .settle(signal, items, Settled::Rejected(refusal.reason()));
            }
        }
        let share = Share::of(&batch, outcome);
        batch.resolve(|entry| share.of_request(entry.items));
    }

    /// Refuses what calls wait for, lets go of what lies on the disk, and drops what neither holds:
    /// there is nobody left who could send it again.
    fn refuse(&mut self, batch: Batch, refusal: &Refusal) {
        for (request, waiter) in batch.take_apart() {
            self.refuse_request(request, waiter, refusal.clone());
        }
    }

    /// Lets go of requests whose senders have gone, or have given up by now.
    pub(super) fn let_go(&mut self, batch: Batch, now: Instant) {
        for (request, waiter) in batch.take_apart() {
            let has_passed = request.deadline.is_some_and(|deadline| now >= deadline);
            let refusal = match has_passed {
                true => deadline_passed(),
                false => Refusal::retryable(
                    Reason::Cancelled,
                    DEFAULT_DELAY,
                    "the sender has gone before the data was sent on",
                ),
            };
            self.refuse_request(request, waiter, refusal);
        }
    }

    /// Refuses one request, or gives it up where its sender was answered; what lies on the disk stays
    /// there.
    pub(super) fn refuse_request(
        &mut self,
        request: ExportRequest,
        waiter: Option<Waiter>,
        refusal: Refusal,
    ) {
        if let Some(place) = request.place {
            return self.spooling.release(place);
        }
        let reason = refusal.reason();
        let how = match waiter {
            Some(_) => Settled::Refused(reason),
            None => Settled::Dropped(reason),
        };
        self.metrics.settle(request.signal, request.items, how);
        drop(request);
        if let Some(waiter) = waiter {
            waiter.answer(Outcome::Refused(refusal));
        }
    }
}

/// What each request of a batch is told of the batch's outcome.
enum Share {
    /// The same as the batch.
    Same(Outcome),
    /// All items were rejected, so each request's were.
    All(Rc<str>),
}

impl Share {
    /// A collector that rejects a part of a merged batch does not say whose items those were. What
    /// is true is told: one request alone gets the exact answer, all get it when all was rejected,
    /// and else each is warned with the figures of the batch.
    fn of(batch: &Batch, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Partial { rejected, message } if batch.requests() > 1 => {
                if rejected >= batch.items() {
                    return Self::All(message);
                }
                let warning = format!(
                    "the collector rejected {rejected} of the {} items of the batch that this \
                     request shared with {} others, without saying which: {message}",
                    batch.items(),
                    batch.requests() - 1,
                );
                let message = if rejected == 0 {
                    message
                } else {
                    Rc::from(warning)
                };
                Self::Same(Outcome::Partial {
                    rejected: 0,
                    message,
                })
            }
            outcome => Self::Same(outcome),
        }
    }

    fn of_request(&self, items: u64) -> Outcome {
        match self {
            Self::Same(outcome) => outcome.clone(),
            Self::All(message) => Outcome::Partial {
                rejected: items,
                message: Rc::clone(message),
            },
        }
    }
}
