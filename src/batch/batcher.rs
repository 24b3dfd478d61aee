//! When a batch is sealed, and what it holds.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Permit, Waiter};
use crate::{
    encoding::Encoding, headers::HeaderSet, metrics::Trigger, outcome::Outcome, signal::Signal,
    spool::Place,
};

/// What the requests of one batch have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// What they carry.
    pub signal: Signal,
    /// How each is packed.
    pub encoding: Encoding,
    /// Headers of their senders that go on with them; `None` where there are none.
    pub headers: Option<HeaderSet>,
}

impl BatchKey {
    /// Requests without headers that go on with them.
    #[must_use]
    pub const fn plain(signal: Signal, encoding: Encoding) -> Self {
        Self {
            signal,
            encoding,
            headers: None,
        }
    }
}

/// One request that was received, proven and counted.
#[derive(Debug)]
pub struct ExportRequest {
    /// What it carries.
    pub signal: Signal,
    /// Spans, data points, log records or samples in it.
    pub items: u64,
    /// How its body is packed.
    pub encoding: Encoding,
    /// Headers of its sender that go on with it; `None` where there are none.
    pub headers: Option<HeaderSet>,
    /// Its body as it lies.
    pub body: Vec<Bytes>,
    /// The body's length, packed as it is.
    pub bytes: usize,
    /// When its sender gives up; `None` where that is not known.
    pub deadline: Option<Instant>,
    /// Where it lies on the disk; `None` where it does not.
    pub place: Option<Place>,
    /// Its part of the budget: held as long as its bytes are.
    pub permit: Permit,
}

impl ExportRequest {
    /// What it has in common with the requests that it may share a batch with.
    #[must_use]
    pub fn key(&self) -> BatchKey {
        BatchKey {
            signal: self.signal,
            encoding: self.encoding,
            headers: self.headers.clone(),
        }
    }
}

/// One request's place in a batch.
#[derive(Debug)]
pub struct Entry {
    /// Items of the request.
    pub items: u64,
    /// Where the request lies on the disk; `None` where it does not.
    pub place: Option<Place>,
    bytes: usize,
    slices: usize,
    deadline: Option<Instant>,
    waiter: Option<Waiter>,
    permit: Permit,
}

/// Requests that go to a collector as one: the bytes of each, one after the other, unchanged.
///
/// Answered by [`Batch::resolve`], which consumes it: nobody is answered twice.
#[derive(Debug)]
#[must_use = "calls wait for this batch"]
pub struct Batch {
    key: BatchKey,
    entries: Vec<Entry>,
    slices: Arc<[Bytes]>,
    items: u64,
    bytes: usize,
    deadline: Option<Instant>,
    sealed_at: Instant,
    trigger: Trigger,
}

