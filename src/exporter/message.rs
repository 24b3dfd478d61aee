//! What is sent to a collector: built once, sent as often as it takes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    config::{Compression, Protocol},
    signal::Signal,
    wire::{Rope, grpc::Prefix, gzip},
};

/// The body of one export.
///
/// - Cost: the slices of the batch are shared, not copied; gzip makes one copy, packed once.
#[derive(Clone, Debug)]
pub struct Message {
    signal: Signal,
    gzip: bool,
    plain: Arc<[Bytes]>,
}

impl Message {
    /// The message of these slices, packed as configured.
    #[must_use]
    pub fn new(signal: Signal, slices: Arc<[Bytes]>, compression: Compression) -> Self {
        match compression {
            Compression::None => Self {
                signal,
                gzip: false,
                plain: slices,
            },
            Compression::Gzip => Self {
                signal,
                gzip: true,
                plain: Arc::new([gzip(Rope::new(slices))]),
            },
        }
    }

    /// What it carries.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Whether its bytes are gzip.
    #[must_use]
    pub const fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// The body as the protocol wants it; `None` when it is over what gRPC can say.
    pub(super) fn body(&self, protocol: Protocol) -> Option<Rope> {
        match protocol {
            Protocol::HttpProtobuf => Some(Rope::new(Arc::clone(&self.plain))),
            Protocol::Grpc => {
                let len = self.plain.iter().map(Bytes::len).sum();
                let prefix = Prefix {
                    compressed: self.gzip,
                    len,
                }
                .to_bytes()?;
                let slices = std::iter::once(Bytes::copy_from_slice(&prefix))
                    .chain(self.plain.iter().cloned())
                    .collect();
                Some(Rope::new(slices))
            }
        }
    }
}
