//! A sealed batch on its way: what is sent of it, how often it was, where it goes.

use std::{sync::Arc, time::Instant};

use crate::{batch::Batch, encoding::Encoding, signal::Signal, wire::Message};

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
    pub first_at: Option<Instant>,
}

impl Parcel {
    pub(super) const fn new(batch: Batch, is_small: bool, is_replayed: bool) -> Self {
        Self {
            batch,
            message: None,
            is_small,
            is_replayed,
            falls_back: false,
            attempts: 0,
            first_at: None,
        }
    }

    /// The same for a part of its batch.
    pub(super) const fn part(&self, batch: Batch) -> Self {
        Self {
            batch,
            message: None,
            is_small: self.is_small,
            is_replayed: self.is_replayed,
            falls_back: self.falls_back,
            attempts: 0,
            first_at: self.first_at,
        }
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
            Arc::new(Message::new(self.batch.signal(), encoding, slices))
        });
        Arc::clone(message)
    }
}