impl Batch {
    /// What it carries.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.key.signal
    }

    /// How each of its requests is packed.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.key.encoding
    }

    /// Headers of the senders that go on with its requests: the same for all of them.
    #[must_use]
    pub const fn headers(&self) -> Option<&HeaderSet> {
        self.key.headers.as_ref()
    }

    /// Items of all its requests.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// Bytes of all its requests, packed as they are.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Requests in it.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.entries.len()
    }

    /// When it was sealed.
    #[must_use]
    pub const fn sealed_at(&self) -> Instant {
        self.sealed_at
    }

    /// Why it was sealed.
    #[must_use]
    pub const fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The merged body, as the slices that were received.
    #[must_use]
    pub fn slices(&self) -> Arc<[Bytes]> {
        Arc::clone(&self.slices)
    }

    /// Whether calls wait for the outcome; where none does, they have been acknowledged already.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.entries.iter().any(|entry| entry.waiter.is_some())
    }

    /// When the first of the senders that wait gives up; `None` where none says when, or all that
    /// do were told.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tells the calls whose senders have given up by now, though their requests go on.
    pub fn tell_late(&mut self, now: Instant, outcome: &Outcome) {
        self.deadline = None;
        for entry in &self.entries {
            let (Some(waiter), Some(deadline)) = (&entry.waiter, entry.deadline) else {
                continue;
            };
            if now < deadline {
                self.deadline = sooner(self.deadline, Some(deadline));
            } else if !waiter.is_gone() {
                waiter.tell(outcome.clone());
            }
        }
    }

    /// Cuts the batch into two of about as many requests each; `Err` with the batch itself where
    /// there is but one.
    ///
    /// # Errors
    ///
    /// The batch of one request.
    pub fn split(mut self) -> Result<(Self, Self), Self> {
        if self.entries.len() < 2 {
            return Err(self);
        }
        let second = self.entries.split_off(self.entries.len() / 2);
        let at: usize = self.entries.iter().map(|entry| entry.slices).sum();
        let (head, tail) = self.slices.split_at(at);
        let first = std::mem::take(&mut self.entries);
        Ok((self.part(first, head), self.part(second, tail)))
    }

    /// Cuts the batch into its requests, in their order.
    pub fn into_requests(mut self) -> Vec<Self> {
        let mut rest = &*self.slices;
        let entries = std::mem::take(&mut self.entries);
        let requests = entries.into_iter().map(|entry| {
            let (slices, after) = rest.split_at(entry.slices);
            rest = after;
            self.part(vec![entry], slices)
        });
        requests.collect()
    }

    /// Takes the batch apart into what it was made of: each request, and who waits for it.
    pub fn take_apart(mut self) -> Vec<(ExportRequest, Option<Waiter>)> {
        let mut rest = &*self.slices;
        let entries = std::mem::take(&mut self.entries);
        let requests = entries.into_iter().map(|entry| {
            let (slices, after) = rest.split_at(entry.slices);
            rest = after;
            let request = ExportRequest {
                signal: self.key.signal,
                items: entry.items,
                encoding: self.key.encoding,
                headers: self.key.headers.clone(),
                body: slices.to_vec(),
                bytes: entry.bytes,
                deadline: entry.deadline,
                place: entry.place,
                permit: entry.permit,
            };
            (request, entry.waiter)
        });
        requests.collect()
    }

    /// Whether a request's sender has gone, or has given up by now.
    #[must_use]
    pub fn has_abandoned(&self, now: Instant) -> bool {
        self.entries.iter().any(|entry| entry.is_abandoned(now))
    }

    /// Parts the requests whose senders have gone, or have given up by now, from the others;
    /// either part may be missing.
    pub fn part_abandoned(mut self, now: Instant) -> (Option<Self>, Option<Self>) {
        let (mut kept, mut kept_slices) = (Vec::new(), Vec::new());
        let (mut gone, mut gone_slices) = (Vec::new(), Vec::new());
        let mut rest = &*self.slices;
        for entry in std::mem::take(&mut self.entries) {
            let (slices, after) = rest.split_at(entry.slices);
            rest = after;
            if entry.is_abandoned(now) {
                gone.push(entry);
                gone_slices.extend_from_slice(slices);
            } else {
                kept.push(entry);
                kept_slices.extend_from_slice(slices);
            }
        }
        let part = |entries: Vec<Entry>, slices: &[Bytes]| {
            (!entries.is_empty()).then(|| self.part(entries, slices))
        };
        (part(kept, &kept_slices), part(gone, &gone_slices))
    }

    /// Puts together again what was taken apart, as it was sealed then; nobody waits for it. `None`
    /// where there is nothing.
    pub fn put_together(
        requests: Vec<ExportRequest>,
        sealed_at: Instant,
        trigger: Trigger,
    ) -> Option<Self> {
        let key = requests.first()?.key();
        let mut open = Open::default();
        for request in requests {
            debug_assert!(request.key() == key, "a batch is of one kind");
            let (entry, body) = Entry::of(request, None);
            open.add(entry, body, sealed_at);
        }
        open.seal(key, trigger, sealed_at)
    }

    /// Lets go of a batch that lies on the disk: nobody waits for it.
    pub fn discard(self) {
        debug_assert!(!self.is_awaited(), "a call that waits is answered");
    }

    /// Items of the requests that lie on the disk.
    #[must_use]
    pub fn stored_items(&self) -> u64 {
        let stored = self.entries.iter().filter(|entry| entry.place.is_some());
        stored.map(|entry| entry.items).sum()
    }

    /// Where its requests lie on the disk, as far as they do.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.entries.iter().filter_map(|entry| entry.place)
    }

    fn part(&self, entries: Vec<Entry>, slices: &[Bytes]) -> Self {
        Self {
            key: self.key.clone(),
            items: entries.iter().map(|entry| entry.items).sum(),
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
            deadline: entries.iter().filter_map(|entry| entry.deadline).min(),
            entries,
            slices: slices.into(),
            sealed_at: self.sealed_at,
            trigger: self.trigger,
        }
    }

    /// Answers every request with what `outcome_of` says, and gives their memory back.
    pub fn resolve(self, mut outcome_of: impl FnMut(&Entry) -> Outcome) {
        drop(self.slices);
        for entry in self.entries {
            let outcome = outcome_of(&entry);
            drop(entry.permit);
            if let Some(waiter) = entry.waiter {
                waiter.answer(outcome);
            }
        }
    }
}

