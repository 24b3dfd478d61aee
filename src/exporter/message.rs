//! What is sent to a collector: built once, sent as often as it takes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    config::Protocol,
    encoding::Encoding,
    signal::Signal,
    wire::{Rope, grpc::Prefix},
};

/// Small messages that take the place of one among those in flight.
///
/// - Source: chosen: a full batch of compressed requests of a common size holds about so many.
pub(super) const SMALL_PER_PLACE: usize = 16;

/// The body of one export.
///
/// - Cost: the slices of the batch are shared, not copied.
#[derive(Clone, Debug)]
pub struct Message {
    signal: Signal,
    encoding: Encoding,
    body: Arc<[Bytes]>,
    share: usize,
}

impl Message {
    /// The message of these slices, which are packed in this encoding.
    #[must_use]
    pub const fn new(signal: Signal, encoding: Encoding, body: Arc<[Bytes]>) -> Self {
        Self {
            signal,
            encoding,
            body,
            share: SMALL_PER_PLACE,
        }
    }

    /// The same as one of the requests of a batch that are sent on their own: sixteen of them take
    /// the place of one batch.
    #[must_use]
    pub fn small(self) -> Self {
        Self { share: 1, ..self }
    }

    /// What it carries.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// How its bytes are packed.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What it takes of the places in flight, in parts of [`SMALL_PER_PLACE`].
    pub(super) const fn share(&self) -> usize {
        self.share
    }

    /// The body as the protocol wants it; `None` when it is over what gRPC can say.
    pub(super) fn body(&self, protocol: Protocol) -> Option<Rope> {
        match protocol {
            Protocol::HttpProtobuf => Some(Rope::new(Arc::clone(&self.body))),
            Protocol::Grpc => {
                let len = self.body.iter().map(Bytes::len).sum();
                let prefix = Prefix {
                    compressed: self.encoding.is_packed(),
                    len,
                }
                .to_bytes()?;
                let slices = std::iter::once(Bytes::copy_from_slice(&prefix))
                    .chain(self.body.iter().cloned())
                    .collect();
                Some(Rope::new(slices))
            }
        }
    }
}
