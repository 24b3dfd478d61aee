//! What is sent to a collector: built once, sent as often as it takes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Rope, grpc::Prefix};
use crate::{encoding::Encoding, headers::Forwarded, signal::Signal};

/// The body of one export.
///
/// - Cost: the slices of the batch are shared, not copied.
#[derive(Clone, Debug)]
pub struct Message {
    signal: Signal,
    encoding: Encoding,
    headers: Forwarded,
    body: Arc<[Bytes]>,
}

impl Message {
    /// The message of these slices, which are packed in this encoding.
    #[must_use]
    pub fn new(signal: Signal, encoding: Encoding, body: Arc<[Bytes]>) -> Self {
        Self {
            signal,
            encoding,
            headers: Forwarded::default(),
            body,
        }
    }

    /// The same with headers that go with it.
    #[must_use]
    pub fn with_headers(self, headers: Forwarded) -> Self {
        Self { headers, ..self }
    }

    /// Headers that go with it.
    #[must_use]
    pub const fn headers(&self) -> &Forwarded {
        &self.headers
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

    /// The body of an HTTP request.
    #[must_use]
    pub fn http_body(&self) -> Rope {
        Rope::new(Arc::clone(&self.body))
    }

    /// The body of a gRPC request, with its length before it; `None` when it is over what that can
    /// say.
    #[must_use]
    pub fn grpc_body(&self) -> Option<Rope> {
        let prefix = Prefix {
            compressed: self.encoding.is_packed(),
            len: self.body.iter().map(Bytes::len).sum(),
        };
        let prefix = Bytes::copy_from_slice(&prefix.to_bytes()?);
        let slices = std::iter::once(prefix).chain(self.body.iter().cloned());
        Some(Rope::new(slices.collect()))
    }
}
