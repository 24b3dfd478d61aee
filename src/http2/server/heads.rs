//! Header blocks of requests: decoded, and remembered, because senders repeat them.

use http::request::Parts;

use crate::http2::{
    hpack::{Decoder, HpackError},
    request::{Builder, Malformed},
};

/// Blocks that are remembered on a connection.
///
/// - Source: chosen: a sender repeats one a signal.
const REMEMBERED_MAX: usize = 4;

/// The longest block that is remembered, in bytes.
const REMEMBERED_BYTES_MAX: usize = 1024;

/// What a header block came to.
#[derive(Debug)]
pub(super) enum Read<H> {
    Head { head: H, length: Option<u64> },
    Malformed,
    TooLong,
}

/// Reads the header blocks of a connection.
///
/// After its first request a gRPC sender's block is a handful of references into the table, the
/// same bytes each time. While the table stays as it is they mean the same, so what they were
/// opened to is used again.
pub(super) struct Heads<H> {
    decoder: Decoder,
    open: fn(&Parts) -> H,
    remembered: Vec<Remembered<H>>,
}

struct Remembered<H> {
    block: Box<[u8]>,
    generation: u64,
    head: H,
    length: Option<u64>,
}

impl<H: Clone> Heads<H> {
    pub(super) const fn new(decoder: Decoder, open: fn(&Parts) -> H) -> Self {
        Self {
            decoder,
            open,
            remembered: Vec::new(),
        }
    }

    /// Reads the block of a request.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Read<H>, HpackError> {
        let generation = self.decoder.generation();
        let known = self
            .remembered
            .iter()
            .find(|known| known.generation == generation && *known.block == *block);
        if let Some(known) = known {
            return Ok(Read::Head {
                head: known.head.clone(),
                length: known.length,
            });
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
        // A block that changes the table means something else the next time.
        if self.decoder.generation() == generation && block.len() <= REMEMBERED_BYTES_MAX {
            self.remember(block, generation, &head, length);
        }
        Ok(Read::Head { head, length })
    }

    fn remember(&mut self, block: &[u8], generation: u64, head: &H, length: Option<u64>) {
        self.remembered
            .retain(|known| known.generation == generation);
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.remove(0);
        }
        self.remembered.push(Remembered {
            block: block.into(),
            generation,
            head: head.clone(),
            length,
        });
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
        f.debug_struct("Heads")
            .field("remembered", &self.remembered.len())
            .finish_non_exhaustive()
    }
}
