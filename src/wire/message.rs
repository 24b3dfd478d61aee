//! What is sent to a collector: built once, sent as often as it takes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Rope, grpc::Prefix};
use crate::{config::Protocol, encoding::Encoding, signal::Signal};

/// The body of one export.
///
/// - Cost: the slices of the batch are shared, not copied.
#[derive(Clone, Debug)]
pub struct Message {
    signal: Signal,
    encoding: Encoding,
    body: Arc<[Bytes]>,
}

impl Message {
    /// The message of these slices, which are packed in this encoding.
    #[must_use]
    pub const fn new(signal: Signal, encoding: Encoding, body: Arc<[Bytes]>) -> Self {
        Self {
            signal,
            encoding,
            body,
        }
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

    /// The body as the protocol wants it; `None` when it is over what gRPC can say.
    #[must_use]
    pub fn body(&self, protocol: Protocol) -> Option<Rope> {
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