impl Entry {
    /// A request's place in a batch, and its body.
    fn of(request: ExportRequest, waiter: Option<Waiter>) -> (Self, Vec<Bytes>) {
        let entry = Self {
            items: request.items,
            place: request.place,
            bytes: request.bytes,
            slices: request.body.len(),
            // Nobody gives up who does not wait.
            deadline: request.deadline.filter(|_| waiter.is_some()),
            waiter,
            permit: request.permit,
        };
        (entry, request.body)
    }

    fn is_abandoned(&self, now: Instant) -> bool {
        let Some(waiter) = &self.waiter else {
            return false;
        };
        waiter.is_gone() || self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// The open batches of each signal: one for each encoding that requests came in, so that what is
/// sent is packed in one way, and for each set of headers that goes on with them, so that no
/// sender's data goes on under the name of another.
///
/// - Shard: one per shard.
/// - Time: `now` must not go backwards; told by the caller.
#[derive(Debug)]
pub struct Batcher {
    items_max: u64,
    bytes_max: usize,
    age_max: Duration,
    open: [[OpenBatches; Encoding::ALL.len()]; 4],
}

/// The open batches of a signal and an encoding.
#[derive(Debug, Default)]
struct OpenBatches {
    plain: Open,
    /// Those that hold something, by what goes on with their requests.
    by_headers: BTreeMap<HeaderSet, Open>,
}

#[derive(Debug, Default)]
struct Open {
    entries: Vec<Entry>,
    slices: Vec<Bytes>,
    items: u64,
    bytes: usize,
    since: Option<Instant>,
    deadline: Option<Instant>,
}

impl Batcher {
    /// Batches of at most `items_max` items and `bytes_max` bytes that are at most `age_max` old.
    #[must_use]
    pub fn new(items_max: u64, bytes_max: usize, age_max: Duration) -> Self {
        Self {
            items_max,
            bytes_max,
            age_max,
            open: Default::default(),
        }
    }

    /// Takes a request and who waits for its outcome; returns the batch that it sealed, if it did.
    pub fn push(
        &mut self,
        request: ExportRequest,
        waiter: Option<Waiter>,
        now: Instant,
    ) -> Option<Batch> {
        let key = request.key();
        let (items, bytes) = (request.items, request.bytes);
        let (entry, body) = Entry::of(request, waiter);
        if !key.signal.merges() || bytes >= self.bytes_max || items >= self.items_max {
            let mut alone = Open::default();
            alone.add(entry, body, now);
            return alone.seal(key, Trigger::Alone, now);
        }
        let Self {
            items_max,
            bytes_max,
            ref mut open,
            ..
        } = *self;
        let batches = &mut open[key.signal.index()][key.encoding.index()];
        let open = match &key.headers {
            None => &mut batches.plain,
            Some(headers) => batches.by_headers.entry(headers.clone()).or_default(),
        };
        let over = |open: &Open, items: u64, bytes: usize| {
            if open.bytes + bytes > bytes_max {
                Some(Trigger::Bytes)
            } else if open.items + items > items_max {
                Some(Trigger::Size)
            } else {
                None
            }
        };
        // What does not fit beside the others waits in a batch of its own.
        if let Some(trigger) = over(open, items, bytes) {
            let sealed = open.seal(key, trigger, now);
            open.add(entry, body, now);
            return sealed;
        }
        open.add(entry, body, now);
        // Full when not one more byte or item would fit.
        over(open, 1, 1).and_then(|trigger| self.seal(&key, trigger, now))
    }

    /// Seals the open batch of these requests, if it holds anything.
    pub fn seal(&mut self, key: &BatchKey, trigger: Trigger, now: Instant) -> Option<Batch> {
        let batches = &mut self.open[key.signal.index()][key.encoding.index()];
        match &key.headers {
            None => batches.plain.seal(key.clone(), trigger, now),
            Some(headers) => {
                let mut open = batches.by_headers.remove(headers)?;
                open.seal(key.clone(), trigger, now)
            }
        }
    }

    /// Whether the open batch of these requests holds anything.
    #[must_use]
    pub fn is_open(&self, key: &BatchKey) -> bool {
        self.open_of(key).is_some_and(|open| open.since.is_some())
    }

    /// Whether the open batch of these requests has waited long enough, for its age or for one of
    /// its senders.
    #[must_use]
    pub fn is_due(&self, key: &BatchKey, now: Instant) -> bool {
        self.open_of(key).is_some_and(|open| {
            let is_old = open.since.is_some_and(|since| now >= since + self.age_max);
            is_old || open.deadline.is_some_and(|deadline| now >= deadline)
        })
    }

    /// When the first of the senders that wait for an open batch gives up.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.all_open().filter_map(|open| open.deadline).min()
    }

    fn open_of(&self, key: &BatchKey) -> Option<&Open> {
        let batches = &self.open[key.signal.index()][key.encoding.index()];
        match &key.headers {
            None => Some(&batches.plain),
            Some(headers) => batches.by_headers.get(headers),
        }
    }

    fn all_open(&self) -> impl Iterator<Item = &Open> {
        let batches = self.open.iter().flatten();
        batches.flat_map(|it| std::iter::once(&it.plain).chain(it.by_headers.values()))
    }

    /// The open batches that hold something.
    ///
    /// - Cost: nothing is allocated where there is none.
    #[must_use]
    pub fn open_keys(&self) -> Vec<BatchKey> {
        let mut keys = Vec::new();
        for (signal, encodings) in Signal::ALL.into_iter().zip(&self.open) {
            for (encoding, batches) in Encoding::ALL.into_iter().zip(encodings) {
                let plain = BatchKey::plain(signal, encoding);
                let by_headers = batches.by_headers.keys().map(|headers| BatchKey {
                    headers: Some(headers.clone()),
                    ..BatchKey::plain(signal, encoding)
                });
                keys.extend(batches.plain.since.map(|_| plain));
                keys.extend(by_headers);
            }
        }
        keys
    }

    /// When the next open batch has waited long enough.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let oldest = self.all_open().filter_map(|open| open.since).min()?;
        Some(oldest + self.age_max)
    }
}

impl Open {
    fn add(&mut self, entry: Entry, body: Vec<Bytes>, now: Instant) {
        self.since.get_or_insert(now);
        self.items += entry.items;
        self.bytes += entry.bytes;
        self.deadline = sooner(self.deadline, entry.deadline);
        self.slices.extend(body);
        self.entries.push(entry);
    }

    fn seal(&mut self, key: BatchKey, trigger: Trigger, now: Instant) -> Option<Batch> {
        self.since.take()?;
        let Self {
            entries,
            slices,
            items,
            bytes,
            deadline,
            ..
        } = std::mem::take(self);
        Some(Batch {
            key,
            entries,
            slices: slices.into(),
            items,
            bytes,
            deadline,
            sealed_at: now,
            trigger,
        })
    }
}

/// The first of two deadlines, as far as there are any.
fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
