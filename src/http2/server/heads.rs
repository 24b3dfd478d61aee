//! Header blocks of requests: decoded, and remembered, because senders repeat them.

use http::request::Parts;

use crate::http2::{
    hpack::{Decoder, HpackError},
    remembered::Remembered,
    request::{Builder, Malformed},
};

/// What a header block came to.
#[derive(Debug)]
pub(super) enum Read<H> {
    Head { head: H, length: Option<u64> },
    Malformed,
    TooLong,
}

/// Reads the header blocks of a connection: after its first request a gRPC sender's block is a
/// handful of references into the table, the same bytes each time.
pub(super) struct Heads<H> {
    decoder: Decoder,
    open: Box<dyn Fn(&Parts) -> H>,
    remembered: Remembered<(H, Option<u64>)>,
}

impl<H: Clone> Heads<H> {
    pub(super) fn new(decoder: Decoder, open: impl Fn(&Parts) -> H + 'static) -> Self {
        Self {
            decoder,
            open: Box::new(open),
            remembered: Remembered::default(),
        }
    }

    /// Reads the block of a request.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Read<H>, HpackError> {
        let generation = self.decoder.generation();
        if let Some((head, length)) = self.remembered.find(block, generation).cloned() {
            return Ok(Read::Head { head, length });
        }
        let mut builder = Builder::default();
        match self
            .decoder
            .decode(block, |name, value| builder.field(name, value))
        {
            Ok(()) => {}
            Err(error) if error.is_of_message() => return Ok(Read::TooLong),
            Err(error) => return Err(error),
        }
        let Ok((parts, length)) = builder.finish() else {
            return Ok(Read::Malformed);
        };
        let head = (self.open)(&parts);
        if self.decoder.generation() == generation {
            self.remembered
                .add(block, generation, (head.clone(), length));
        }
        Ok(Read::Head { head, length })
    }

    /// Reads the block of trailers: nothing in them is used, but the table must follow.
    pub(super) fn read_trailers(
        &mut self,
        block: &[u8],
    ) -> Result<Result<(), Malformed>, HpackError> {
        let mut result = Ok(());
        match self.decoder.decode(block, |name, _value| {
            if name.first() == Some(&b':') || name.iter().any(u8::is_ascii_uppercase) {
                result = Err(Malformed);
            }
        }) {
            Ok(()) => Ok(result),
            Err(error) if error.is_of_message() => Ok(result),
            Err(error) => Err(error),
        }
    }
}

impl<H> std::fmt::Debug for Heads<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heads").finish_non_exhaustive()
    }
}
