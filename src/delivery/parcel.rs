//! A sealed batch on its way: what is sent of it, how often it was, where it goes.

use std::{sync::Arc, time::Instant};

use super::destination::SMALL_PER_PLACE;
use crate::{
    batch::{Batch, ExportRequest},
    encoding::Encoding,
    metrics::Trigger,
    signal::Signal,
    wire::Message,
};

/// A batch, or one request of it, that has no outcome yet.
#[derive(Debug)]
pub(super) struct Parcel {
    pub batch: Batch,
    message: Option<Arc<Message>>,
    /// Sent beside fifteen others in the place of one batch.
    pub is_small: bool,
    /// Read back from the disk.
    pub is_replayed: bool,
    /// The collectors of its signal have had their chance.
    pub falls_back: bool,
    pub attempts: u32,
    /// Connections that had lain idle and were found closed.
    pub stale: u32,
    pub first_at: Option<Instant>,
}

/// What the parts of a parcel have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    is_small: bool,
    is_replayed: bool,
    falls_back: bool,
    attempts: u32,
    first_at: Option<Instant>,
}

/// A parcel that was taken apart for the disk: what it takes to go on with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Which one it was.
    pub number: u64,
    template: Template,
    sealed_at: Instant,
    trigger: Trigger,
}

impl Origin {
    pub(super) fn new(number: u64, parcel: &Parcel) -> Self {
        Self {
            number,
            template: parcel.template(),
            sealed_at: parcel.batch.sealed_at(),
            trigger: parcel.batch.trigger(),
        }
    }

    /// The parcel again, of these of its requests: it begins at the top of the ladder, with the
    /// attempts and the time that it has had.
    pub(super) fn parcel(self, requests: Vec<ExportRequest>) -> Option<Parcel> {
        let batch = Batch::put_together(requests, self.sealed_at, self.trigger)?;
        Some(Parcel {
            falls_back: false,
            ..self.template.of(batch)
        })
    }
}

impl Template {
    /// A part.
    pub(super) fn of(self, batch: Batch) -> Parcel {
        Parcel {
            batch,
            message: None,
            is_small: self.is_small,
            is_replayed: self.is_replayed,
            falls_back: self.falls_back,
            attempts: self.attempts,
            stale: 0,
            first_at: self.first_at,
        }
    }
}

impl Parcel {
    pub(super) fn new(batch: Batch, is_small: bool, is_replayed: bool) -> Self {
        Self {
            batch,
            message: None,
            is_small,
            is_replayed,
            falls_back: false,
            attempts: 0,
            stale: 0,
            first_at: None,
        }
    }

    /// What a part of its batch takes over.
    pub(super) const fn template(&self) -> Template {
        Template {
            is_small: self.is_small,
            is_replayed: self.is_replayed,
            falls_back: self.falls_back,
            attempts: self.attempts,
            first_at: self.first_at,
        }
    }

    /// Whether nobody but this memory has the data: its senders were told that it is safe.
    pub(super) fn is_only_here(&self) -> bool {
        !self.batch.is_awaited() && self.batch.stored_items() == 0
    }

    /// What it weighs among those that wait, in parts of a place.
    pub(super) const fn share(&self) -> usize {
        if self.is_small { 1 } else { SMALL_PER_PLACE }
    }

    pub(super) const fn signal(&self) -> Signal {
        self.batch.signal()
    }

    /// What is sent of it: packed once, sent as often as it takes.
    pub(super) fn message(
        &mut self,
        pack: impl FnOnce(&Batch) -> (Encoding, Arc<[bytes::Bytes]>),
    ) -> Arc<Message> {
        let message = self.message.get_or_insert_with(|| {
            let (encoding, slices) = pack(&self.batch);
            let message = Message::new(self.batch.signal(), encoding, slices);
            Arc::new(match self.batch.headers() {
                Some(set) => message.with_headers(set.headers().clone()),
                None => message,
            })
        });
        Arc::clone(message)
    }
}
