//! Unpacks a whole body into the shard's scratch buffer.

use bytes::Bytes;

use super::{
    gzip::GzipReader,
    pieces::Pieces,
    scratch::{Scratch, shrink},
    zstd::ZstdReader,
};
use crate::encoding::Encoding;

/// Why a body could not be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackError {
    /// The bytes are not what they are said to be, end too early, or something follows them.
    Malformed,
    /// They unpack to more than the bound.
    TooLarge,
    /// A zstd frame asks for a window over [`super::WINDOW_LOG_MAX`].
    WindowTooLarge,
}

/// Unpacks bodies, one at a time, into one buffer.
///
/// Several gzip members or zstd frames one after the other are one body: each is read.
///
/// - Cost: the processor time of inflating, inline, bounded by the body's bound; no allocation
///   once the buffer has grown to the usual size. Memory: the buffer, of which
///   [`super::SCRATCH_BYTES_KEPT`] are kept; 40 KiB for gzip; 160 KiB for zstd and a window where
///   a sender has made it necessary.
/// - Shard: one per shard.
#[derive(Debug)]
pub struct Unpacker {
    scratch: Vec<u8>,
    gzip: GzipReader,
    zstd: Option<ZstdReader>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker {
    /// An unpacker with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scratch: Vec::new(),
            gzip: GzipReader::new(),
            zstd: None,
        }
    }

    /// What the buffer holds now.
    #[cfg(test)]
    pub(super) const fn scratch_bytes(&self) -> usize {
        self.scratch.capacity()
    }

    /// Unpacks a body of at most `bytes_max` bytes and hands it to `read`, with the number of its
    /// gzip members or zstd frames. `read` may take the buffer for its own.
    ///
    /// # Errors
    ///
    /// [`UnpackError`].
    pub fn unpack<T>(
        &mut self,
        encoding: Encoding,
        packed: &[Bytes],
        bytes_max: usize,
        read: impl FnOnce(&mut Vec<u8>, usize) -> T,
    ) -> Result<T, UnpackError> {
        let mut pieces = Pieces::new(packed);
        let mut out = Scratch::new(&mut self.scratch, bytes_max);
        let members = match encoding {
            Encoding::Identity => copy(&mut pieces, &mut out),
            Encoding::Gzip => self.gzip.unpack(&mut pieces, &mut out),
            Encoding::Zstd => match &mut self.zstd {
                Some(zstd) => zstd.unpack(&mut pieces, &mut out),
                slot => slot
                    .insert(ZstdReader::new().ok_or(UnpackError::TooLarge)?)
                    .unpack(&mut pieces, &mut out),
            },
        };
        let result = members.map(|members| read(&mut self.scratch, members));
        shrink(&mut self.scratch);
        result
    }
}

fn copy(packed: &mut Pieces<'_>, out: &mut Scratch<'_>) -> Result<usize, UnpackError> {
    while !packed.is_empty() {
        let piece = packed.piece();
        out.reserve(piece.len());
        out.bytes.extend_from_slice(piece);
        out.check()?;
        packed.advance(piece.len());
    }
    Ok(1)
}
